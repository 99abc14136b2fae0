"""Rules on the scans of one case against each other: one mirrored, shifted, or of another head."""
from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np

from mstl.data.checks.coarse import details_of
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures

GAIN, LIKE = 0.1, 0.3  # correlation that a mirrored scan must gain on one as it lies, and reach
ANOTHER_HEAD = 0.5  # t1, t1ce and t2 of one head correlate by 0.6 and more, of two heads by 0.2 to 0.5
SHIFT_MM = 5.0
_TOLD = ("t1", "t1ce", "t2")  # flair shows too few of the others' details
_SIDES = ("left-right", "front-back", "top-bottom")


def mirrored_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Scans that look more like the case's others when mirrored, though they lie on one grid."""
    suspects: Counter[str] = Counter()
    seen: dict[str, tuple[str, int, float, float]] = {}
    for first, second in _pairs(case):
        one, other = (case.scans[role].coarse for role in (first, second))
        as_is, *mirrored = (_likeness(one, _flip(other, axis)) for axis in (None, 0, 1, 2))
        axis = int(np.argmax(mirrored))
        if mirrored[axis] > max(as_is + GAIN, LIKE):
            suspects.update((first, second))
            seen[second] = (first, axis, mirrored[axis], as_is)
            seen.setdefault(first, (second, axis, mirrored[axis], as_is))
    worst = [role for role, count in suspects.items() if count == max(suspects.values())]
    if worst:
        role = worst[-1]
        other, axis, mirrored, as_is = seen[role]
        yield Finding(
            case.name, role, "error", "mirrored-scan",
            f"{role} looks like {other} when it is mirrored {_SIDES[axis]} (correlation {mirrored:.2f}, {as_is:.2f} as "
            "it lies). Export both again from one program.",
            details={"other": other, "axis": axis, "mirrored": round(mirrored, 3), "as_it_lies": round(as_is, 3)},
        )  # fmt: skip


def foreign_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Scans of t1, t1ce and t2 that do not show one head."""
    if any(mirrored_scans(case)):
        return
    for first, second in _pairs(case):
        likeness = _likeness(case.scans[first].coarse, case.scans[second].coarse)
        if first in _TOLD and second in _TOLD and likeness < ANOTHER_HEAD:
            yield Finding(
                case.name, second, "warning", "foreign-scan",
                f"{second} and {first} seem to show two heads (correlation {likeness:.2f}). Are both of this patient "
                "and session?",
                details={"other": first, "likeness": round(likeness, 3)},
            )  # fmt: skip


def shifted_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Brains that lie elsewhere than in the case's other scans on the same grid."""
    pairs = list(_pairs(case))
    roles = [role for role in case.scans if any(role in pair for pair in pairs)]
    if not roles:
        return
    centres = np.array([case.scans[role].centre_mm for role in roles])
    usual = np.median(centres, axis=0) if len(roles) > 2 else centres[0]
    for role, offset in zip(roles, centres - usual, strict=True):
        if np.linalg.norm(offset) > SHIFT_MM:
            yield Finding(
                case.name, role, "warning", "shifted-scan",
                f"The brain in {role} lies {np.linalg.norm(offset):.0f} mm from where the case's other scans have it. "
                "Run 'mstl prepare --steps coregister', or export it again.",
                details={"offset_mm": offset.round(2).tolist()},
            )  # fmt: skip


def _pairs(case: CaseMeasures) -> Iterator[tuple[str, str]]:
    """Pairs of extracted scans on one grid."""
    usable = [role for role, scan in case.scans.items() if scan.extracted and scan.coarse is not None]
    for first, second in itertools.combinations(usable, 2):
        if case.scans[first].grid.difference(case.scans[second].grid) is None:
            yield first, second


def _flip(coarse: np.ndarray, axis: int | None) -> np.ndarray:
    return coarse if axis is None else np.flip(coarse, axis)


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of fine details, whichever its sign: what is bright in t1 is dark in t2."""
    return abs(float(details_of(first) @ details_of(second)))
