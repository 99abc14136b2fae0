"""Tables of uncertainty: what stands in them, where they stand, and what they leave out."""
import numpy as np
import pandas as pd
import pytest

from mstl.data.cohort import Case, Cohort
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.calibration import brier_score, calibration_error, error_detection, reliability
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.maps import ENTROPY, MUTUAL_INFORMATION, PROBABILITY
from mstl.evaluation.uncertainty import RunningUncertainty
from mstl.evaluation.uncertainty_scores import (
    CALIBRATION_COLUMNS,
    MEASURES,
    RULES,
    UNCERTAINTY_COLUMNS,
    calibration_path,
    read_uncertainty,
    uncertainty_path,
    uncertainty_summary,
)
from mstl.files import write_json

SHAPE, AFFINE = (9, 8, 7), np.diag([1.0, 2.0, 2.0, 1.0])  # voxels of 0.004 ml


def samples(seed, classes=2):
    """Probabilities of four networks inside of a box of brain, `(4, i, j, k, classes)`; outside all is background."""
    soft = np.random.default_rng(seed).dirichlet(np.ones(classes), (4, *SHAPE)).astype(np.float32)
    soft[:, :2], soft[:, :2, ..., 0] = 0, 1
    return soft


def write_case(folder, name, seed, *, interval=(0.0, 99.0), classes=2):
    """A case's reference, prediction, maps of four networks and .json; returns the case and its uncertainty."""
    running = RunningUncertainty()
    for soft in samples(seed, classes):
        running.add(soft if classes > 2 else soft[..., 1:])
    found, out = running.result(), folder / "predictions"
    labels = () if classes == 2 else tuple(range(1, classes))
    mask = found.mean.argmax(-1) if labels else found.mean[..., 0] >= 0.5
    reference = np.where(np.arange(SHAPE[0])[:, None, None] > 4, mask, 0).astype(np.uint8)
    maps = {PROBABILITY: found.mean if labels else found.mean[..., 0], ENTROPY: found.entropy,
            MUTUAL_INFORMATION: found.mutual_information, "_prediction.nii.gz": mask.astype(np.uint8)}  # fmt: skip
    for ending, data in maps.items():
        write_volume(out / f"{name}{ending}", data, AFFINE)
    write_volume(folder / f"{name}.nii.gz", reference, AFFINE)
    write_json(out / f"{name}.json", {"samples": 4, "lesion_ml_interval": interval, "labels": labels})
    case = Case(name, images={"flair": "f.nii.gz"}, mask=folder / f"{name}.nii.gz")
    return case, found, reference


@pytest.fixture
def scored(tmp_path):
    """Function that evaluates cases of the folder and gives the path of their scores."""

    def score(*cases, **options):
        evaluate(tmp_path / "predictions", Cohort(cases), out=tmp_path / "scores.csv", **options)
        return tmp_path / "scores.csv"

    return score


def test_a_case_has_a_row_measured_in_the_brain_alone(scored, tmp_path):
    case, found, reference = write_case(tmp_path, "007", 0)
    rows, bins = read_uncertainty(scored(case))
    assert tuple(rows.columns) == UNCERTAINTY_COLUMNS
    row, brain = rows.loc[0], (slice(2, None),)
    lesion, mask = found.mean[brain][..., 0], found.mean[..., 0] >= 0.5
    table = reliability(lesion, reference[brain])
    wrong = (mask != reference.astype(bool))[brain]
    assert row["brain_voxels"] == lesion.size
    assert row["ece"] == pytest.approx(calibration_error(table))
    assert row["brier"] == pytest.approx(brier_score(lesion, reference[brain]))
    for name, uncertainty in (("entropy", found.entropy), ("information", found.mutual_information)):
        expected = error_detection(uncertainty[brain], wrong)
        assert row[[f"{name}_auroc", f"{name}_correlation"]].tolist() == pytest.approx(expected)
    assert row["reference_ml"] == pytest.approx(reference.sum() * 0.004)
    assert tuple(bins.columns) == CALIBRATION_COLUMNS
    pd.testing.assert_frame_equal(bins.iloc[:, 3:], table, check_dtype=False)
    assert (rows.loc[0, "case"], bins.loc[0, "case"]) == ("007", "007")


def test_whether_the_reference_is_in_the_interval_is_told_to_half_a_voxel(scored, tmp_path):
    volume = write_case(tmp_path, "x", 0)[2].sum() * 0.004
    intervals = {"in": (0, 9), "on": (volume, volume + 1e-9), "near": (volume + 0.0019, 9), "off": (volume + 0.003, 9)}
    cases = [write_case(tmp_path, name, 0, interval=ends)[0] for name, ends in intervals.items()]
    rows, bins = read_uncertainty(scored(*cases))
    assert rows["reference_inside"].tolist() == [1, 1, 1, 0]
    assert rows.loc[0, ["low_ml", "high_ml"]].tolist() == [0, 9]
    summary = uncertainty_summary(rows, bins)
    assert (summary["inside"], summary["intervals"], summary["cases"]) == (3, 4, 4)
    assert summary["ece"] == pytest.approx(rows.loc[0, "ece"])


def test_cases_without_maps_are_left_out_and_cases_without_a_record_have_no_interval(scored, tmp_path):
    cases = [write_case(tmp_path, name, seed)[0] for seed, name in enumerate("abc")]
    (tmp_path / "predictions" / f"b{ENTROPY}").unlink()
    (tmp_path / "predictions" / "c.json").unlink()
    rows, bins = read_uncertainty(scored(*cases))
    assert rows["case"].tolist() == ["a", "c"]
    assert rows.loc[1, ["samples", "low_ml", "reference_inside"]].isna().all()
    assert uncertainty_summary(rows, bins)["intervals"] == 1


def test_several_classes_are_calibrated_as_lesion_or_not_and_wrong_in_their_label(scored, tmp_path):
    case, found, reference = write_case(tmp_path, "a", 0, classes=4)
    row = read_uncertainty(scored(case))[0].loc[0]
    lesion = 1 - found.mean[2:, ..., 0]
    assert row["brier"] == pytest.approx(brier_score(lesion, reference[2:] > 0))
    wrong = found.mean[2:].argmax(-1) != reference[2:]
    assert row["entropy_auroc"] == pytest.approx(error_detection(found.entropy[2:], wrong)[0])
    binary = read_uncertainty(scored(case, binarise_masks=True))[0].loc[0]
    assert binary["brier"] == row["brier"]


def test_tables_of_an_earlier_evaluation_do_not_stay_where_there_are_no_maps_now(scored, tmp_path):
    case = write_case(tmp_path, "a", 0)[0]
    path = scored(case)
    assert uncertainty_path(path).read_text().splitlines()[: len(RULES)] == [f"# {line}" for line in RULES]
    (tmp_path / "predictions" / f"a{ENTROPY}").unlink()
    scored(case)
    assert read_uncertainty(path) is None
    assert not calibration_path(path).exists()


def test_a_map_of_another_prediction_is_refused(scored, tmp_path):
    case = write_case(tmp_path, "a", 0)[0]
    write_volume(tmp_path / "predictions" / f"a{ENTROPY}", np.ones((2, 3, 4), np.float32), AFFINE)
    with pytest.raises(InputError, match=r"map of case a has shape \(2, 3, 4\), its mask \(9, 8, 7\)"):
        scored(case)


def test_a_table_without_its_bins_is_refused(scored, tmp_path):
    path = scored(write_case(tmp_path, "a", 0)[0])
    calibration_path(path).unlink()
    with pytest.raises(InputError, match=r"scores_calibration\.csv does not exist"):
        read_uncertainty(path)


def test_every_measure_is_in_the_row(scored, tmp_path):
    rows = read_uncertainty(scored(write_case(tmp_path, "a", 0)[0]))[0]
    assert rows[list(MEASURES)].notna().all(axis=None)
