"""Overlays: a picture in grey with the contours of its prediction and reference, for a look without any program."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.colors import to_rgb

from mstl.colours import GREEN, ORANGE, SKY, YELLOW, label_styles

SIDE = 768  # pixels; smaller pictures are enlarged by a whole number
RANGE = (0.5, 99.8)  # percentiles of the greys that become black and white
REFERENCE_WIDTH, RATER_WIDTH, PREDICTION_WIDTH = 5, 3, 2  # in a picture of 768 pixels; all are seen where they coincide
WHITE = "#ffffff"


def draw_overlay(
    image: np.ndarray, prediction: np.ndarray, *, reference: np.ndarray | None = None, labels: Sequence[int] = ()
) -> np.ndarray:
    """RGB uint8 `(H', W', 3)` of an image `(H, W)`, its sides enlarged to at least 768 pixels.

    `prediction` and `reference` are `(H, W)`, lesion where they are not 0: its contour is blue of the prediction, broad
    and orange of the reference. With several `labels` each has a contour of its own colour in the prediction, and the
    reference's lesion a white one. Words in these colours say what they are.
    """
    outlines = {}
    if reference is not None:
        outlines["reference"] = (reference > 0, WHITE if labels else ORANGE, REFERENCE_WIDTH)
    for name, (mask, colour) in _predicted(prediction, labels).items():
        outlines[name] = (mask, colour, PREDICTION_WIDTH)
    return _drawn(image, outlines)


def draw_raters(
    image: np.ndarray, masks: Mapping[str, np.ndarray], *, prediction: np.ndarray | None = None
) -> np.ndarray:
    """The same of the masks `(H, W)` of up to three raters by name, and of what a network says where it is given.

    The first rater's contour is broad and orange, the others' green and yellow, the prediction's blue.
    """
    widths = (REFERENCE_WIDTH, RATER_WIDTH, RATER_WIDTH)
    drawn = zip(masks.items(), (ORANGE, GREEN, YELLOW), widths, strict=False)
    outlines = {f"rater {name}": (mask > 0, colour, width) for (name, mask), colour, width in drawn}
    if prediction is not None:
        outlines["prediction"] = (prediction > 0, SKY, PREDICTION_WIDTH)
    return _drawn(image, outlines)


def _drawn(image: np.ndarray, outlines: Mapping[str, tuple[np.ndarray, str, int]]) -> np.ndarray:
    """The enlarged image with outlines by name, each (mask, colour, width), and their names in their colours."""
    factor = -(-SIDE // min(image.shape))
    canvas = cv2.cvtColor(shades(_enlarged(image, factor)), cv2.COLOR_GRAY2RGB)
    unit = min(canvas.shape[:2]) / SIDE
    for mask, colour, width in outlines.values():
        _outline(canvas, mask, colour, width * unit, factor)
    _write(canvas, {name: colour for name, (_, colour, _) in outlines.items()}, unit)
    return canvas


def _predicted(prediction: np.ndarray, labels: Sequence[int]) -> dict[str, tuple[np.ndarray, str]]:
    """Mask and colour of each contour by its name."""
    if not labels:
        return {"prediction": (prediction > 0, SKY)}
    styles = label_styles(labels)
    return {f"label {label}": (prediction == label, style["colors"]) for label, style in styles.items()}


def _enlarged(image: np.ndarray, factor: int) -> np.ndarray:
    rows, columns = image.shape
    size = (columns * factor, rows * factor)
    return cv2.resize(np.ascontiguousarray(image, np.float32), size, interpolation=cv2.INTER_LINEAR)


def shades(image: np.ndarray) -> np.ndarray:
    """Greys uint8 from black to white of an image `(H, W)`, its few extreme values cut."""
    low, high = np.percentile(image, RANGE)
    return np.rint(255 * np.clip((image - low) / max(high - low, np.finfo(np.float32).tiny), 0, 1)).astype(np.uint8)


def _outline(canvas: np.ndarray, mask: np.ndarray, colour: str, width: float, factor: int) -> None:
    inside = (_enlarged(mask, factor) >= 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, _rgb(colour), max(1, round(width)), cv2.LINE_AA)


def _write(canvas: np.ndarray, words: Mapping[str, str], unit: float) -> None:
    """The words from the lower left corner upward, on a dark rim."""
    for number, (word, colour) in enumerate(words.items()):
        place = (round(12 * unit), canvas.shape[0] - round((15 + 30 * number) * unit))
        for ink, width in (("#000000", 6), (colour, 2)):
            style = (cv2.FONT_HERSHEY_SIMPLEX, 0.8 * unit, _rgb(ink), max(1, round(width * unit)), cv2.LINE_AA)
            cv2.putText(canvas, word, place, *style)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(colour))
