"""Rules on scans that are there twice under two names."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

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
    """Scans with equal voxels, in two cases or twice in one: one finding a pair of cases."""
    seen: dict[str, tuple[CaseMeasures, str]] = {}
    for case in cases:
        pairs: dict[str, tuple[CaseMeasures, dict[str, str]]] = {}
        for role, scan in case.scans.items():
            if scan.sha256 in seen:
                other, other_role = seen[scan.sha256]
                pairs.setdefault(other.name, (other, {}))[1][role] = other_role
            else:
                seen[scan.sha256] = case, role
        for other, roles in pairs.values():
            how = "has the very voxels of" if len(roles) == 1 else "have the very voxels of"
            yield _twice(case, other, roles, how, "duplicate", sides)


def alike_scans(cases: Sequence[CaseMeasures], *, sides: Sides) -> Iterator[Finding]:
    """Scans of one modality that show the same details though their voxels differ: saved again, or resampled.

    One finding a pair of cases; sessions of one subject look alike, and are told where they are nearly equal.
    """
    pairs: dict[tuple[int, int], dict[str, float]] = {}
    for role in MODALITIES:
        for first, second, likeness in _alike(cases, role):
            case, other = cases[second], cases[first]
            sessions = case.subject == other.subject and likeness < ALIKE_SESSIONS
            if case.scans[role].sha256 != other.scans[role].sha256 and not sessions:
                pairs.setdefault((first, second), {})[role] = likeness
    for (first, second), found in pairs.items():
        verb = "shows" if len(found) == 1 else "show"
        how = f"{verb} the same details (correlation {', '.join(f'{likeness:.3f}' for likeness in found.values())}) as"
        yield _twice(cases[second], cases[first], {role: role for role in found}, how, "alike", sides)


def _alike(cases: Sequence[CaseMeasures], role: str) -> Iterator[tuple[int, int, float]]:
    """Places of two cases whose scans of a modality correlate by more than `ALIKE`, and by how much."""
    places = [place for place, case in enumerate(cases) if role in case.scans and case.scans[role].coarse is not None]
    if len(places) < 2:
        return
    details = np.stack([details_of(cases[place].scans[role].coarse) for place in places])
    for start in range(0, len(places), _ROWS):
        likeness = details[start : start + _ROWS] @ details.T
        for row, column in zip(*np.nonzero(np.triu(likeness > ALIKE, start + 1)), strict=True):
            yield places[start + row], places[column], float(likeness[row, column])


def _twice(
    case: CaseMeasures, other: CaseMeasures, roles: Mapping[str, str], how: str, rule: str, sides: Sides
) -> Finding:
    """The finding on the `roles` of a case, and of the other one each of them is."""
    apart = sides(case.name) and sides(other.name) and sides(case.name) != sides(other.name)
    where = ""
    if apart:
        where = f" They stand on two sides of the split ({_named(sides(other.name))} and {_named(sides(case.name))})."
    sure = rule == "duplicate" or bool(apart)
    return Finding(
        case.name, next(iter(roles)) if len(roles) == 1 else "", "error" if sure else "warning",
        f"{rule}-across-sides" if apart else rule,
        f"{', '.join(roles)} {how} {', '.join(roles.values())} of "
        f"{'the same case' if other is case else other.name}.{where} Remove one of them, or correct its path.",
        details={"other": other.name, "roles": dict(roles)},
    )  # fmt: skip


def _named(sides: frozenset[str]) -> str:
    return ", ".join(sorted(sides))
