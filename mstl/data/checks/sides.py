"""Rules on a split: no subject may stand on two of its sides."""
from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from mstl.data.case import Case
from mstl.data.checks.finding import Finding

_NUMBER = re.compile(r"\d+")


def shared_subjects(sides: Mapping[str, Sequence[Case]]) -> Iterator[Finding]:
    """Subjects with cases on two sides, and subjects whose names differ by letter case, signs or zeros only."""
    yield from _shared(sides, lambda name: name, "subject-across-sides", "error")
    yield from _shared(sides, plain_name, "alike-subjects", "warning")


def plain_name(subject: str) -> str:
    """A subject's name without letter case, signs and leading zeros: MS-07, ms_7 and ms007 are one."""
    return _NUMBER.sub(lambda number: str(int(number[0])), re.sub(r"[\W_]+", "", subject.lower()))


def _shared(
    sides: Mapping[str, Sequence[Case]], key: Callable[[str], str], rule: str, level: str
) -> Iterator[Finding]:
    where: dict[str, dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for side, cases in sides.items():
        for case in cases:
            where[key(case.subject)][side].append(case)
    for found in where.values():
        subjects = sorted({case.subject for cases in found.values() for case in cases})
        if len(found) < 2 or (rule == "alike-subjects" and len(subjects) < 2):
            continue
        places = "; ".join(f"{side}: {', '.join(case.name for case in cases)}" for side, cases in found.items())
        last = list(found.values())[-1][0]
        what = f"Subject {subjects[0]} stands" if len(subjects) == 1 else f"Subjects {', '.join(subjects)} stand"
        yield Finding(
            last.name, "", level, rule,
            f"{what} on {len(found)} sides of the split ({places}). All sessions of a person belong on one side: move "
            f"them{'' if len(subjects) == 1 else ', if it is one person'}.",
            details={"sides": {side: [case.name for case in cases] for side, cases in found.items()}},
        )  # fmt: skip
