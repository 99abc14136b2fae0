"""Panels of grey levels set in rows and columns, with words beside and above."""
from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mstl.files import whole_file

WHITE = 99.8  # percentile of the values that is shown white
PAPER, INK, SOFT = 11, 240, 160  # grey levels: of the sheet, its headings, its labels
GAP, LETTERS, PANEL = 4, 15, 160  # pixels: between panels, height of text, least width of a panel

Label = tuple[str, str]


def scale_of(target: np.ndarray) -> tuple[float, float]:
    """Smallest value of the images, and one that few of the values above it exceed."""
    low = float(target.min())
    above = target[target > low]
    return (low, float(np.percentile(above, WHITE))) if len(above) else (low, low + 1)


def draw_panels(panels: np.ndarray, *, labels: Sequence[Label], names: Sequence[str], title: str) -> np.ndarray:
    """Panels `(R, N, H, W)` uint8 as one picture: a row each with its label beside, a column each with its name above.

    labels: of each row a heading and what stands below it, either may be empty. Pixels are repeated until a panel is
    wide enough for its name.
    """
    panels = _enlarged(panels)
    font = ImageFont.load_default(LETTERS)
    rows, columns, height, width = panels.shape
    left = 4 * GAP + math.ceil(max(font.getlength(word) for label in labels for word in label))
    line = LETTERS + 2 * GAP
    top = GAP + line * (bool(title) + bool(names))
    padded = np.pad(panels, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=PAPER)
    mosaic = padded.transpose(0, 2, 1, 3).reshape(rows * (height + GAP), columns * (width + GAP))
    sheet = Image.fromarray(np.pad(mosaic, ((top, 0), (left, 0)), constant_values=PAPER))
    draw = ImageDraw.Draw(sheet)
    draw.text((2 * GAP, GAP), title, fill=INK, font=font)
    for column, name in enumerate(names):
        middle = left + column * (width + GAP) + width // 2
        draw.text((middle, top - GAP), _shortened(name, font, width), fill=INK, font=font, anchor="ms")
    for row, (heading, label) in enumerate(labels):
        place = top + row * (height + GAP)
        draw.text((2 * GAP, place), heading, fill=INK, font=font)
        draw.text((2 * GAP, place + line * bool(heading)), label, fill=SOFT, font=font)
    return np.asarray(sheet)


def write_png(path: str | Path, picture: np.ndarray, *, optimise: bool = False) -> Path:
    """Write a picture, uint8 `(height, width)` or RGB `(height, width, 3)`, as PNG, whole or not at all.

    optimise: smaller by some percent, and several times slower. Returns its path.
    """
    with whole_file(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", optimize=optimise)
    return Path(path)


def grey(images: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Grey levels uint8 of values; what is no number is black."""
    low, high = scale
    share = np.nan_to_num((images - low) / (high - low), nan=0.0)
    return (np.clip(share, 0, 1) * 255).round().astype(np.uint8)


def _enlarged(panels: np.ndarray) -> np.ndarray:
    """Panels `(R, N, H, W)`, every pixel repeated until they are wide enough for their headings."""
    times = math.ceil(PANEL / panels.shape[-1])
    return panels.repeat(times, axis=2).repeat(times, axis=3)


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of it as goes into `width` pixels, with dots behind."""
    if font.getlength(text) <= width:
        return text
    length = next(n for n in range(len(text) - 1, -1, -1) if n == 0 or font.getlength(text[:n] + "…") <= width)
    return text[:length] + "…"
