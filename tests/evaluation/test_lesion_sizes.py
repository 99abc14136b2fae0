"""Lesions found by size: which stratum they belong to, what counts as found, and sums over patients."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from mstl.errors import InputError
from mstl.evaluation import lesion_sizes
from mstl.evaluation.lesion_sizes import detection_summary, kept_lesion_table, lesion_table, lesions_by_size
from mstl.evaluation.scores import score_case
from mstl.files import write_text
from tests.studies import study_cohort, write_study

LABELLED = arrays(bool, (5, 6, 4))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return study_cohort(tmp_path_factory.mktemp("scans"), patients=4)


@pytest.fixture(scope="module")
def study(tmp_path_factory, cohort):
    return write_study(tmp_path_factory.mktemp("study"), patients=4, sizes=(1,), seeds=1, cohort=cohort)


def test_lesions_are_sorted_into_strata_by_their_volume():
    reference = np.zeros((20, 20, 20), bool)
    reference[0, 0, 0] = True  # 0.01 ml
    reference[4, 4, 4:9] = True  # 0.05 ml: a limit belongs to the stratum above it
    reference[10:14, 10:14, 10:14] = True  # 0.64 ml
    prediction = np.zeros_like(reference)
    prediction[4, 4, 8] = True
    assert lesions_by_size(prediction, reference, voxel_ml=0.01) == [(1, 0), (1, 1), (1, 0)]


def test_lesions_that_touch_by_a_corner_are_one():
    reference = np.zeros((4, 4, 4), bool)
    reference[0, 0, 0] = reference[1, 1, 1] = True
    assert lesions_by_size(reference, reference, voxel_ml=0.001) == [(1, 1), (0, 0), (0, 0)]


def test_an_empty_reference_has_no_lesions():
    empty = np.zeros((3, 3, 3), bool)
    assert lesions_by_size(~empty, empty, voxel_ml=1) == [(0, 0), (0, 0), (0, 0)]


@given(LABELLED, LABELLED)
@settings(max_examples=25, deadline=None)
def test_strata_together_are_the_lesions_of_the_scores(prediction, reference):
    counts = np.array(lesions_by_size(prediction, reference, voxel_ml=0.02)).sum(axis=0)
    scores = score_case(prediction, reference, spacing=(1, 1, 1))
    assert counts[0] == scores["reference_lesions"]
    if counts[0]:
        assert counts[1] / counts[0] == pytest.approx(scores["lesion_sensitivity"])


def test_predictions_of_a_study_are_counted_against_the_masks(study, cohort):
    place = study / "jobs" / "scratch" / "1" / "0-0" / "predictions"
    found = lesion_table(place, [case for case in cohort if case.subject in ("p00", "p02")])
    assert found.groupby("stratum")[["lesions", "detected"]].sum().to_numpy().tolist() == [[2, 0], [0, 0], [2, 2]]


def test_a_table_is_kept_until_the_scores_change(study, cohort, monkeypatch):
    place = study / "jobs" / "tumour" / "1" / "1-0"
    cases = [case for case in cohort if case.subject in ("p01", "p03")]
    first = kept_lesion_table(place / "scores.csv", place / "predictions", cases)
    monkeypatch.setattr(lesion_sizes, "lesion_table", lambda *args, **options: pytest.fail("counted anew"))
    pd.testing.assert_frame_equal(kept_lesion_table(place / "scores.csv", place / "predictions", []), first)
    write_text(place / "scores.csv", (place / "scores.csv").read_text() + "# changed\n")
    with pytest.raises(pytest.fail.Exception, match="counted anew"):
        kept_lesion_table(place / "scores.csv", place / "predictions", cases)


def table(*rows):
    return pd.DataFrame(rows, columns=["case", "subject", "stratum", "lesions", "detected"])


def test_trainings_are_averaged_and_lesions_are_summed_over_patients():
    one = table(("a", "a", 0, 4, 4), ("b", "b", 0, 1, 0), ("c", "c", 0, 5, 5))
    other = one.assign(detected=[2, 0, 5])
    found = detection_summary([one, other]).iloc[0]
    assert (found["patients"], found["lesions"]) == (3, 10)
    assert found["detected"] == pytest.approx(0.8)
    assert found["low"] <= found["detected"] <= found["high"]


def test_a_stratum_without_lesions_has_no_share_and_of_two_patients_there_is_no_interval():
    found = detection_summary([table(("a", "a", 0, 2, 1), ("b", "b", 0, 1, 1), ("a", "a", 1, 0, 0))])
    assert found["patients"].tolist() == [2, 0]
    assert np.isnan(found["low"]).all()
    assert np.isnan(found["detected"].iloc[1])


def test_no_table_is_refused():
    with pytest.raises(InputError, match="no table of lesions"):
        detection_summary([])
