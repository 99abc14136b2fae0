"""Cases of a study that are shown: the worst and best, each once, with the predictions of both strategies."""
import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.volume import read_grid
from mstl.reporting import study_cases
from mstl.reporting.cases import ShownCase
from mstl.reporting.study_cases import case_sheets, picked_cases
from mstl.reporting.study_files import StudyFiles
from mstl.reporting.study_results import study_results
from tests.studies import TWINS, study_cohort, write_study
from tests.study_frames import pairs_frame


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return study_cohort(tmp_path_factory.mktemp("scans"), patients=4)


@pytest.fixture(scope="module")
def files(tmp_path_factory, cohort):
    return StudyFiles.open(write_study(tmp_path_factory.mktemp("study"), patients=4, sizes=(1,), cohort=cohort))


@pytest.fixture(scope="module")
def results(files):
    return study_results(files.scores, twins=TWINS)


def cohort_grid(cohort):
    return read_grid(cohort[0].mask)


def picked(score="dice"):
    frame = pairs_frame([0.9, 0.2, 0.5, 0.6], [0.1, 0.3, 0.8, 0.6]).rename(columns={"dice": score})
    found = picked_cases(frame, study_results(frame, twins={"a": "b"}, score=score), ["a", "b"])
    return {one.case: one.reasons for one in found}


def test_the_worst_and_best_cases_of_both_are_picked_each_once():
    assert picked() == {"p001": ("worst case of a",), "p000": ("worst case of b", "best case of a"),
                        "p002": ("best case of b",)}  # fmt: skip


def test_of_distances_the_largest_is_the_worst():
    assert picked("surface_distance_mm")["p001"] == ("best case of a",)


def test_each_sheet_tells_why_and_has_both_strategies(files, results, cohort):
    sheets = case_sheets(files, results, cohort=cohort)
    assert 1 < len(sheets) <= 4
    assert "worst case of tumour" in sheets[0]["title"]
    assert sheets[0]["picture"].startswith("data:image/png;base64,")
    assert sheets[0]["alt"].endswith("Outlines of the reference and of tumour and scratch")
    assert sheets[0]["scores"].startswith("Dice tumour 0.")


def test_rows_are_the_plain_image_then_a_strategy_each(files, results, cohort, monkeypatch):
    drawn = []
    sheet = study_cases.sheet
    monkeypatch.setattr(study_cases, "sheet", lambda rows, **looks: drawn.append(rows) or sheet(rows, **looks))
    case_sheets(files, results, cohort=cohort)
    assert [name for name, _, _ in drawn[0]] == ["", "tumour", "scratch"]
    assert [len(outlines) for _, _, outlines in drawn[0]] == [0, 2, 2]


def test_pictures_have_a_panel_a_strategy_beside_the_plain_one(files, results, cohort, monkeypatch):
    image, mask = np.ones((1, 12, 16), np.float32), np.zeros((1, 12, 16), bool)
    mask[0, 3:6, 4:8] = True
    shown = ShownCase("eye", "oct", image, mask, mask, None, cohort_grid(cohort), is_picture=True)
    monkeypatch.setattr(study_cases, "read_case", lambda case, predictions: shown)
    drawn = []
    sheet = study_cases.sheet
    monkeypatch.setattr(study_cases, "sheet", lambda rows, **looks: drawn.append(rows) or sheet(rows, **looks))
    case_sheets(files, results, cohort=cohort)
    (_, panels, outlines), = drawn[0]
    assert len(panels) == 3
    assert [one.any(axis=(1, 2)).tolist() for one, _ in outlines] == 2 * [[False, True, False]] + 2 * [
        [False, False, True]
    ]


def test_cases_that_the_cohort_or_the_predictions_lack_are_left_out(files, results, cohort, tmp_path):
    worst = picked_cases(files.scores, results, ["tumour", "scratch"])[0].case
    one = Cohort([case for case in cohort if case.name == worst])
    assert [sheet["title"].partition(":")[0] for sheet in case_sheets(files, results, cohort=one)] == [worst]
    bare = StudyFiles.open(write_study(tmp_path, patients=4, sizes=(1,)))
    assert case_sheets(bare, results, cohort=cohort) == []
