"""Figure of a model's blocks: what their weights began as, what stays frozen, how many parameters each has."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from mstl.colours import BLUE, GREY, ORANGE, SKY
from mstl.reporting.figures import INK, NIGHT, plain

BEGAN = {  # count of a block: how it is drawn
    "loaded": {"color": BLUE, "lw": 0},
    "adapted": {"facecolor": ORANGE, "edgecolor": "#ffffff", "hatch": "////", "lw": 0},
    "random": {"color": GREY, "alpha": 0.38, "lw": 0},
}
TRAINED = {
    "frozen": {"color": SKY, "lw": 0},
    "trainable": {"facecolor": "none", "edgecolor": GREY, "lw": 0.8},
}
PANELS = (("Began as", BEGAN), ("In training", TRAINED))
ROW_INCHES, FRAME_INCHES = 0.29, 0.75


def weights_figure(groups: Sequence[Mapping]) -> Figure:
    """A row a block, in the order given: where its weights came from, what stays frozen, how large it is.

    `groups` are mappings with the key group and with parameters counted as loaded, adapted and random, as
    trainable and frozen, or both; what no block counts is left out. Bars are shares of a block's parameters,
    because blocks differ a thousandfold; the sizes stand beside them. A lock marks a block that is frozen whole.

    For a model before its training::

        counted = describe_origins(model)["groups"], describe_frozen(model).to_dict()["groups"]
        weights_figure(merge_groups(*counted))
    """
    panels = [panel for panel in PANELS if any(panel[1].keys() <= group.keys() for group in groups)]
    figure = Figure(figsize=(11, FRAME_INCHES + ROW_INCHES * len(groups)), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05)
    ratios = [*(1.0 + 0.1 * len(parts) for _, parts in panels), 0.9]
    grid = figure.subplots(1, len(panels) + 1, sharey=True, squeeze=False, width_ratios=ratios)[0]
    for axes, (title, parts) in zip(grid, panels, strict=False):
        _draw_shares(axes, groups, parts)
        _frame(axes, title)
    sizes = [block_size(group) for group in groups]
    _draw_sizes(grid[-1], sizes)
    _frame(grid[-1], "Parameters")
    grid[0].set_yticks(range(len(groups)), labels=[plain(str(group["group"])) for group in groups])
    grid[0].set_ylim(len(groups) - 0.45, -0.55)
    return figure


def merge_groups(*accounts: Sequence[Mapping]) -> list[dict]:
    """Counts of the same blocks by several accounts, as one mapping a block, in the order of the first account."""
    merged: dict[str, dict] = {}
    for group in (group for account in accounts for group in account):
        merged.setdefault(group["group"], {}).update(group)
    return list(merged.values())


def block_size(group: Mapping) -> int:
    """Parameters of a block, by either way of counting."""
    return max(sum(group.get(name, 0) for name in parts) for _, parts in PANELS)


def _draw_shares(axes: Axes, groups: Sequence[Mapping], parts: Mapping[str, dict]) -> None:
    """Bars from 0 to 1, divided into `parts`."""
    counts = np.array([[group.get(name, 0) for name in parts] for group in groups], dtype=float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ends = shares.cumsum(axis=1)
    for column, look in enumerate(parts.values()):
        rows = np.flatnonzero(shares[:, column])
        width = shares[rows, column]
        axes.barh(rows, width, left=ends[rows, column] - width, height=0.62, **look)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], labels=["0", "50", "100%"])
    if "frozen" in parts:
        whole = np.flatnonzero(shares[:, 0] == 1)
        axes.scatter(np.full(len(whole), 0.5), whole, s=130, marker=_lock(), color=NIGHT, linewidths=0, zorder=3)
    drawn = [(name, look) for (name, look), found in zip(parts.items(), counts.any(axis=0), strict=True) if found]
    axes.legend(
        [Patch(**look) for _, look in drawn], [name for name, _ in drawn], ncols=len(drawn), fontsize=9,
        labelcolor=INK, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0.1,
        handlelength=1.3, handleheight=0.8, columnspacing=1, handletextpad=0.4, borderaxespad=0.25,
    )


def _draw_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    axes.barh(range(len(sizes)), sizes, height=0.62, color=INK, alpha=0.75, lw=0)
    largest = max([*sizes, 1])
    for row, size in enumerate(sizes):
        axes.text(size + 0.02 * largest, row, f"{size:,}", va="center", fontsize=9, color=INK)
    axes.set_xlim(0, 1.45 * largest)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)


def _frame(axes: Axes, title: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, weight="bold")
    axes.patch.set_visible(False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9, length=0)


def _lock() -> Outline:
    """A closed padlock, to mark points with."""
    turn = np.linspace(0, np.pi, 16)
    arc = np.column_stack([np.cos(turn), np.sin(turn)])
    ring = np.vstack([0.36 * arc, 0.22 * arc[::-1], 0.36 * arc[:1]])
    ring[:, 1] += 0.12
    body = np.array([(-0.5, -0.7), (0.5, -0.7), (0.5, 0.12), (-0.5, 0.12), (-0.5, -0.7)])
    return Outline.make_compound_path(Outline(body, closed=True), Outline(ring, closed=True))
