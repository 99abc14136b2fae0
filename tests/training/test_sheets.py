"""Sheets of samples: what they show, which slices are shown, and when a training draws them."""
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from PIL import Image

from mstl._keras import keras
from mstl.data.corruption import Corruption
from mstl.data.prepare import prepare
from mstl.data.restoration import RestorationSampler
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from mstl.training.sheets import SampleSheets, choose_slices, sample_batch, sample_sheet, write_sheet


def images(count=3, side=32, channels=1, value=-1.0):
    return np.full((count, side, side, channels), value, np.float32)


def drawn(*arrays, **options):
    """Grey levels of panel (row, column), a square of 160 pixels, in the sheet without headings."""
    sheet = sample_sheet(*arrays, **options)
    left = sheet.shape[1] - len(arrays[0]) * 164
    top = sheet.shape[0] - 3 * arrays[0].shape[-1] * 164
    return lambda row, column: sheet[top + row * 164:, left + column * 164:][:160, :160]


def test_a_sheet_has_a_row_for_input_output_and_target_and_a_column_an_image():
    corrupted, output, target = images(value=1.0), images(), images()
    output[1], target[:, :16] = 0.0, 1.0
    panel = drawn(corrupted, output, target, scale=(-1, 1))
    assert np.all(panel(0, 2) == 255)
    assert np.all(panel(1, 0) == 0)
    assert np.all(panel(1, 1) == 128)
    assert np.all(panel(2, 0)[:80] == 255)
    assert np.all(panel(2, 0)[80:] == 0)


def test_channels_follow_each_other_downwards():
    target = images(channels=2)
    target[..., 1] = 1.0
    panel = drawn(target, target, target, scale=(-1, 1), modalities=["flair", "t1"])
    assert np.all(panel(2, 0) == 0)
    assert np.all(panel(3, 0) == 255)


def test_headings_are_written_above_and_labels_beside_the_panels():
    target = images()
    plain = sample_sheet(target, target, target, scale=(-1, 1))
    named = sample_sheet(target, target, target, scale=(-1, 1), names=["a", "b", "c"], title="epoch 20")
    assert named.shape[0] > plain.shape[0]
    assert named.shape[1] == plain.shape[1]
    assert plain[:, :50].max() > 100
    assert named[:46].max() > 200


def test_a_long_heading_stays_over_its_image():
    target = images(count=2)
    sheet = sample_sheet(target, target, target, scale=(-1, 1), names=["w" * 90, ""])
    assert sheet[:24, -164:].max() < 100


def test_white_is_what_few_values_of_the_target_exceed():
    target = images(value=0.0)
    target[:, 8:24, 8:24] = 0.4
    target[0, 10, 10] = 1.0
    panel = drawn(images(value=1.0), target, target)
    assert np.all(panel(0, 0) == 255)
    assert panel(2, 1).max() == 255  # 0.4
    assert panel(2, 1).min() == 0


def test_what_is_no_number_and_a_constant_target_are_drawn_too():
    panel = drawn(images(), images(value=np.nan), images())
    assert np.all(panel(1, 0) == 0)


@pytest.mark.parametrize(("output", "options", "message"), [
    (images(channels=2), {}, r"\(3, 32, 32, 2\).*one shape"),
    (images(), {"names": ["a"]}, "names are a, but there are 3"),
    (images(), {"modalities": ["flair", "t1"]}, "modalities are flair, t1, but there are 1"),
])
def test_images_and_names_that_do_not_fit_are_refused(output, options, message):
    with pytest.raises(InputError, match=message):
        sample_sheet(images(), output, images(), **options)


def test_a_sheet_is_written_as_png_and_nothing_is_left_beside_it(tmp_path):
    path = write_sheet(tmp_path / "samples" / "a.png", images(), images(), images(), title="epoch 1")
    assert np.array_equal(np.asarray(Image.open(path)), sample_sheet(images(), images(), images(), title="epoch 1"))
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


def case(subject, area):
    return SimpleNamespace(subject=subject, brain_voxels=area)


BRAIN = [0, 10, 40, 60, 80, 100, 90, 70, 30, 0]


def test_slices_to_show_hold_much_brain_and_spread_over_subjects_and_heights():
    cases = [case(subject, BRAIN) for subject in ("a", "a", "b", "c")]  # two sessions of a
    chosen = choose_slices(cases, 6)
    assert [number for number, _ in chosen] == [0, 0, 2, 2, 3, 3]
    assert {height for _, height in chosen} == {3, 4, 5, 6, 7}


def test_of_more_subjects_than_slices_some_are_shown():
    chosen = choose_slices([case(str(number), BRAIN) for number in range(9)], 3)
    assert chosen == [(0, 3), (3, 5), (6, 7)]


def test_no_slice_is_shown_twice_and_none_without_brain():
    assert choose_slices([case("a", [0, 5, 0])], 4) == [(0, 1)]
    assert choose_slices([case("a", [0, 0])], 4) == []


def test_samples_are_the_chosen_slices_whole_and_not_augmented(cohort, tmp_path):
    cases = prepare(cohort.select(["s0", "s1"]), tmp_path / "prepared", modalities=("flair",), normalise="max")
    slices = SliceSampler(cases, keep="brain", labels=False, batch_size=5, augment="strong", multiple_of=64, seed=3)
    sampler = RestorationSampler(slices, corruption=Corruption(tile=8), signed=True)
    corrupted, target, headings = sample_batch(sampler, 4)
    chosen = choose_slices(cases, 4)
    assert headings == [f"{cases[number].name} slice {place}" for number, place in chosen]
    assert corrupted.shape == target.shape == (4, 64, 64, 1)
    height, width = cases[0].shape[1:]
    top, left = (64 - height) // 2, (64 - width) // 2
    for (number, place), image in zip(chosen, target, strict=True):
        expected = cases[number].image[place].astype(np.float32) * 2 - 1
        assert np.allclose(image[top:top + height, left:left + width], expected, atol=1e-6)
    assert np.all(corrupted[:, :8, :8] == 1)
    assert np.array_equal(corrupted[:, 8:16, :8], target[:, 8:16, :8])


class TinyGan(keras.Model):
    """A model with a generator whose batch norm drifts at every call."""

    def __init__(self):
        super().__init__()
        image = keras.layers.Input((None, None, 1))
        x = keras.layers.Conv2D(1, 3, padding="same")(image)
        self.generator = keras.Model(image, keras.layers.BatchNormalization(name="norm")(x, training=True))

    def call(self, images):
        return self.generator(images)


def train(folder, *, epochs, initial_epoch=0, every=2, callbacks=()):
    keras.utils.set_random_seed(0)
    model = TinyGan()
    model.compile("sgd", "mse")
    batch = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 1)).astype(np.float32)
    sheets = SampleSheets(folder, batch, batch, every=every)
    model.fit(batch, batch, epochs=epochs, initial_epoch=initial_epoch, verbose=0, callbacks=[sheets, *callbacks])
    return model


def names(folder):
    return sorted(path.stem for path in folder.iterdir())


def test_sheets_are_drawn_before_training_every_few_epochs_and_at_the_end(tmp_path):
    model = train(tmp_path, epochs=5)
    assert names(tmp_path / "samples") == ["epoch-0000", "epoch-0002", "epoch-0004", "epoch-0005"]
    assert names(tmp_path / "generators") == ["epoch-0002", "epoch-0004", "epoch-0005"]
    with h5py.File(tmp_path / "generators" / "epoch-0005.h5") as file:
        kept = file["norm/norm/moving_mean:0"][()]
    assert np.array_equal(kept, model.generator.get_layer("norm").moving_mean.numpy())


def test_a_resumed_training_keeps_the_earlier_sheets_and_draws_on(tmp_path):
    train(tmp_path, epochs=2)
    before = (tmp_path / "samples" / "epoch-0000.png").stat().st_mtime_ns
    train(tmp_path, epochs=4, initial_epoch=2)
    assert names(tmp_path / "samples") == ["epoch-0000", "epoch-0002", "epoch-0004"]
    assert (tmp_path / "samples" / "epoch-0000.png").stat().st_mtime_ns == before


def test_nothing_is_drawn_where_a_finished_training_is_resumed(tmp_path):
    train(tmp_path, epochs=2, initial_epoch=2)
    assert not list(tmp_path.iterdir())


def test_a_training_that_ends_early_draws_its_last_epoch(tmp_path):
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(stop.model, "stop_training", True))
    train(tmp_path, epochs=9, every=4, callbacks=[stop])
    assert names(tmp_path / "samples") == ["epoch-0000", "epoch-0001"]


def test_drawing_changes_nothing_in_the_generator(tmp_path):
    quiet, often = (train(tmp_path / str(every), epochs=3, every=every) for every in (9, 1))
    for one, other in zip(quiet.get_weights(), often.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_an_interval_below_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="every 0 epochs"):
        SampleSheets(tmp_path, images(), images(), every=0)
