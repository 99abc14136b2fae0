"""Previews show scans, truth and output of the same slices, come at their steps, and change nothing."""
import numpy as np
import pytest
from PIL import Image

from mstl._keras import keras
from mstl.config import Training
from mstl.training.batches import preview_sampler
from mstl.training.fit import fit
from mstl.training.previews import Previews, preview_sheet
from tests.networks import unet

SETTINGS = {"epochs": 2, "steps_per_epoch": 3, "batch_size": 2, "augment": "none", "learning_rate": 1e-2}


def sides(prepared):
    return prepared.select(["s0", "s1"]), prepared.select(["s2"])


def panels_of(sheet, rows, columns, side=160):
    """Grey levels of panel (row, column)."""
    top, left = sheet.shape[0] - rows * (side + 4), sheet.shape[1] - columns * (side + 4)
    return lambda row, column: sheet[top + row * (side + 4) :, left + column * (side + 4) :][:side, :side]


@pytest.mark.parametrize("depth", [None, 5])
def test_a_sheet_has_a_row_a_scan_then_truth_and_output(depth):
    images = np.zeros((2, 32, 32, 6), np.float32)  # two modalities of the slice and a neighbour at each side
    images[..., 2:4] = [1.0, 3.0]
    images[:, :16, :, 2:4] = 0.0
    masks, output = np.zeros((2, 32, 32, 1), np.float32), np.full((2, 32, 32, 1), 0.5, np.float32)
    masks[1] = 1
    if depth:
        nothing = [np.zeros((2, depth, *array.shape[1:]), np.float32) for array in (images, masks, output)]
        for volume, array in zip(nothing, (images, masks, output), strict=True):
            volume[:, depth // 2] = array
        images, masks, output = nothing
    sheet = preview_sheet(images, masks, output, modalities=("flair", "t1"), names=["a", "b"], title="step 7")
    panel = panels_of(sheet, 4, 2)
    for row in (0, 1):
        assert np.all(panel(row, 0)[:80] == 0)
        assert np.all(panel(row, 1)[80:] == 255)
    assert np.all(panel(2, 0) == 0)
    assert np.all(panel(2, 1) == 255)
    assert np.all(panel(3, 0) == 128)


def test_of_two_classes_the_probability_is_shown_and_of_more_the_class():
    image = np.zeros((1, 32, 32, 1), np.float32)
    two, four = np.zeros((1, 32, 32, 2), np.float32), np.zeros((1, 32, 32, 4), np.float32)
    two[...], four[...] = [0.8, 0.2], [0.1, 0.2, 0.5, 0.2]
    common = {"modalities": ("oct",), "names": ["a"]}
    assert np.all(panels_of(preview_sheet(image, image + 1, two, **common), 3, 1)(2, 0) == 51)
    panel = panels_of(preview_sheet(image, image + 3, four, **common), 3, 1)
    assert np.all(panel(1, 0) == 255)
    assert np.all(panel(2, 0) == 170)


def test_previews_come_at_their_steps_go_on_after_a_resume_and_change_nothing(prepared, small_model, tmp_path):
    class Interruption(RuntimeError):
        pass

    def interrupt(epoch, logs):
        raise Interruption

    with pytest.raises(Interruption):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
        fit(small_model(), *sides(prepared), out=tmp_path / "run", callbacks=[stop], preview_every=2, **SETTINGS)
    folder = tmp_path / "run" / "previews"
    assert [path.name for path in folder.iterdir()] == ["step000002.png"]
    shown = fit(small_model(), *sides(prepared), out=tmp_path / "run", resume=True, preview_every=2, **SETTINGS)
    assert sorted(path.name for path in folder.iterdir()) == [f"step00000{step}.png" for step in (2, 4, 6)]
    assert Image.open(folder / "step000006.png").mode == "L"
    plain = fit(small_model(), *sides(prepared), out=tmp_path / "plain", **SETTINGS)
    first, second = (run.model("last").get_weights() for run in (shown, plain))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_the_same_slices_with_lesion_are_shown_every_time(prepared, small_model):
    sampler = preview_sampler(small_model(), prepared, Training(context=0))
    previews = Previews("run", sampler, every=1, modalities=("flair", "t1"))
    assert previews.images.shape == (4, 32, 32, 2)
    assert previews.masks.any(axis=(1, 2, 3)).all()
    assert len(previews.names) == 4
    assert np.array_equal(previews.images, Previews("run", sampler, every=1, modalities=("flair", "t1")).images)


def test_of_volumes_patches_are_shown(prepared, tmp_path):
    keras.utils.set_random_seed(0)
    settings = {**SETTINGS, "epochs": 1, "patch": 8, "preview_every": 3}
    fit(unet((None, None, None)), *sides(prepared), out=tmp_path / "run", **settings)
    assert Image.open(tmp_path / "run" / "previews" / "step000003.png").height > 4 * 160
