"""Labels and classes: a mask's own values, such as 1, 2 and 4 of BraTS, and the numbers 1, 2, 3 that networks count."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mstl.errors import InputError

HIGHEST = 255  # masks are uint8
POSSIBLE = range(1, HIGHEST + 1)
_PROPOSED = 20  # more labels than that are a parcellation or a scan, and no lesion mask


def checked_labels(labels: Iterable[int]) -> tuple[int, ...]:
    """Labels as whole numbers in their order; raises `InputError` unless they are 1 to 255 and differ."""
    given = tuple(labels)
    if any(label not in POSSIBLE for label in given) or len(set(given)) < len(given):
        raise InputError(
            f"Labels are {', '.join(map(str, given))}; whole numbers from 1 to {HIGHEST} are expected, each once, "
            "without 0, which is background. BraTS has --labels 1,2,4."
        )
    return tuple(int(label) for label in given)


def to_classes(values: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Class numbers uint8: 0 where a mask is 0, else the place (from 1) that its value has in `labels`.

    Without labels the values are classes already: 0 and 1. Values must be known, see `unknown_values`.
    """
    table = np.zeros(HIGHEST + 1, np.uint8)
    known = labels or (1,)
    table[list(known)] = np.arange(1, len(known) + 1)
    return table[values.astype(np.uint8, order="K")]


def to_labels(classes: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """The values uint8 that stand for class numbers; the way back of `to_classes`."""
    return np.array((0, *(labels or (1,))), np.uint8)[classes]


def unknown_values(values: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Values of a mask, each once and rising, that are neither 0 nor one of `labels` (1 without labels)."""
    known = np.isin(values, (0, *(labels or (1,))))
    return np.unique(values[~known]) if not known.all() else np.empty(0, values.dtype)


def proposed_labels(values: Iterable[float]) -> tuple[int, ...]:
    """The labels that values of a mask look like; () where they are no whole numbers from 0 to 255, or too many."""
    values = sorted(set(values) - {0})
    possible = len(values) <= _PROPOSED and all(value in POSSIBLE for value in values)
    return tuple(int(value) for value in values) if possible else ()


def shown(labels: Iterable[float], *, separator: str = ",") -> str:
    """Labels as an option takes them: 1,2,4."""
    return separator.join(f"{label:g}" for label in labels)
