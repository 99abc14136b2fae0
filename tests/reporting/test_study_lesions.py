"""Lesion sizes on the page of a study: shares by strategy, from predictions or from what was kept."""
import shutil

import pandas as pd
import pytest

from mstl.data.cohort import Cohort
from mstl.errors import InputError
from mstl.reporting.study_files import StudyFiles
from mstl.reporting.study_lesions import false_lesions, lesion_section
from tests.studies import study_cohort, write_study

NAMES = ["tumour", "scratch"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return study_cohort(tmp_path_factory.mktemp("scans"), patients=4)


@pytest.fixture
def files(tmp_path, cohort):
    return StudyFiles.open(write_study(tmp_path, patients=4, sizes=(1,), seeds=1, cohort=cohort))


def test_small_lesions_that_a_strategy_misses_are_seen(files, cohort):
    found = lesion_section(files, NAMES, size=1, cohort=cohort)
    assert found["strata"] == ["below 0.05 ml", "0.05 to 0.5 ml", "0.5 ml and more"]
    shares = {row["strategy"]: [cell["detected"] for cell in row["cells"]] for row in found["rows"]}
    assert shares["scratch"] == [0, None, 1]
    assert shares["tumour"][2] == 1
    assert [(cell["lesions"], cell["patients"]) for cell in found["totals"]] == [(4, 4), (0, 0), (4, 4)]


def test_what_was_counted_is_known_without_scans_and_predictions(files, cohort):
    first = lesion_section(files, NAMES, size=1, cohort=cohort)
    for job in files.jobs:
        shutil.rmtree(job.predictions)
    assert lesion_section(files, NAMES, size=1) == first


def test_without_cohort_or_predictions_nothing_is_said(files, cohort, tmp_path):
    assert lesion_section(files, NAMES, size=1) is None
    bare = StudyFiles.open(write_study(tmp_path / "bare", patients=4, sizes=(1,)))
    assert lesion_section(bare, NAMES, size=1, cohort=cohort) is None


def test_a_cohort_without_a_tested_case_is_refused(files, cohort):
    with pytest.raises(InputError, match="is not in the cohort"):
        lesion_section(files, NAMES, size=1, cohort=Cohort(list(cohort)[1:]))


def test_false_lesions_are_counted_and_none_are_false_where_none_is_predicted():
    nan = float("nan")
    frame = pd.DataFrame({"strategy": "a", "size": 5, "predicted_lesions": [10, 4, 0],
                          "lesion_false_discovery": [0.8, 0.25, nan]})  # fmt: skip
    assert false_lesions(frame, "a", 5) == pytest.approx(3)
    assert false_lesions(frame, "b", 5) is None
    assert false_lesions(frame.drop(columns="predicted_lesions"), "a", 5) is None
