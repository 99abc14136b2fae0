"""Figures of a run beside its twin."""
import pandas as pd
import pytest

from mstl.reporting.figures import to_svg
from mstl.reporting.twin_figures import NAMED_ROWS, dice_curves, paired_dice


def history(*dice):
    return pd.DataFrame({"epoch": range(1, len(dice) + 1), "val_dice": dice})


def patients(count):
    ours, theirs = pd.Series(range(count)) / count, pd.Series(range(count)) / count - 0.1
    names = [f"p${number}" for number in range(count)]
    return pd.DataFrame({"patient": names, "run": ours, "twin": theirs, "difference": ours - theirs})


def test_both_curves_are_drawn_and_the_best_of_each_is_marked():
    axes = dice_curves(history(0.1, 0.4, 0.3), history(0.2, 0.1)).axes[0]
    lines = {(*line.get_xdata(),): (*line.get_ydata(),) for line in axes.get_lines()}
    assert lines == {(1, 2, 3): (0.1, 0.4, 0.3), (2,): (0.4,), (1, 2): (0.2, 0.1), (1,): (0.2,)}
    assert axes.get_ylim()[0] == 0


def test_without_validation_there_is_no_curve():
    bare = pd.DataFrame({"epoch": [1], "loss": [0.5]})
    assert dice_curves(bare, bare) is None
    assert len(dice_curves(history(0.1), bare).axes[0].get_lines()) == 2


def test_each_patient_has_a_row_with_both_dice_and_their_difference():
    left, right = paired_dice(patients(3)).axes
    assert [label.get_text() for label in left.get_yticklabels()] == [r"p\$0", r"p\$1", r"p\$2"]
    assert sorted(len(line.get_xdata()) for line in left.get_lines()) == [3, 3]
    assert [bar.get_width() for bar in right.patches] == pytest.approx([0.1] * 3)
    assert right.get_title("right") == "mean +0.100"
    low, high = right.get_xlim()
    assert low == -high


def test_very_many_patients_are_drawn_closer_without_their_names():
    few, many = paired_dice(patients(NAMED_ROWS)), paired_dice(patients(3 * NAMED_ROWS))
    assert many.get_figheight() == few.get_figheight()
    assert not many.axes[0].get_yticklabels()
    assert "<svg" in to_svg(many)
