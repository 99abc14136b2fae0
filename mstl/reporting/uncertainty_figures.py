"""Figures of uncertainty: sheets of maps, lesion volumes with their intervals, a reliability diagram."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogScale

from mstl.colours import BLUE, GREY, ORANGE, SKY, VERMILION
from mstl.evaluation.calibration import pooled
from mstl.reporting.figures import INK, PREDICTION, REFERENCE, plain, sheet, tidy
from mstl.reporting.slices import pick_slices

COLOURS = LinearSegmentedColormap.from_list("ice", ("black", BLUE, SKY, "white"))  # orange outlines stand out on it
FAINT = {"linewidths": 0.7}
ROW_INCHES = 0.3  # of a case's volumes
LINEAR_ML = 0.1  # below it the axis of volumes is linear


def uncertainty_sheet(
    image: np.ndarray,
    maps: Mapping[str, tuple[np.ndarray, float | None]],
    masks: Mapping[str, np.ndarray | None],
    *,
    spacing: Sequence[float],
    title: str,
    slices: int = 5,
    positions: Sequence[float] | None = None,
) -> Figure:
    """Axial slices of a case with the outlines of its masks, and below a row of colours for each map.

    Arrays are `(D, H, W)` as of `figures.overlay_sheet`. `maps` are by name with the value that the brightest colour
    stands for, None for the greatest that is shown; black is 0. `masks` are "reference" and "prediction", either of
    which may be None; the reference's outline is on the maps too. `spacing` is in mm along D, H, W.
    """
    styles = {"reference": REFERENCE, "prediction": PREDICTION}
    masks = {name: np.asarray(mask) > 0 for name, mask in masks.items() if mask is not None}
    picked = pick_slices(image, list(masks.values()), count=slices)
    rows = [("", image[picked], [(mask[picked], styles[name]) for name, mask in masks.items()])]
    faint = [(masks["reference"][picked], REFERENCE | FAINT)] if "reference" in masks else []
    tops = {name: top or float(values[picked].max()) or 1.0 for name, (values, top) in maps.items()}
    rows += [(name, COLOURS(values[picked] / tops[name])[..., :3], faint) for name, (values, _) in maps.items()]
    heights = np.arange(len(image)) * spacing[0] if positions is None else np.asarray(positions)
    legend = {f"{name} {mask.sum() * np.prod(spacing) / 1000:.2f} ml": styles[name] for name, mask in masks.items()}
    figure = sheet(rows, heights=heights[picked], spacing=spacing, title=title, legend=legend)
    last = figure.axes[len(picked) - 1 :: len(picked)][1:]
    for axes, top in zip(last, tops.values(), strict=True):
        _colour_bar(axes, top)
    return figure


def _colour_bar(axes: Axes, top: float) -> None:
    """The colours from 0 to `top`, in the lower right corner of a panel."""
    bar = axes.inset_axes((0.56, 0.035, 0.4, 0.03))
    bar.imshow(np.linspace(0, 1, 64)[None], cmap=COLOURS, aspect="auto")
    bar.set_axis_off()
    for place, text in ((0.56, "0"), (0.96, f"{top:.2g}")):
        axes.text(place, 0.075, text, transform=axes.transAxes, ha="right" if place > 0.9 else "left", va="bottom",
                  color="#d7dbe0", fontsize=8.5)  # fmt: skip


def volume_intervals(rows: pd.DataFrame) -> Figure:
    """Each case's lesion volume with the 95 % interval of the samples, and that of the reference where it is known.

    `rows` has the columns case, prediction_ml, low_ml, high_ml and reference_ml (nan: none), ml.
    """
    rows = rows.sort_values("prediction_ml", ignore_index=True)
    figure = Figure(figsize=(11, 1.1 + ROW_INCHES * len(rows)), layout="constrained")
    axes, heights = figure.subplots(), np.arange(len(rows))
    axes.set_xscale(SymmetricalLogScale(None, linthresh=LINEAR_ML, linscale=0.4))
    axes.hlines(heights, rows["low_ml"], rows["high_ml"], color=BLUE, lw=5, alpha=0.35, label="95 % of the samples")
    axes.plot(rows["prediction_ml"], heights, "o", color=BLUE, ms=5, label="predicted mask")
    axes.plot(rows["reference_ml"], heights, "D", mfc="none", mec=VERMILION, mew=1.6, ms=6, label="reference")
    limit = 10.0 ** np.ceil(np.log10(max(rows[["prediction_ml", "high_ml", "reference_ml"]].max().max(), 0.1) * 1.05))
    ticks = [0, *10.0 ** np.arange(-1, np.log10(limit) + 0.5)]
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_yticks(heights, labels=[plain(str(name)) for name in rows["case"]])
    axes.set(xlim=(-0.02, limit), ylim=(len(rows) - 0.4, -0.6))
    tidy(axes, title="Lesion volume, ml")
    axes.legend(loc="lower left", bbox_to_anchor=(0.25, 1), ncols=3, frameon=False, labelcolor=INK, fontsize=9)
    return figure


def reliability_diagram(bins: pd.DataFrame) -> Figure:
    """What part of voxels is lesion against what probability they were given, and how many voxels that are.

    `bins` are the rows of `calibration.reliability` of all cases, with a column case. Grey lines are single cases, the
    blue one all voxels together.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    together = pooled(bins)
    left.plot([0, 1], [0, 1], color=INK, lw=1, ls="--")
    for _, case in bins.groupby("case"):
        left.plot(case["mean_probability"], case["lesion_fraction"], color=GREY, lw=0.8, alpha=0.5, zorder=1)
    left.plot(together["mean_probability"], together["lesion_fraction"], "o-", color=BLUE, ms=5, lw=1.8)
    left.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    tidy(left, title="Part of voxels that is lesion")
    right.bar(together["low"], together["voxels"], together["high"] - together["low"], align="edge", color=ORANGE,
              edgecolor="white", lw=0.7)  # fmt: skip
    right.set_yscale("log")
    right.set_xlim(0, 1)
    tidy(right, title="Voxels")
    for axes in (left, right):
        axes.set_xlabel("Probability of a lesion", color=INK)
    return figure
