"""Figures of a run beside its twin: validation Dice over the epochs, Dice of each patient by both."""
from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mstl.colours import BLUE, GREY, VERMILION
from mstl.reporting.curves import best_epoch
from mstl.reporting.figures import INK, plain, tidy

RUN = {"label": "this run", "color": VERMILION, "ls": "-", "lw": 1.9, "marker": "o"}
TWIN = {"label": "twin from scratch", "color": BLUE, "ls": (0, (4, 1.5)), "lw": 1.6, "marker": "D"}
ROW_INCHES, FRAME_INCHES = 0.27, 1.0
NAMED_ROWS = 60  # more are drawn closer together, without their names


def dice_curves(ours: pd.DataFrame, theirs: pd.DataFrame) -> Figure | None:
    """Validation Dice of a run and of its twin over the epochs, the best of each marked; None where neither has any.

    Both are histories with the columns epoch and, with validation, val_dice.
    """
    seen = [(history, look) for history, look in ((ours, RUN), (theirs, TWIN)) if best_epoch(history)]
    if not seen:
        return None
    figure = Figure(figsize=(11, 3.2), layout="constrained")
    axes = figure.subplots()
    tidy(axes, title="Validation Dice")
    axes.set_xlabel("Epoch", color=INK)
    for history, look in seen:
        axes.plot(history["epoch"], history["val_dice"], **{**look, "marker": ""})
        axes.plot(*best_epoch(history), look["marker"], color=look["color"], ms=6.5, zorder=5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)
    _legend(figure, axes)
    return figure


def paired_dice(patients: pd.DataFrame) -> Figure:
    """A row a patient: Dice by the run and by its twin as two dots, and their difference beside them.

    `patients` has the columns patient, run, twin and difference; rows are drawn in its order from above.
    """
    count = len(patients)
    figure = Figure(figsize=(11, FRAME_INCHES + ROW_INCHES * min(count, NAMED_ROWS)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    rows = range(count)
    left.hlines(rows, patients["run"], patients["twin"], color=GREY, lw=1.4, zorder=1)
    for look, column in ((TWIN, "twin"), (RUN, "run")):
        left.plot(patients[column], rows, look["marker"], color=look["color"], label=look["label"], ms=6.5, ls="")
    left.set_xlim(-0.02, 1.02)
    tidy(left, title="Dice")
    _differences(right, patients["difference"])
    names = [plain(str(name)) for name in patients["patient"]] if count <= NAMED_ROWS else []
    left.set_yticks(rows if names else [], labels=names)
    right.tick_params(left=False, labelleft=False)
    left.set_ylim(count - 0.4, -0.6)
    _legend(figure, left)
    return figure


def _differences(axes: Axes, difference: pd.Series) -> None:
    """Bars from zero to each difference, and a line at their mean; the axis reaches as far to either side."""
    colours = [VERMILION if value > 0 else BLUE for value in difference]
    axes.barh(range(len(difference)), difference, height=0.55, color=colours, alpha=0.75, lw=0)
    mean = difference.mean()
    axes.axvline(0, color=INK, lw=1)
    axes.axvline(mean, color=INK, lw=1.2, ls=":")
    reach = 1.15 * max(difference.abs().max(), 0.02)
    axes.set_xlim(-reach, reach)
    tidy(axes, title="Run minus twin")
    axes.set_title(f"mean {mean:+.3f}", loc="right", fontsize=9, color=INK)


def _legend(figure: Figure, axes: Axes) -> None:
    lines, names = axes.get_legend_handles_labels()
    figure.legend(lines, names, loc="outside right upper", frameon=False, labelcolor=INK, fontsize=9)
