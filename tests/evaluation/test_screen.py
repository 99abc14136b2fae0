import numpy as np
import pandas as pd
import pytest

from mstl._keras import keras, tf
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation import screen as module
from mstl.evaluation.predictor import Predictor
from mstl.evaluation.screen import SCREEN_COLUMNS, screen
from mstl.models import build_model
from mstl.training.run import Run

OPTIONS = ["width=2", "depth=2"]


def brightness(*, above):
    """A network that knows nothing but the FLAIR of a voxel: lesions of the tiny heads are the brightest."""
    image = keras.layers.Input((None, None, 2))
    conv = keras.layers.Conv2D(1, 1, activation="sigmoid", name="cut")
    model = keras.Model(image, conv(image))
    conv.set_weights([np.array([[[[2.0], [0.0]]]]), np.array([-2.0 * above])])
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights of networks that cut the FLAIR well, high, and everywhere below; and those of another network."""
    folder = tmp_path_factory.mktemp("weights")
    for name, above in (("well", 1.0), ("high", 4.7), ("all", -9.0)):
        brightness(above=above).save_weights(folder / f"{name}.h5")
    build_model("unet-small", channels=2, width=2, depth=2).save_weights(folder / "other.h5")
    (folder / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return folder


@pytest.fixture(scope="module")
def table(files, tiny_prepared):
    names = ("all", "other", "well", "missing", "damaged", "high")
    return screen([files / f"{name}.h5" for name in names], tiny_prepared, model=brightness(above=0))


def named(table):
    return [path.rpartition("/")[2].removesuffix(".h5") for path in table["checkpoint"].str.replace("\\", "/")]


def test_weights_are_ranked_and_the_useless_stand_last_with_a_reason(table):
    assert tuple(table.columns) == SCREEN_COLUMNS
    assert named(table) == ["well", "high", "all", "other", "missing", "damaged"]
    assert table["rank"].tolist()[:3] == [1, 2, 3]
    assert table["rank"].isna().tolist() == [False] * 3 + [True] * 3
    assert table["reason"].eq("").tolist() == [True] * 3 + [False] * 3
    assert table["dice"].notna().tolist() == [True] * 3 + [False] * 3
    assert table["reason"].str.contains("\n").sum() == 0


def test_the_score_is_the_mean_dice_of_the_predictions(table, files, tiny_prepared):
    model = brightness(above=1.0)
    dice, both, sizes = [], 0, 0
    for case in tiny_prepared:
        found, lesion = Predictor(model)(case)[..., 0] >= 0.5, np.asarray(case.mask) > 0
        dice.append(2 * (found & lesion).sum() / (found.sum() + lesion.sum()))
        both, sizes = both + (found & lesion).sum(), sizes + found.sum() + lesion.sum()
    first = table.iloc[0]
    assert first["dice"] == pytest.approx(np.mean(dice))
    assert first["dice"] > 0.5
    assert first["pooled_dice"] == pytest.approx(2 * both / sizes)
    assert first["pooled_dice"] < first["mdice"] < 1
    assert first["low"] <= first["dice"] <= first["high"]
    assert table["first"][:3].sum() == pytest.approx(1)
    assert (first["cases"], first["subjects"], first["empty_reference"]) == (3, 3, 0)
    assert first["seconds"] > 0


def test_the_best_threshold_is_told_beside_and_not_ranked_by(table):
    first, second = table.iloc[0], table.iloc[1]
    assert second["best_threshold"] < 0.5
    assert second["best_dice"] > first["dice"] > second["dice"]


def test_runs_stand_beside_files(files, small_run, tiny_prepared):
    table = screen([small_run, Run(small_run), files / "other.h5"], tiny_prepared, model="unet-small", options=OPTIONS)
    assert table["rank"].tolist() == [1, 2, 3]
    assert table["checkpoint"].tolist().count(str(small_run)) == 2


def test_no_weights_are_changed(files, small_run, tiny_prepared):
    before = (small_run / "best.h5").read_bytes(), (files / "well.h5").read_bytes()
    screen([small_run, files / "well.h5"], tiny_prepared, model=brightness(above=0))
    assert before == ((small_run / "best.h5").read_bytes(), (files / "well.h5").read_bytes())


def test_progress_is_told_for_every_case_of_every_checkpoint(files, tiny_prepared):
    told = []
    screen([files / "well.h5", "missing.h5"], tiny_prepared, model=brightness(above=0), progress=told.append)
    assert told == [str(files / "well.h5")] * 3 + ["missing.h5"] * 3


def test_a_failure_in_the_middle_does_not_stop_the_others(files, tiny_prepared, monkeypatch):
    scored, calls = module._scored, []

    def failing(predictor, case, threshold):
        calls.append(case.name)
        if len(calls) == 2:
            raise tf.errors.InvalidArgumentError(None, None, "Incompatible\nshapes")
        return scored(predictor, case, threshold)

    monkeypatch.setattr(module, "_scored", failing)
    told = []
    table = screen([files / "well.h5", files / "high.h5"], tiny_prepared, model=brightness(above=0),
                   progress=told.append)  # fmt: skip
    assert named(table) == ["high", "well"]
    assert table.iloc[1]["reason"].startswith("Incompatible shapes")
    assert len(told) == 6


def test_pooled_scores_rank_where_asked(files, tiny_prepared):
    table = screen([files / "high.h5", files / "well.h5"], tiny_prepared, model=brightness(above=0), by="mdice")
    assert named(table) == ["well", "high"]
    assert table.iloc[0]["low"] <= table.iloc[0]["mdice"] <= table.iloc[0]["high"]


def test_classes_are_compared_one_by_one_where_network_and_masks_have_as_many(tmp_path, make_case, write_run):
    from tests.labelled import with_labels

    cases = prepare(Cohort([with_labels(make_case(tmp_path / "scans", "p"))]), tmp_path / "out", labels=(1, 2, 4))
    options = {"width": 2, "depth": 2}
    several = write_run(tmp_path / "several", cases.preparation, model_options=options)
    one = write_run(tmp_path / "one", cases.preparation, model_options=options | {"num_classes": 1})
    table = screen([several, one], cases).set_index("checkpoint")
    assert np.isnan(table.loc[str(several), "best_dice"])
    assert table.loc[str(several), "note"] == ""
    assert "It tells 2 classes apart, the masks 4" in table.loc[str(one), "note"]
    assert table["low"].isna().all()


def test_the_table_is_written_with_its_rules(files, tiny_prepared, tmp_path):
    out = tmp_path / "screen.csv"
    table = screen([files / "well.h5", "missing.h5"], tiny_prepared, model=brightness(above=0), out=out)
    text = out.read_text(encoding="utf-8")
    assert "chosen on these very masks: optimistic" in text
    read = pd.read_csv(out, comment="#")
    assert read["dice"][0] == pytest.approx(table["dice"][0])
    assert read["rank"].isna().tolist() == [False, True]


def test_a_network_of_other_channels_is_a_reason(files, tiny_prepared):
    table = screen([files / "well.h5"], tiny_prepared, model=build_model("unet-small", channels=3, width=2, depth=2))
    assert table["reason"].str.len()[0] > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoints": []}, "No checkpoint was given"),
        ({"by": "iou"}, "by is 'iou'; expected one of dice, mdice"),
        ({"threshold": 1.0}, "Threshold is 1.0"),
        ({"model": "u-net"}, "Model 'u-net' is unknown"),
    ],
)
def test_wrong_arguments_are_errors(tiny_prepared, change, message):
    with pytest.raises(InputError, match=message):
        screen(**({"checkpoints": ["x.h5"], "cases": tiny_prepared} | change))


def test_cases_without_mask_or_without_any_lesion_are_errors(tmp_path, tiny_prepared, monkeypatch):
    case = tiny_prepared[0]
    monkeypatch.setitem(case.record, "lesion_voxels", None)
    alone = PreparedCohort([case], folder=tiny_prepared.folder, preparation=tiny_prepared.preparation)
    with pytest.raises(InputError, match="Cases without a mask: ras"):
        screen(["x.h5"], alone)
    monkeypatch.setitem(case.record, "lesion_voxels", [0] * case.shape[0])
    with pytest.raises(InputError, match="None of the 1 cases"):
        screen(["x.h5"], alone)
