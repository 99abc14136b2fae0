"""`mstl agreement`, as a person types it."""
import pytest

from mstl.evaluation.scores import read_scores
from tests.trees import plant_isbi


@pytest.fixture
def isbi(tmp_path):
    plant_isbi(tmp_path / "data")
    return tmp_path


def test_a_row_a_case_and_both_means_are_shown_and_written(mstl, isbi):
    out = isbi / "agreement.csv"
    code, output, errors = mstl("agreement", isbi / "data", "--layout", "isbi2015", "--out", out)
    assert (code, errors) == (0, "")
    scores = read_scores(out)
    dice = scores["dice"].mean()
    assert f"Raters 1 and 2: mean Dice {dice:.3f} over 2 cases in which one of them marked something; 0 that" in output
    assert f"All cases pooled: Dice {dice:.3f}; mean with the background" in output
    assert "training01_02" in output
    assert "agreement_pooled.csv" in output


def test_classes_are_named(mstl, isbi):
    _, output, _ = mstl(
        "agreement", isbi / "data", "--layout", "isbi2015", "--raters", "2,1", "--labels", "1,2",
        "--out", isbi / "agreement.csv",
    )  # fmt: skip
    assert "(label 1), nan (label 2)" in output


def test_an_unknown_rater_is_one_line(mstl, isbi):
    code, _, errors = mstl("agreement", isbi / "data", "--layout", "isbi2015", "--raters", "1,7")
    assert (code, errors.count("\n")) == (1, 1)
    assert "No mask by rater '7' is here" in errors
