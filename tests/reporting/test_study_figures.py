"""Figures of a study: a row a strategy, colours by verdict, curves that are marked where they are unreliable."""
import numpy as np
import pytest
from matplotlib.colors import to_hex

from mstl.colours import BLUE, GREY, VERMILION
from mstl.reporting.figures import to_svg
from mstl.reporting.study_figures import patient_dots, size_curves, verdict_class
from mstl.reporting.study_results import study_results
from tests.study_frames import study_frame

TWINS = {"scratch": None, "moved": "scratch", "locked": "scratch", "even": "scratch"}
GAINS = {"scratch": 0, "moved": 0.06, "locked": -0.06, "even": 0.001}


@pytest.fixture(scope="module")
def results():
    return study_results(study_frame(GAINS, patients=14), twins=TWINS)


def dots(axes):
    """Colour and number of the dots of each row."""
    lines = [line for line in axes.get_lines() if line.get_marker() == "o"]
    return [(to_hex(line.get_color()).upper(), len(line.get_xdata())) for line in lines]


def test_every_patient_is_a_dot_in_the_colour_of_the_verdict(results):
    left, right = patient_dots(results, 20).axes
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names == results.ranked(20)
    colours = dict(zip(names, dots(left), strict=True))
    assert colours["moved"] == (BLUE.upper(), 14)
    assert colours["locked"] == (VERMILION.upper(), 14)
    assert colours["scratch"][0] == GREY.upper()
    assert len(dots(right)) == 3


def test_the_axis_of_differences_reaches_as_far_to_either_side(results):
    _, right = patient_dots(results, 20).axes
    low, high = right.get_xlim()
    assert low == pytest.approx(-high)


def test_names_are_no_mathematics_and_verdicts_stand_beside():
    frame = study_frame({"scratch": 0, "a$b$": 0.06}, patients=14)
    text = to_svg(patient_dots(study_results(frame, twins={"a$b$": "scratch"}), 20))
    assert "a$b$" in text
    assert "better than scratch" in text
    assert "no twin" in text


def test_curves_have_a_panel_a_strategy_with_its_twin_behind(results):
    panels = [axes for axes in size_curves(results).axes if axes.get_title("left")]
    assert sorted(axes.get_title("left") for axes in panels) == sorted(GAINS)
    moved = next(axes for axes in panels if axes.get_title("left") == "moved")
    words = [text.get_text() for text in moved.get_legend().get_texts()]
    assert words == ["twin scratch", "curve", "measured"]


def test_an_unreliable_curve_is_dotted_and_said_to_be():
    found = study_results(study_frame({"scratch": 0, "moved": 0}, patients=5), twins=TWINS)
    axes = size_curves(found).axes[0]
    assert "curve, unreliable" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert ":" in [line.get_linestyle() for line in axes.get_lines()]


def test_two_sizes_are_drawn_without_a_curve_and_one_size_not_at_all():
    two = study_results(study_frame({"scratch": 0, "moved": 0.1}, sizes=(5, 10)), twins=TWINS)
    assert "curve" not in str([text.get_text() for text in size_curves(two).axes[0].get_legend().get_texts()])
    assert size_curves(study_results(study_frame({"scratch": 0}, sizes=(5,)), twins=TWINS)) is None


def test_a_strategy_without_a_case_in_common_with_its_twin_has_no_differences():
    frame = study_frame({"scratch": 0, "moved": 0.1}, sizes=(5,))
    apart = frame[frame["fold"] == np.where(frame["strategy"] == "moved", 1, 0)]
    found = study_results(apart, twins=TWINS)
    assert "not compared" in to_svg(patient_dots(found, 5))
    assert verdict_class(found.against_twin("moved", 5)) == "open"
    assert verdict_class(None) == ""


def test_long_names_are_set_in_several_lines():
    name = "pretrained-on-the-scans-of-another-scanner"
    found = study_results(study_frame({"scratch": 0, name: 0.1}, sizes=(5, 10)), twins={name: "scratch"})
    lines = size_curves(found).axes[0].get_title("left").split("\n")
    assert "".join(lines) == name
    assert max(map(len, lines)) <= 24
