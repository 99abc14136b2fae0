"""What a report shows of pictures: sheets of whole images, sizes in pixels, and the scores that are pooled."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mstl.colours import label_styles
from mstl.evaluation.pooled import MEANS, pooled_path, read_pooled
from mstl.reporting.class_figures import UNSEEN, WHOLE
from mstl.reporting.figures import PREDICTION, REFERENCE, sheet

PANEL_INCHES = 5.5
COLUMNS = {  # of scores.csv: (heading, explanation, digits), as `page.COLUMNS`
    "iou": ("IoU", "Common area over united area", 3),
    "hausdorff95_mm": ("HD95 pixels", "95th percentile of the distances between both outlines", 1),
    "reference_ml": ("Reference pixels", "Lesion area of the reference mask", 0),
    "prediction_ml": ("Prediction pixels", "Lesion area of the prediction", 0),
    "sensitivity": ("Sensitivity", "Part of the lesion area that was found", 3),
    "precision": ("Precision", "Part of the predicted area that is lesion", 3),
}


def picture_sheet(
    image: np.ndarray,
    reference: np.ndarray | None,
    prediction: np.ndarray | None,
    *,
    title: str,
    labels: Sequence[int] = (),
) -> Figure:
    """A picture plain and, beside it, with the outlines of reference and prediction.

    Arrays are `(1, H, W)` of one slice; the masks hold the values of several `labels`, else lesion where they are not
    0. Labels have a panel of the reference and one of the prediction, each in its colour, with a white line where the
    reference's lesion ends.
    """
    masks = {"reference": reference, "prediction": prediction}
    masks = {name: np.asarray(mask[0]) for name, mask in masks.items() if mask is not None}
    draw = _of_labels if labels else _of_lesion
    outlines, legend = draw(masks, labels)
    panels = 1 + (len(masks) if labels else 1)
    row = ("", np.repeat(image, panels, axis=0), outlines)
    return sheet([row], heights=None, spacing=(1, 1, 1), title=title, legend=legend, inches=PANEL_INCHES)


def pooled_sentence(scores: object) -> str:
    """The pooled scores beside `scores`, a path, in words; "" where there are none, or no path."""
    if not isinstance(scores, (str, Path)) or not pooled_path(scores).exists():
        return ""
    found = read_pooled(pooled_path(scores)).iloc[0]
    names = dict(zip(MEANS, ("mDice", "mAcc", "mIoU", "mFscore"), strict=True))
    means = ", ".join(f"{name} {found[column]:.3f}" for column, name in names.items())
    return f"Pooled over {found['cases']} images, the background counted as a class: {means}."


def _of_lesion(masks: Mapping[str, np.ndarray], labels: Sequence[int]) -> tuple[list, dict[str, dict]]:
    """Outlines of the second panel, and the legend."""
    styles = {"reference": REFERENCE, "prediction": PREDICTION}
    outlines = [(_on_panel(mask > 0, 1, panels=2), styles[name]) for name, mask in masks.items()]
    return outlines, {f"{name} {np.count_nonzero(mask)} pixels": styles[name] for name, mask in masks.items()}


def _of_labels(masks: Mapping[str, np.ndarray], labels: Sequence[int]) -> tuple[list, dict[str, dict]]:
    """Filled labels, a panel a mask, and the legend."""
    styles, panels = label_styles(labels), 1 + len(masks)
    outlines = [
        (_on_panel(mask == label, panel, panels=panels), style)
        for panel, mask in enumerate(masks.values(), start=1)
        for label, style in styles.items()
    ]
    if "reference" in masks:
        outlines.append((_on_panel(masks["reference"] > 0, panels - 1, panels=panels), WHOLE))
    sizes = {label: " / ".join(str(np.count_nonzero(mask == label)) for mask in masks.values()) for label in styles}
    named = {f"label {label}: {sizes[label]}": style for label, style in styles.items()}
    return outlines, {f"pixels, {' / '.join(masks)}": UNSEEN, **named}


def _on_panel(mask: np.ndarray, panel: int, *, panels: int) -> np.ndarray:
    """The mask `(H, W)` in one of several panels `(panels, H, W)`, nothing in the others."""
    found = np.zeros((panels, *mask.shape), bool)
    found[panel] = mask
    return found
