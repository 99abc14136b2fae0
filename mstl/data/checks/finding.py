"""Findings: what the doctor has to say about a file of a case."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

LEVELS = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """Something that a rule found in one file of a case, in a line that says what it is and what to do.

    level: "error" (cannot be used, or is surely wrong), "warning" (look at it) or "note" (good to know).
    role: the column of the cohort; "" for what concerns the case as a whole. fixable: `mstl check --fix` mends
    it. details: the numbers behind it, for programs.
    """

    case: str
    role: str
    level: str
    rule: str
    message: str
    fixable: bool = False
    details: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def rank(self) -> int:
        """0 for an error, 1 for a warning, 2 for a note."""
        return LEVELS.index(self.level)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {**asdict(self), "details": dict(self.details)}


def count_levels(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each level, worst first."""
    counts = Counter(finding.level for finding in findings)
    return {level: counts[level] for level in LEVELS}


def by_case(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings of each case, the case with the most errors (then warnings, then notes) first, its worst first."""
    cases: dict[str, list[Finding]] = {}
    for finding in findings:
        cases.setdefault(finding.case, []).append(finding)
    ordered = sorted(cases, key=lambda name: [-count for count in count_levels(cases[name]).values()])
    return {name: sorted(cases[name], key=lambda finding: finding.rank) for name in ordered}
