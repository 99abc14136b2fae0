"""Colours of figures: those of Okabe and Ito (2008, https://jfly.uni-koeln.de/color), told apart with any vision."""
from __future__ import annotations

from collections.abc import Sequence

ORANGE, SKY, BLUE, VERMILION = "#E69F00", "#56B4E9", "#0072B2", "#D55E00"
YELLOW, PURPLE, GREEN = "#F0E442", "#CC79A7", "#009E73"
GREY = "#8b919b"  # of lines that say little, on light and dark pages
LABELS = (VERMILION, SKY, YELLOW, PURPLE, GREEN, ORANGE)  # by rising labels; the first three also told apart in grey
FILL = 0.45


def label_styles(labels: Sequence[int], *, fill: float = FILL) -> dict[int, dict]:
    """How `figures.sheet` draws each label: outlined in a colour of its own and, unless `fill` is 0, filled with it."""
    filled = {"fill": fill} if fill else {}
    return {
        label: {"colors": LABELS[number % len(LABELS)], "linestyles": ["solid"], "linewidths": 1.0, **filled}
        for number, label in enumerate(sorted(labels))
    }
