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
        if len(found) > 1:
            yield from _across(found, rule, level)


def _across(found: Mapping[str, Sequence[Case]], rule: str, level: str) -> Iterator[Finding]:
    """The finding on cases, by side, of one key; none where they are alike in the very name, which is another rule."""
    subjects = sorted({case.subject for cases in found.values() for case in cases})
    if rule == "alike-subjects" and len(subjects) == 1:
        return
    names = {side: [case.name for case in cases] for side, cases in found.items()}
    places = "; ".join(f"{side}: {', '.join(cases)}" for side, cases in names.items())
    one = len(subjects) == 1
    yield Finding(
        list(names.values())[-1][0], "", level, rule,
        f"Subject{'' if one else 's'} {', '.join(subjects)} stand{'s' if one else ''} on {len(found)} sides of the "
        f"split ({places}). All sessions of a person belong on one side: move them"
        f"{'.' if one else ', if it is one person.'}",
        details={"sides": names},
    )  # fmt: skip
