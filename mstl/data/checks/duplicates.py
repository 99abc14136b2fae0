"""Rules on scans that are there twice under two names."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mstl.data.case import MODALITIES
from mstl.data.checks.coarse import details_of
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures

ALIKE = 0.75  # correlation of fine details; two persons reach 0.55
ALIKE_SESSIONS = 0.99  # of one person
_ROWS = 512  # scans compared with all others at a time

Sides = Callable[[str], frozenset[str]]


def same_voxels(cases: Sequence[CaseMeasures], *, sides: Sides) -> Iterator[Finding]:
    """Scans with equal voxels, in two cases or twice in one."""
    seen: dict[str, tuple[CaseMeasures, str]] = {}
    for case in cases:
        for role, scan in case.scans.items():
            if scan.sha256 in seen:
                other, other_role = seen[scan.sha256]
                yield _twice(case, role, other, other_role, "has the very voxels of", "duplicate", sides)
            else:
                seen[scan.sha256] = case, role


def alike_scans(cases: Sequence[CaseMeasures], *, sides: Sides) -> Iterator[Finding]:
    """Scans of one modality that show the same details though their voxels differ: saved again, or resampled."""
    for role in MODALITIES:
        found = [case for case in cases if role in case.scans and case.scans[role].coarse is not None]
        if len(found) < 2:
            continue
        details = np.stack([details_of(case.scans[role].coarse) for case in found])
        for start in range(0, len(found), _ROWS):
            likeness = details[start : start + _ROWS] @ details.T
            for row, column in zip(*np.nonzero(np.triu(likeness > ALIKE, start + 1)), strict=True):
                case, other = found[column], found[start + row]
                sessions = case.subject == other.subject and likeness[row, column] < ALIKE_SESSIONS
                if case.scans[role].sha256 != other.scans[role].sha256 and not sessions:
                    how = f"shows the same details (correlation {likeness[row, column]:.3f}) as"
                    yield _twice(case, role, other, role, how, "alike", sides)


def _twice(
    case: CaseMeasures, role: str, other: CaseMeasures, other_role: str, how: str, rule: str, sides: Sides
) -> Finding:
    apart = sides(case.name) and sides(other.name) and sides(case.name) != sides(other.name)
    where = ""
    if apart:
        where = f" They stand on two sides of the split ({_named(sides(other.name))} and {_named(sides(case.name))})."
    sure = rule == "duplicate" or bool(apart)
    return Finding(
        case.name, role, "error" if sure else "warning", f"{rule}-across-sides" if apart else rule,
        f"{role} {how} {other_role} of {'the same case' if other is case else other.name}.{where} Remove one of them, "
        "or correct its path.",
        details={"other": other.name, "other_role": other_role},
    )  # fmt: skip


def _named(sides: frozenset[str]) -> str:
    return ", ".join(sorted(sides))
