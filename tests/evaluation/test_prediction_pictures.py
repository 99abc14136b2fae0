"""Pictures are predicted, scored and cut from files of pictures to files of pictures."""
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mstl._keras import keras
from mstl.cli import main
from mstl.data.cohort import Case, Cohort
from mstl.data.labels import to_labels
from mstl.data.prepare import prepare
from mstl.errors import InputError
from mstl.evaluation.decision import Decision
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.pooled import read_pooled
from mstl.evaluation.predict import predict
from mstl.evaluation.prediction_files import on_native_grid, write_prediction
from mstl.evaluation.threshold import set_threshold
from mstl.files import read_json
from mstl.training.fit import fit
from tests.spots import SIZE, spot, write_pictures

NAMES = ("a_1", "a_2", "b_1")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    return write_pictures(tmp_path_factory.mktemp("pictures"), white=255)


@pytest.fixture(scope="module")
def prepared(cohort, tmp_path_factory):
    return prepare(cohort, tmp_path_factory.mktemp("prepared") / "out", shape=(64, 96), normalise="imagenet")


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    """A run whose one convolution finds what is bright."""
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(image))
    model.set_weights([np.full((1, 1, 1, 1), 4, "f"), np.array([-2.0], "f")])
    sides = prepared.select(["a"]), prepared.select(["b"])
    settings = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "learning_rate": 1e-9}
    settings |= {"window": 64, "overlap": 0.25}
    return fit(model, *sides, out=tmp_path_factory.mktemp("runs") / "run", **settings)


@pytest.fixture(scope="module")
def predictions(run, cohort, tmp_path_factory):
    return predict(run, cohort, out=tmp_path_factory.mktemp("predictions") / "out")


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_a_picture_gives_pictures_and_a_record(predictions):
    kinds = ("prediction.png", "probability.png", "overlay.png")
    expected = {f"{name}_{kind}" for name in NAMES for kind in kinds} | {f"{name}.json" for name in NAMES}
    assert {path.name for path in predictions.iterdir()} == expected
    mask, soft = (pixels(predictions / f"a_1_{kind}") for kind in kinds[:2])
    assert mask.shape == soft.shape == SIZE
    assert np.unique(mask).tolist() == [0, 255]
    assert soft.dtype == np.uint16
    assert np.array_equal(mask > 0, soft >= 0.5 * 65535)
    record = read_json(predictions / "a_1.json")
    assert record["space"] == "pixels of the image"
    assert record["lesion_pixels"] == np.count_nonzero(mask)
    assert (record["window"], record["overlap"]) == ([64, 64], 0.25)


def test_prepared_and_raw_pictures_give_the_same(run, prepared, predictions, tmp_path):
    out = predict(run, prepared, out=tmp_path / "out")
    for name in NAMES:
        for kind in ("prediction", "probability"):
            file = f"{name}_{kind}.png"
            assert (out / file).read_bytes() == (predictions / file).read_bytes()


def test_the_overlay_shows_the_reference_where_the_case_has_one(run, cohort, predictions, tmp_path):
    bare = Cohort([Case.of_files({"oct": cohort[0].images["oct"]}, subject="a", session="1")])
    alone = pixels(predict(run, bare, out=tmp_path / "out") / "a_1_overlay.png")
    both = pixels(predictions / "a_1_overlay.png")
    assert alone.shape == both.shape == (SIZE[0] * 20, SIZE[1] * 20, 3)
    assert np.any(both != alone)


def test_scores_are_those_of_the_masks_in_pixels_and_pooled_ones_stand_beside(cohort, predictions, tmp_path):
    scores = evaluate(predictions, cohort, out=tmp_path / "scores.csv")
    assert scores["dice"].min() > 0.9
    _, mask = spot(seed=0)
    assert scores.loc[0, "reference_ml"] == pytest.approx(mask.sum() / 1000)
    assert "1000 pixels are 1 ml" in (tmp_path / "scores.csv").read_text()
    pooled = read_pooled(tmp_path / "scores_pooled.csv")
    assert pooled["subject"].tolist() == ["", "a", "b"]
    assert pooled["cases"].tolist() == [3, 2, 1]
    both = [pixels(predictions / f"{name}_prediction.png") > 0 for name in NAMES]
    truth = [spot(seed=number)[1] > 0 for number in range(3)]
    common = sum(np.count_nonzero(one & other) for one, other in zip(both, truth, strict=True))
    assert pooled.loc[0, "dice_1"] == pytest.approx(2 * common / (np.sum(both) + np.sum(truth)))


def test_a_threshold_is_chosen_on_pictures(run):
    choice = set_threshold(run)
    assert choice.cases == 1
    assert max(choice.mean_dice) > 0.9
    (run.folder / "threshold.json").unlink()


def test_several_labels_have_a_probability_each_and_their_own_values(prepared, cohort, tmp_path):
    case = prepared[0]
    rise = np.broadcast_to(np.linspace(0, 1, case.shape[2], dtype=np.float32), case.shape)
    classes = np.stack([0.5 * np.ones_like(rise), rise / 2, 0.5 - rise / 2], axis=-1) + np.float32([0, 0.2, 0.2])
    native = on_native_grid(classes / classes.sum(axis=-1, keepdims=True), case)
    write_prediction(tmp_path, case, native, Decision(None, labels=(2, 7)), maps={}, facts={"labels": [2, 7]})
    for channel, label in enumerate((2, 7), start=1):
        soft = pixels(tmp_path / f"a_1_probability_{label}.png") / 65535
        np.testing.assert_allclose(soft, native[..., 0, channel], atol=1e-5)
    mask = pixels(tmp_path / "a_1_prediction.png")
    assert np.array_equal(mask, to_labels(native[..., 0, :].argmax(-1), (2, 7)))
    assert read_json(tmp_path / "a_1.json")["label_pixels"] == {str(n): int(np.sum(mask == n)) for n in (2, 7)}
    truth = np.where(spot(seed=0)[1], 7, 0).astype(np.uint8)
    Image.fromarray(truth).save(tmp_path / "mask.png")
    files = {"oct": cohort[0].images["oct"], "mask": tmp_path / "mask.png"}
    reference = Case.of_files(files, subject="a", session="1")
    evaluate(tmp_path, [reference], out=tmp_path / "scores.csv")
    pooled = pd.read_csv(tmp_path / "scores_pooled.csv", comment="#")
    assert pooled.loc[0, "recall_7"] == pytest.approx(np.mean(mask[truth > 0] == 7))


def test_a_mask_of_another_size_than_its_picture_is_refused(run, cohort, tmp_path):
    small = write_pictures(tmp_path / "in", [("s", "")], sizes=[(20, 20)])[0]
    case = Case.of_files({"oct": cohort[0].images["oct"], "mask": small.mask}, subject="a")
    with pytest.raises(InputError, match=r"s_mask\.png and the image of case a lie on different grids"):
        predict(run, Cohort([case]), out=tmp_path / "out")


def test_one_picture_is_predicted_by_command(write_run, prepared, cohort, tmp_path, monkeypatch, capsys):
    options, out = {"width": 2, "depth": 2}, tmp_path / "out"
    run = write_run(tmp_path / "run", prepared.preparation, model_options=options, window=32, overlap=0.5)
    words = ("predict", run, f"oct={cohort[0].images['oct']}", "--out", out, "--overlap", "0.25")
    monkeypatch.setattr(sys, "argv", ["mstl", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code or 0, "Wrote masks of 1 cases" in capsys.readouterr().out) == (0, True)
    assert (out / "a1_overlay.png").is_file()
    record = read_json(out / "a1.json")
    assert (record["window"], record["overlap"]) == ([32, 32], 0.25)
