"""The numbers of a study's page: means over patients, ranks, and the size that the answer is for."""
import numpy as np
import pytest

from mstl.reporting.study_results import study_results
from tests.study_frames import study_frame

TWINS = {"scratch": None, "moved": "scratch"}
FRAME = study_frame({"scratch": 0, "moved": 0.05}, sessions=2)


@pytest.fixture(scope="module")
def results():
    return study_results(FRAME, twins=TWINS)


def test_means_are_of_patients_over_their_sessions_and_trainings(results):
    rows = FRAME[(FRAME["strategy"] == "moved") & (FRAME["size"] == 10)]
    mean = results.mean("moved", 10)
    assert mean["mean"] == pytest.approx(rows.groupby("subject")["dice"].mean().mean())
    assert mean["patients"] == 12
    assert mean["low"] < mean["mean"] < mean["high"]
    assert results.mean("gone", 10) is None


def test_the_best_strategy_leads_and_is_compared_with_its_twin(results):
    assert results.best() == "moved"
    assert results.ranked(5) == ["moved", "scratch"]
    assert results.against_twin("moved", 20).verdict == "better"
    assert results.against_twin("scratch", 20) is None
    assert results.differences("moved", 20).mean() == pytest.approx(results.against_twin("moved", 20).difference)
    assert len(results.differences("scratch", 20)) == 0


def test_the_answer_is_for_the_largest_size_that_most_patients_were_tested_with(results):
    assert results.size == 20
    part = FRAME[(FRAME["size"] < 20) | (FRAME["fold"] == 0)]
    assert study_results(part, twins=TWINS).size == 10


def test_a_study_without_any_score_has_no_results():
    assert study_results(FRAME.iloc[:0], twins=TWINS) is None
    assert study_results(FRAME.assign(empty_reference=1), twins=TWINS) is None
    assert study_results(FRAME.assign(dice=np.nan), twins=TWINS) is None
