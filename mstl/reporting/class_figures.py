"""Figures of segmentations with several labels: slices with every label in its colour, curves a label."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mstl.colours import label_styles
from mstl.reporting.figures import INK, TRAINING, VALIDATION, sheet, tidy
from mstl.reporting.slices import pick_slices

UNSEEN = {"colors": "none", "fill": 0}
MOST_VOLUMES = 4  # labels whose volumes the head of a sheet of as many slices has room for
WHOLE = {"colors": "white", "linestyles": ["solid"], "linewidths": 0.9}
_CURVE = re.compile(r"(?:val_)?dice_(\d+)")


def class_sheet(
    image: np.ndarray,
    reference: np.ndarray | None,
    prediction: np.ndarray | None,
    *,
    labels: Sequence[int],
    spacing: Sequence[float],
    title: str,
    slices: int = 5,
    positions: Sequence[float] | None = None,
) -> Figure:
    """Axial slices of a case: plain, with the labels of the reference, and with the predicted ones, a row each.

    Arrays are `(D, H, W)` as of `figures.overlay_sheet`, masks hold the values of `labels`, and one of both may
    be None. Each label has a colour; a white line on the predicted ones shows where the reference's lesion ends.
    `spacing` is in mm along D, H, W.
    """
    masks = {"reference": reference, "prediction": prediction}
    masks = {name: np.asarray(mask) for name, mask in masks.items() if mask is not None}
    picked = pick_slices(image, [mask > 0 for mask in masks.values()], count=slices)
    styles = label_styles(labels)
    rows = [("", image[picked], [])]
    for name, mask in masks.items():
        drawn = [(mask[picked] == label, style) for label, style in styles.items()]
        if name == "prediction" and reference is not None:
            drawn.append((reference[picked] > 0, WHOLE))
        rows.append((name, image[picked], drawn))
    heights = np.arange(len(image)) * spacing[0] if positions is None else np.asarray(positions)
    ml = float(np.prod(spacing)) / 1000
    legend = _legend(styles, masks, ml, volumes=len(styles) <= MOST_VOLUMES <= slices)
    return sheet(rows, heights=heights[picked], spacing=spacing, title=title, legend=legend)


def _legend(styles: Mapping[int, dict], masks: Mapping[str, np.ndarray], ml: float, *, volumes: bool) -> dict:
    """A style a name, and the volumes of each label where they are wanted; `ml` is a voxel's."""
    if not volumes:
        return {f"label {label}": style for label, style in styles.items()}
    found = {label: [f"{np.count_nonzero(mask == label) * ml:.1f}" for mask in masks.values()] for label in styles}
    named = {f"label {label}: {' / '.join(found[label])}": style for label, style in styles.items()}
    return {f"ml, {' / '.join(masks)}": UNSEEN, **named}


def curve_labels(history: pd.DataFrame) -> list[int]:
    """The labels whose Dice a history has, rising."""
    found = (_CURVE.fullmatch(str(column)) for column in history)
    return sorted({int(match[1]) for match in found if match})


def class_curves(history: pd.DataFrame) -> Figure | None:
    """Dice of every label over the epochs (`dice_1`, `val_dice_1`), a panel each; None where there are not several."""
    labels = curve_labels(history)
    if len(labels) < 2:
        return None
    figure = Figure(figsize=(11, 2.6 * -(-len(labels) // 4)), layout="constrained")
    panels = figure.subplots(-(-len(labels) // 4), max(min(len(labels), 4), 3), squeeze=False, sharey=True).ravel()
    for axes, label in zip(panels, labels, strict=False):
        tidy(axes, title=f"Dice of label {label}")
        axes.set_xlabel("Epoch", color=INK)
        for column, style in ((f"dice_{label}", TRAINING), (f"val_dice_{label}", VALIDATION)):
            if column in history:
                axes.plot(history["epoch"], history[column], marker="o" if len(history) < 3 else None, ms=4, **style)
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[len(labels):]:
        axes.remove()
    panels[0].set_ylim(0, 1)
    panels[0].legend(loc="lower right", frameon=False, labelcolor=INK, fontsize=9)
    return figure
