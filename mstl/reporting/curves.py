"""Learning curves: loss, Dice and learning rate over the epochs of a training."""
from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mstl.colours import VERMILION
from mstl.reporting.figures import INK, TRAINING, VALIDATION, tidy

DIVERGENCE = {"color": INK, "lw": 1.4, "ls": ":", "label": "weighted divergence"}
MINIMUM = {"color": TRAINING["color"], "ls": "", "marker": "v", "ms": 6, "label": "weights kept"}


def learning_curves(history: pd.DataFrame, *, minima: Sequence[int] = ()) -> Figure:
    """Loss, Dice and learning rate over the epochs; the epoch of the best validation Dice is marked.

    `history` has the columns epoch, loss, dice, learning_rate and, with validation, val_loss and val_dice; absent
    columns are left out. Of a training with a prior of its weights the loss is shown by its terms, on a logarithmic
    axis: `data`, which validation has too, and `kl_weight` times `kl`. `minima` are epochs at which a learning rate
    with restarts was lowest.
    """
    figure = Figure(figsize=(11, 3.0), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, name, label in zip(panels, ("loss", "dice", "learning_rate"), ("Loss", "Dice", "Learning rate"),
                                 strict=True):
        tidy(axes, title=label)
        axes.set_xlabel("Epoch", color=INK)
        shown = "data" if name == "loss" and "data" in history else name
        for column, style in ((shown, TRAINING), (f"val_{name}", VALIDATION)):
            if column in history:
                marker = "o" if len(history) < 3 else None
                axes.plot(history["epoch"], history[column], marker=marker, ms=4, **style)
        axes.xaxis.get_major_locator().set_params(integer=True)
    panels[1].set_ylim(0, 1)
    _rate_axis(panels[2], history.get("learning_rate", pd.Series(dtype=float)))
    _add_divergence(panels[0], history)
    panels[0].legend(loc="best" if "kl" in history else "upper right", frameon=False, labelcolor=INK, fontsize=9)
    _mark_best(panels, history)
    _mark_minima(panels[2], history, minima)
    return figure


def minima_of(experiment: Mapping, history: pd.DataFrame) -> list[int]:
    """Epochs (from 1) that ended a cycle of the learning rate so far; none where it never starts anew."""
    cycles = 1 + experiment.get("restarts", 0)
    if cycles == 1:
        return []
    length = experiment["epochs"] // cycles
    return list(range(length, int(history["epoch"].max()) + 1, length))


def best_epoch(history: pd.DataFrame) -> tuple[int, float] | None:
    """Epoch of the highest validation Dice and that Dice; None where no epoch was validated."""
    if "val_dice" not in history or not history["val_dice"].notna().any():
        return None
    row = history.loc[history["val_dice"].idxmax()]
    return int(row["epoch"]), float(row["val_dice"])


def _rate_axis(axes: Axes, rates: pd.Series) -> None:
    """Log axis where the rate falls to a third or less; a few values that lie well apart become its ticks."""
    values = sorted(set(rates.dropna()))
    if values and values[0] > 0 and values[-1] > 3 * values[0]:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    apart = all(high > 1.5 * low for low, high in itertools.pairwise(values))
    if 0 < len(values) <= 5 and apart:
        axes.set_yticks(values, labels=[f"{value:.2g}".replace("e-0", "e-") for value in values])


def _add_divergence(axes: Axes, history: pd.DataFrame) -> None:
    """The other term of a loss that holds the divergence of the weights from their prior."""
    if "kl" in history:
        axes.plot(history["epoch"], history["kl_weight"] * history["kl"], **DIVERGENCE)
        axes.set_yscale("log")
        tidy(axes, title="Loss, by its terms")


def _mark_minima(axes: Axes, history: pd.DataFrame, minima: Sequence[int]) -> None:
    if not minima or "learning_rate" not in history:
        return
    lowest = history[history["epoch"].isin(minima)]
    marks = axes.plot(lowest["epoch"], lowest["learning_rate"], **MINIMUM)
    above = {"loc": "lower right", "bbox_to_anchor": (1, 0.97)}  # within the axes it would lie on the line
    axes.legend(handles=marks, **above, frameon=False, labelcolor=INK, fontsize=9, handletextpad=0)


def _mark_best(panels: Sequence[Axes], history: pd.DataFrame) -> None:
    best = best_epoch(history)
    if best is None:
        return
    epoch, dice = best
    for axes in panels:
        axes.axvline(epoch, color=INK, lw=0.9, ls=":", zorder=0)
    panels[1].plot(epoch, dice, "o", color=VERMILION, ms=6, zorder=5)
    late = epoch > (history["epoch"].min() + history["epoch"].max()) / 2
    panels[1].annotate(
        f"best {dice:.3f}, epoch {epoch}", (epoch, dice), xytext=(-8 if late else 8, 9),
        textcoords="offset points", ha="right" if late else "left", fontsize=9, color=INK,
    )
