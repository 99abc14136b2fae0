"""Figures of a prior of kernels: kernels of trained networks beside samples of the prior, and how it was learned."""
from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mstl.models.kernel_prior import GroupPrior, KernelPrior
from mstl.reporting.figures import BLUE, INK, ORANGE, TRAINING, VALIDATION, VERMILION, tidy

ROWS, COLUMNS = 4, 14  # kernels of a group that are drawn
GAP = 1  # pixels between two kernels
SAMPLES = 256  # whose norms are compared
PER_ROW = 4  # panels of curves
COLOURS = "PuOr_r"  # negative, zero, positive; told apart with any vision


def kernel_sheet(prior: KernelPrior, *, seed: int = 0) -> Figure:
    """A row a group: central slices of networks' kernels, of samples of the prior, and the norms of both.

    Kernels `(3, 3, 3)` are shown by their middle `(3, 3)` slice, all of a group in one scale of colours around zero.
    The networks' kernels are the prior's `examples`, which it did not learn from. seed: of the samples.
    """
    count = len(prior.groups)
    figure = Figure(figsize=(12, 1.62 * count + 0.5), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    panels = figure.subplots(count, 3, squeeze=False, width_ratios=(5, 5, 2.2))
    for row, (name, group) in zip(panels, prior.groups.items(), strict=True):
        samples = prior.sample(name, SAMPLES, seed=seed)
        limit = _limit(group, samples)
        _draw_slices(row[0], group.examples, limit=limit)
        _draw_slices(row[1], samples, limit=limit)
        row[0].set_ylabel(name.replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=10, color=INK)
        _draw_norms(row[2], group.examples, samples)
    for axes, title in zip(panels[0], ("Kernels of networks", "Samples of the prior", "Norm of a kernel"), strict=True):
        axes.set_title(title, loc="left", fontsize=11, color=INK, weight="bold")
    panels[0][2].legend(frameon=False, labelcolor=INK, fontsize=8, handlelength=1.6, loc="upper right")
    return figure


def bound_curves(history: pd.DataFrame, groups: pd.DataFrame) -> Figure:
    """A panel a group: the bound of kernels trained on and held out over the epochs, beside a Gaussian's density.

    history: columns group, epoch, elbo, held_out_elbo; groups: group, best_epoch, held_out_elbo, gaussian.
    """
    rows = math.ceil(len(groups) / PER_ROW)
    figure = Figure(figsize=(12, 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, PER_ROW, squeeze=False).ravel()
    for axes, group in zip(panels, groups.to_dict("records"), strict=False):
        _draw_bound(axes, history[history["group"] == group["group"]], group)
    for axes in panels[len(groups) :]:
        axes.set_axis_off()
    panels[0].set_ylabel("nats a kernel", color=INK, fontsize=9)
    panels[0].legend(frameon=False, labelcolor=INK, fontsize=8, handlelength=2.6, loc="lower right")
    return figure


def _limit(group: GroupPrior, samples: np.ndarray) -> float:
    """The value of the strongest colour: few elements are beyond."""
    shown = group.examples if len(group.examples) else samples
    return float(np.quantile(np.abs(shown[:, 1]), 0.99))


def _draw_slices(axes: Axes, kernels: np.ndarray, *, limit: float) -> None:
    """Middle slices in a grid of rows and columns, none where there are too few kernels."""
    step = 3 + GAP
    canvas = np.full((ROWS * step - GAP, COLUMNS * step - GAP), np.nan)
    for index, kernel in enumerate(kernels[: ROWS * COLUMNS, 1]):
        row, column = divmod(index, COLUMNS)
        canvas[row * step : row * step + 3, column * step : column * step + 3] = kernel
    axes.imshow(canvas, cmap=COLOURS, vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.patch.set_visible(False)


def _draw_norms(axes: Axes, examples: np.ndarray, samples: np.ndarray) -> None:
    norms = {"networks": (examples, BLUE, "-"), "prior": (samples, VERMILION, "--")}
    values = {name: np.sqrt((kernels**2).sum(axis=(1, 2, 3))) for name, (kernels, *_) in norms.items()}
    bins = np.linspace(0, max(np.quantile(one, 0.995) for one in values.values() if len(one)) * 1.05, 25)
    for name, (_, colour, style) in norms.items():
        if len(values[name]):
            weights = np.full(len(values[name]), 1 / len(values[name]))
            axes.hist(values[name], bins, weights=weights, histtype="step", color=colour, ls=style, lw=1.5, label=name)
    tidy(axes, title="")
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _draw_bound(axes: Axes, history: pd.DataFrame, group: dict) -> None:
    tidy(axes, title=group["group"].replace("_", ", "))
    marker = "o" if len(history) < 3 else None
    axes.plot(history["epoch"], history["elbo"], marker=marker, ms=4, **TRAINING)
    axes.plot(history["epoch"], history["held_out_elbo"], marker=marker, ms=4, **(VALIDATION | {"label": "held out"}))
    axes.axhline(group["gaussian"], color=ORANGE, ls=(0, (1.2, 1.2)), lw=1.6, label="Gaussian, held out")
    axes.axvline(group["best_epoch"], color=INK, lw=0.9, ls=":", zorder=0)
    axes.plot(group["best_epoch"], group["held_out_elbo"], "o", color=VALIDATION["color"], ms=5, zorder=5)
    low, high = min(group["gaussian"], group["held_out_elbo"]), max(group["gaussian"], group["held_out_elbo"])
    room = max(high - low, 1.0)
    axes.set_ylim(low - 1.2 * room, high + 0.6 * room)
    axes.set_xlabel("Epoch", color=INK, fontsize=9)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
