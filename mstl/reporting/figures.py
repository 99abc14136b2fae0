"""Figures of a report: overlay sheets, volume agreement; and what figures share.

Every function returns a `matplotlib.figure.Figure` made without pyplot: no global state, no window, no
backend. Line styles differ as well as colours, for readers of a print in grey.
"""
from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.scale import SymmetricalLogScale
from PIL import Image

from mstl.colours import BLUE, GREY, ORANGE, SKY, VERMILION, label_styles
from mstl.data.prepared import PreparedCase
from mstl.evaluation.overlay import shades
from mstl.reporting.slices import bounding_box, foreground, pick_slices, shaded, slice_heights

REFERENCE = {"colors": ORANGE, "linestyles": ["solid"], "linewidths": 1.2}
PREDICTION = {"colors": SKY, "linestyles": [(0, (1.7, 0.9))], "linewidths": 1.2}
TRAINING = {"label": "training", "color": BLUE, "ls": (0, (4, 1.5)), "lw": 1.4}
VALIDATION = {"label": "validation", "color": VERMILION, "ls": "-", "lw": 1.9}
INK = "#31363f"  # becomes the text colour of the page, light or dark, in `to_svg`
NIGHT = "#0b0d10"
PANEL_INCHES = 2.5
HEADER_INCHES = 0.5


def overlay_sheet(
    image: np.ndarray,
    reference: np.ndarray | None,
    prediction: np.ndarray | None,
    *,
    spacing: Sequence[float],
    title: str,
    slices: int = 5,
    positions: Sequence[float] | None = None,
    names: tuple[str, str] = ("reference", "prediction"),
) -> Figure:
    """Axial slices of a case, plain above and with the outlines of reference and prediction below.

    `image`, `reference` and `prediction` are `(D, H, W)`: D from inferior to superior, H from anterior to
    posterior, W from right to left, so that every panel is the radiological view. `spacing` is in mm along
    D, H, W; `slices` how many are picked (those with most lesion, spread over the lesions' range);
    `positions` `(D,)` the mm written on each slice, by default the distance from the lowest one; `names` what the
    two masks are called.
    """
    masks = dict(zip(names, (reference, prediction), strict=True))
    masks = {name: np.asarray(mask) > 0 for name, mask in masks.items() if mask is not None}
    picked = pick_slices(image, list(masks.values()), count=slices)
    styles = dict(zip(names, (REFERENCE, PREDICTION), strict=True))
    outlines = [(mask[picked], styles[name]) for name, mask in masks.items()]
    ml = float(np.prod(spacing)) / 1000
    legend = {f"{name} {mask.sum() * ml:.2f} ml": styles[name] for name, mask in masks.items()}
    rows = [("", image[picked], []), ("", image[picked], outlines)] if masks else [("", image[picked], [])]
    heights = np.arange(len(image)) * spacing[0] if positions is None else np.asarray(positions)
    return sheet(rows, heights=heights[picked], spacing=spacing, title=title, legend=legend)


def qc_sheet(case: PreparedCase, *, slices: int = 5) -> Figure:
    """Every modality of a prepared case in its own row, the mask's classes outlined: is all in place and aligned?"""
    image, mask, sizes = case.image, case.mask, _class_sizes(case)
    classes = [np.asarray(mask) == number for number in range(1, len(sizes) + 1)]
    picked = pick_slices(image[..., 0], classes, count=slices)
    looks = label_styles(case.labels, fill=0)
    styles = {f"label {label}": looks[label] for label in case.labels} or {"mask": REFERENCE}
    outlines = [(one[picked], style) for one, style in zip(classes, styles.values(), strict=False)]
    rows = [(name, image[picked, ..., channel], outlines) for channel, name in enumerate(case.modalities)]
    legend = {f"{name} {size}": styles[name] for name, size in zip(styles, sizes, strict=False)}
    heights = None if case.is_picture else slice_heights(case.grid)[picked]
    return sheet(rows, heights=heights, spacing=case.spacing, title=case.name, legend=legend)


def _class_sizes(case: PreparedCase) -> list[str]:
    """How large each class of the mask is, in words."""
    voxels = case.class_voxels or ()
    return [f"{count} pixels" if case.is_picture else f"{count * case.grid.voxel_ml:.2f} ml" for count in voxels]


def sheet(
    rows: Sequence[tuple],
    *,
    heights: Sequence[float] | None,
    spacing: Sequence[float],
    title: str,
    legend: Mapping[str, dict],
    inches: float = PANEL_INCHES,
) -> Figure:
    """Panels of `rows`, each (name, slices `(N, H, W)` or `(N, H, W, 3)`, masks as (masks `(N, H, W)`, style)).

    Slices of three channels are colours, those of the first row have one. A style is what `Axes.contour` takes, and
    under "fill" how much the inside is coloured, 0 (not) to 1. `heights` are the mm written on the slices; None is of
    pictures, which are shown whole and have no sides. `spacing` is that of D, H, W; `legend` holds a style a name;
    `inches` is the width of a panel.
    """
    sections = rows[0][1]
    shown = np.ones(sections.shape[1:3], bool) if heights is None else foreground(sections).any(axis=0)
    top, bottom, left, right = bounding_box(shown, margin=4)
    shape = (bottom - top) * spacing[1], (right - left) * spacing[2]
    width = inches * len(sections)
    body = inches * shape[0] / shape[1] * len(rows)
    figure = Figure(figsize=(width, body + HEADER_INCHES), facecolor=NIGHT)
    grid = figure.subplots(len(rows), len(sections), squeeze=False)
    figure.subplots_adjust(0, 0, 1, body / (body + HEADER_INCHES), 0.01, 0.01)
    for line, (name, sections, outlines) in zip(grid, rows, strict=True):
        picture = sections if sections.ndim == 4 else _whole_shades(sections) if heights is None else shaded(sections)
        for index, axes in enumerate(line):
            axes.set_axis_off()
            axes.imshow(picture[index], cmap="gray", vmin=0, vmax=1, origin="upper",
                        aspect=spacing[1] / spacing[2], interpolation="bilinear")
            for masks, style in outlines:
                if masks[index].any():
                    _draw_mask(axes, masks[index], **style)
            axes.set(xlim=(left - 0.5, right - 0.5), ylim=(bottom - 0.5, top - 0.5))
            if heights is not None:
                _write_corners(axes, ("R", "L", f"z {round(heights[index]):+d} mm", name if index == 0 else ""))
    _head(figure, title, legend)
    return figure


def _whole_shades(sections: np.ndarray) -> np.ndarray:
    """Greys 0 to 1 of pictures, which have no background."""
    return np.stack([shades(np.asarray(section, np.float32)) for section in sections]) / np.float32(255)


def _draw_mask(axes: Axes, mask: np.ndarray, *, fill: float = 0, **style) -> None:
    if fill:
        colour = np.where(mask[..., None], to_rgba(style["colors"], fill), 0)
        axes.imshow(colour, origin="upper", interpolation="nearest", aspect=axes.get_aspect())
    axes.contour(mask.astype(np.float32), levels=[0.5], **style)


def _write_corners(axes: Axes, texts: Sequence[str]) -> None:
    """Write top left, top right, bottom left, bottom right: where a head leaves room."""
    for index, text in enumerate(texts):
        row, column = divmod(index, 2)
        axes.text(0.97 if column else 0.03, 0.03 if row else 0.97, text, transform=axes.transAxes,
                  ha="right" if column else "left", va="bottom" if row else "top",
                  color="#d7dbe0", fontsize=8.5)


def _head(figure: Figure, title: str, legend: Mapping[str, dict]) -> None:
    width, height = figure.get_size_inches()
    middle = 1 - HEADER_INCHES / 2 / height
    figure.text(0.1 / width, middle, plain(title), color="white", fontsize=11, weight="bold", va="center")
    lines = [
        Patch(facecolor=to_rgba(look["colors"], look["fill"]), edgecolor=look["colors"]) if "fill" in look
        else Line2D([], [], color=look["colors"], ls=look["linestyles"][0], lw=2)
        for look in legend.values()
    ]
    if lines:
        figure.legend(lines, list(legend), loc="center right", bbox_to_anchor=(1, middle), ncols=len(lines),
                      frameon=False, labelcolor="white", fontsize=10, handlelength=2.6)


def volume_agreement(scores: pd.DataFrame, *, pictures: bool = False) -> Figure:
    """Lesion volume of prediction against reference (ml, symmetric log axes), and their difference.

    `scores` has the columns case, reference_ml and prediction_ml; of `pictures` these hold pixels. From three cases on,
    the mean difference and the limits of agreement (mean +- 1.96 standard deviations; Bland and Altman 1986,
    doi 10.1016/S0140-6736(86)90837-8) are drawn.
    """
    truth, found = scores["reference_ml"].to_numpy(float), scores["prediction_ml"].to_numpy(float)
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    what, least = ("area, pixels", 10) if pictures else ("volume, ml", 0.1)
    limit = 10.0 ** max(np.ceil(np.log10(max(truth.max(), found.max(), least) * 1.05)), np.log10(least) + 1)
    _log_axis(left, "x", limit, least)
    _log_axis(left, "y", limit, least)
    left.plot([0, limit], [0, limit], color=INK, lw=1, ls="--")
    left.scatter(truth, found, s=46, color=BLUE, alpha=0.85, linewidths=0)
    left.set(xlim=(-0.3 * least, limit), ylim=(-0.3 * least, limit), aspect="equal")
    tidy(left, title=f"Lesion {what}")
    _name_axes(left, "Reference", "Prediction")

    difference, mean = found - truth, (found + truth) / 2
    _log_axis(right, "x", limit, least)
    right.axhline(0, color=INK, lw=1, ls="--")
    right.scatter(mean, difference, s=46, color=BLUE, alpha=0.85, linewidths=0)
    right.set_xlim(-0.3 * least, limit)
    if len(difference) >= 3:
        _limits_of_agreement(right, difference)
    tidy(right, title=f"Prediction minus reference, {what.rpartition(' ')[2]}")
    _name_axes(right, "Mean of both", "Difference")
    if len(scores) <= 8:
        for name, *point in zip(scores["case"], truth, found, mean, difference, strict=True):
            _name_point(left, name, point[:2])
            _name_point(right, name, point[2:])
    return figure


def _log_axis(axes: Axes, name: str, limit: float, least: float) -> None:
    """Symmetric log scale of axis x or y from 0 to the decade `limit`, linear up to `least`, with plain numbers."""
    ticks = [0, *10.0 ** np.arange(np.log10(least), np.log10(limit) + 0.5)]
    axes.set(**{f"{name}scale": SymmetricalLogScale(None, linthresh=least, linscale=0.4)})
    axis = {"x": axes.xaxis, "y": axes.yaxis}[name]
    axis.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def _limits_of_agreement(axes: Axes, difference: np.ndarray) -> None:
    bias, spread = difference.mean(), 1.96 * difference.std(ddof=1)
    axes.axhspan(bias - spread, bias + spread, color=ORANGE, alpha=0.14, lw=0)
    axes.axhline(bias, color=ORANGE, lw=1.6)
    axes.set_title(f"mean {bias:+.2g}, limits of agreement {bias - spread:+.2g} to {bias + spread:+.2g}",
                   loc="right", fontsize=9, color=INK)


def _name_point(axes: Axes, name: str, point: Sequence[float]) -> None:
    axes.annotate(plain(str(name)), point, xytext=(7, -3), textcoords="offset points", fontsize=8.5,
                  color=INK)


def _name_axes(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)


def tidy(axes: Axes, *, title: str) -> None:
    """Give axes their title, a faint grid and the page's colours."""
    axes.set_title(title, loc="left", fontsize=11, color=INK, weight="bold")
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.grid(True, color=GREY, alpha=0.22, lw=0.7)


def plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def to_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element for a page: real text in the page's font and colour, no metadata."""
    stream = io.StringIO()
    salt = str(sum(len(axes.get_title("left")) for axes in figure.axes))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": f"mstl-{salt}"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"(font: [^;\"']*?px) [^;\"]+", r"\1 system-ui, sans-serif", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text))
    return text.replace(INK, "currentColor")


def to_png_uri(figure: Figure, *, dpi: int = 120) -> str:
    """The figure as a `data:` URI of a PNG with a palette of 256 colours (half the size), rare ones kept."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    picture = Image.open(stream).convert("RGB")
    picture = picture.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    small = io.BytesIO()
    picture.save(small, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(small.getvalue()).decode("ascii")
