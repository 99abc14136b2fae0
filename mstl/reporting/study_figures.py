"""Figures of a study: each patient by every strategy with intervals, and scores over numbers of labelled subjects."""
from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mstl.colours import BLUE, GREY, VERMILION
from mstl.evaluation.comparison import Comparison
from mstl.evaluation.learning_curve import LearningCurve
from mstl.reporting.figures import INK, plain, tidy
from mstl.reporting.study_results import StudyResults

COLOURS = {"better": BLUE, "worse": VERMILION}  # of a comparison with the twin; others are grey
WORDS = {"no evidence": "no evidence of a difference", "mixed": "ranks and mean disagree"}
ROW_INCHES, FRAME_INCHES = 0.52, 1.05
SPREAD, GOLDEN = 0.30, 0.618034  # of dots around their row, so that patients do not hide each other
LETTERS = 24  # of a line of a name
COLUMNS = 4  # panels of learning curves beside each other
MORE_SHOWN = 1.25  # times the largest size


def patient_dots(results: StudyResults, size: int) -> Figure:
    """A row a strategy, best first: the score of each patient and its difference to the twin, means and intervals.

    Thick lines are 95 % intervals for new patients, thin ones with ends for newly trained networks too. Blue is shown
    to be better than the twin, vermilion worse.
    """
    names = results.ranked(size)
    figure = Figure(figsize=(11, FRAME_INCHES + ROW_INCHES * len(names)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1.15))
    tidy(left, title=f"{results.name} of each patient")
    tidy(right, title="Difference to the twin")
    right.axvline(0, color=INK, lw=1)
    for row, name in enumerate(names):
        one = results.against_twin(name, size)
        colour = COLOURS.get(one.verdict, GREY) if one else GREY
        _row(left, row, results.patients[name, size].to_numpy(), colour)
        mean = results.mean(name, size)
        _mark(left, row, mean["mean"], (mean["low"], mean["high"]))
        if one is None or one.verdict == "not compared":
            words = "no twin: nothing to compare with" if not results.twins.get(name) else "not compared"
            right.annotate(words, (0, row), xytext=(8, 0), textcoords="offset points", va="center", fontsize=9,
                           color=INK)
        else:
            _row(right, row, results.differences(name, size), colour)
            _thin(right, row, one.interval_trained_anew)
            _mark(right, row, one.difference, one.interval)
    _frame(left, right, names, results, size)
    return figure


def _frame(left: Axes, right: Axes, names: Sequence[str], results: StudyResults, size: int) -> None:
    left.set_yticks(range(len(names)), labels=[_label(name) for name in names])
    left.set_ylim(len(names) - 0.4, -0.6)
    right.tick_params(left=False, labelleft=False)
    left.set_xlim(*_range(results))
    reach = max(abs(limit) for limit in right.get_xlim())
    right.set_xlim(-reach, reach)
    for row, name in enumerate(names):
        one = results.against_twin(name, size)
        if one is not None:
            words = WORDS.get(one.verdict, one.verdict)
            right.text(1.01, row, plain(f"{words} than {one.b}" if one.verdict in COLOURS else words), fontsize=9,
                       va="center", color=INK, transform=right.get_yaxis_transform())
    better = "lower is better" if results.lower_is_better else "higher is better"
    left.set_xlabel(f"{results.name}, {better}", color=INK)
    right.set_xlabel(f"{results.name} of the strategy less that of its twin", color=INK)


def _range(results: StudyResults) -> tuple[float, float]:
    """From the worst to the best patient of the study, the same for figures of all sizes."""
    low = min(values.min() for values in results.patients.values())
    high = max(values.max() for values in results.patients.values())
    margin = 0.05 * (high - low) or 0.05
    return float(low - margin), float(high + margin)


def _row(axes: Axes, row: int, values: np.ndarray, colour: str) -> None:
    """A dot a patient, a little above or below their row."""
    offsets = (np.arange(len(values)) * GOLDEN % 1 - 0.5) * 2 * SPREAD
    order = np.argsort(values, kind="stable")
    axes.plot(values[order], row + offsets, "o", color=colour, ms=4.2, alpha=0.5, mew=0)


def _mark(axes: Axes, row: int, mean: float, interval: tuple[float, float]) -> None:
    if not np.isnan(interval[0]):
        axes.plot(interval, [row, row], color=INK, lw=3, solid_capstyle="butt", zorder=4)
    axes.plot([mean], [row], "D", color=INK, ms=6, zorder=5, mec="white", mew=0.8)


def _thin(axes: Axes, row: int, interval: tuple[float, float]) -> None:
    if not np.isnan(interval[0]):
        axes.plot(interval, [row, row], color=INK, lw=1, marker="|", ms=9, zorder=3)


def size_curves(results: StudyResults) -> Figure | None:
    """A panel a strategy: mean score over numbers of labelled subjects, and the fitted curve with its 95 % band.

    That of the twin is dashed in grey behind it. A curve whose expected gain is unreliable is dotted. None where no
    strategy has two sizes.
    """
    names = [name for name in results.ranked(results.size) if len(results.curve(name).sizes) > 1]
    if not names:
        return None
    columns = min(COLUMNS, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(11, 2.75 * lines + 0.2), layout="constrained")
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, names, strict=False):
        tidy(axes, title=_label(name))
        twin = results.twins.get(name)
        if twin:
            _measured(axes, results, twin, color=GREY, ls=(0, (4, 1.5)), lw=1.2, marker="", label=f"twin {twin}")
        _fitted(axes, results, results.curve(name))
        _measured(axes, results, name, color=INK, ls="", marker="o", ms=5.5, label="measured")
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best", handlelength=1.8)
    for axes in grid.flat[len(names):]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(f"Mean {results.name}", color=INK)
    for axes in grid[-1]:
        axes.set_xlabel("Labelled subjects", color=INK)
    grid[0, 0].set_xticks(results.sizes)
    return figure


def _label(name: str) -> str:
    """A strategy's name as it stands in a figure, a long one in several lines."""
    return plain("\n".join(textwrap.wrap(name, LETTERS)))


def _measured(axes: Axes, results: StudyResults, name: str, *, label: str, **look) -> None:
    """Means over all patients of a strategy, with intervals where the look is one of points."""
    rows = results.means[results.means["strategy"] == name].sort_values("size")
    axes.plot(rows["size"], rows["mean"], label=plain(label), zorder=4, **look)
    if look["marker"]:
        for row in rows[rows["low"].notna()].itertuples():
            axes.plot([row.size, row.size], [row.low, row.high], color=INK, lw=1.1, zorder=3)


def _fitted(axes: Axes, results: StudyResults, curve: LearningCurve) -> None:
    if np.isnan(curve.end):
        return
    sizes = np.linspace(curve.sizes[0], max(curve.sizes[-1] * MORE_SHOWN, curve.sizes[-1] + 1), 60)
    found: pd.DataFrame = curve.at(sizes.tolist())
    colour = BLUE if curve.reliable else GREY
    label = "curve" if curve.reliable else "curve, unreliable"
    if found["low"].notna().all():
        axes.fill_between(found["size"], found["low"], found["high"], color=colour, alpha=0.18, lw=0)
    axes.plot(found["size"], found["value"], color=colour, lw=1.8, ls="-" if curve.reliable else ":", label=label)


def verdict_class(one: Comparison | None) -> str:
    """How a page marks a comparison: "better", "worse" or "open"; "" where there is none."""
    return "" if one is None else one.verdict if one.verdict in COLOURS else "open"
