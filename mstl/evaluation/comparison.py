"""Two strategies compared on the same patients: numbers, a verdict, and a sentence that says no more than they do."""
from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from mstl.evaluation.variation import Variation

FEW = 10  # patients: of fewer, bootstrap intervals are too narrow
Interval = tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Strategy `a` against `b` at one `size`; every difference is a - b in the unit of the score.

    `baseline`: b is the twin that all are measured against. `patients` are scored by both; `missing` counts test cases
    of a training that only one of the two has, which are left out. `mean_a`, `mean_b`, `difference` are means over
    patients. `interval` is for new patients and these trained networks (BCa bootstrap), `interval_trained_anew` for
    new patients and newly trained networks (see `variation`), never narrower. Both are of `confidence`, and of this
    comparison alone: only p is corrected for the number of comparisons. `p` is Wilcoxon's signed-rank p, `p_holm` the
    same after Holm's correction in a family of `family` comparisons, `smallest_p` the smallest `p_holm` that so few
    patients could give. `effect` is the matched-pairs rank-biserial correlation, positive where a is better (which in
    distances is lower). `probability` that a is better than b for a new patient, equal ones half, with
    `probability_interval`. What cannot be computed is nan.
    """

    a: str
    b: str
    size: int
    score: str
    lower_is_better: bool
    baseline: bool
    patients: int
    missing: int
    mean_a: float
    mean_b: float
    difference: float
    interval: Interval
    interval_trained_anew: Interval
    p: float
    p_holm: float
    smallest_p: float
    family: int
    effect: float
    probability: float
    probability_interval: Interval
    variation: Variation
    confidence: float = 0.95

    @property
    def alpha(self) -> float:
        """Adjusted p up to which a difference counts as shown: 1 - confidence."""
        return round(1 - self.confidence, 12)

    @property
    def verdict(self) -> str:
        """One of "better" (a than b), "worse", "mixed", "no evidence", "too few patients", "not compared".

        "mixed": the ranks of the patients show a difference, and the mean points the other way.
        """
        if not self.patients:
            return "not compared"
        if self.smallest_p > self.alpha:
            return "too few patients"
        if not self.p_holm <= self.alpha:
            return "no evidence"
        gain = -self.difference if self.lower_is_better else self.difference
        if gain * self.effect <= 0:
            return "mixed"
        return "better" if self.effect > 0 else "worse"

    @property
    def negative_transfer(self) -> bool:
        """Is a, whatever it transfers, shown to be worse than the baseline?"""
        return self.baseline and self.verdict == "worse"

    @property
    def holds_trained_anew(self) -> bool:
        """Does the interval for newly trained networks leave out 0? False where there is none."""
        low, high = self.interval_trained_anew
        return low > 0 or high < 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must know besides."""
        notes = []
        if self.missing:
            notes.append(f"{self.missing} test cases that only one of the two has scored are left out")
        if 0 < self.patients < 3:
            notes.append(f"{_count(self.patients, 'patient')}: no bootstrap interval")
        elif self.interval[0] == self.interval[1]:
            notes.append("all patients differ by the same: the interval is a point")
        elif self.patients and self.patients < FEW:
            notes.append(f"{self.patients} patients: bootstrap intervals of fewer than {FEW} are too narrow")
        if self.patients > 1 and math.isnan(self.interval_trained_anew[0]):
            notes.append("trained once each: what another training would change is unknown")
        elif self.patients > 1 and math.isnan(self.variation.folds):
            notes.append("trained on the same subjects: what others would change is unknown")
        return tuple(notes)

    @property
    def words(self) -> str:
        """One sentence: what was found, how sure it is, and nothing beyond."""
        where = f"with {_count(self.size, 'labelled subject')}"
        if self.verdict == "not compared":
            return f"{self.a} and {self.b} cannot be compared {where}: they have no scored test case in common."
        return f"{self._finding(where)}: {self._numbers()}{self._reservation()}."

    def as_row(self) -> dict:
        """A flat row for tables and JSON: intervals as two columns, nan as None, with verdict, words and notes."""
        row = {**asdict(self), **{f"variance_{name}": value for name, value in asdict(self.variation).items()}}
        del row["variation"], row["variance_interval"]
        for name in [name for name, value in row.items() if isinstance(value, tuple)]:
            low, high = row.pop(name)
            row |= {f"{name}_low": low, f"{name}_high": high}
        row = {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        return row | {"verdict": self.verdict, "negative_transfer": self.negative_transfer, "words": self.words,
                      "notes": "; ".join(self.notes)}  # fmt: skip

    def _finding(self, where: str) -> str:
        verdict = self.verdict
        if verdict in ("better", "worse"):
            found = f"{where} {self.a} is {verdict} than {self.b}"
            return f"Negative transfer: {found}" if self.negative_transfer else found[0].upper() + found[1:]
        if verdict == "mixed":
            return (f"{where[0].upper()}{where[1:]} {self.a} and {self.b} differ, but most patients one way and the "
                    "mean the other")  # fmt: skip
        none = f"o evidence of a difference between {self.a} and {self.b} {where}"
        if verdict == "no evidence":
            several = f" once {self.family} comparisons are corrected for" if self.p <= self.alpha else ""
            return f"N{none}{several}"
        few = _count(self.patients, "patient")
        return f"N{none}, and {few} could show none (p cannot be below {self.smallest_p:.2g})"

    def _numbers(self) -> str:
        lower = ", lower is better" if self.lower_is_better else ""
        level = f"{100 * self.confidence:g} %"
        for_new = _range(self.interval, "for new patients")
        anew = _range(self.interval_trained_anew, "for newly trained networks too")
        intervals = "; ".join(part for part in (for_new, anew) if part)
        sure = f" ({level} interval {intervals})" if intervals else ""
        wins = f"{round(self.probability * self.patients, 1):g} of {_count(self.patients, 'patient')}"
        return (f"mean {self.score} {self.mean_a:.3f} against {self.mean_b:.3f}{lower}, difference "
                f"{self.difference:+.3f}{sure}, {self.a} better in {wins}, signed-rank {_p(self.p_holm)} "
                f"after Holm's correction for {_count(self.family, 'comparison')}")  # fmt: skip

    def _reservation(self) -> str:
        if self.verdict not in ("better", "worse", "mixed"):
            return ""
        if math.isnan(self.interval_trained_anew[0]):
            return "; whether it holds for newly trained networks is unknown, as each was trained once"
        return "" if self.holds_trained_anew else "; it is not shown to hold for newly trained networks"


def _range(interval: Interval, what: str) -> str:
    return "" if math.isnan(interval[0]) else f"{interval[0]:+.3f} to {interval[1]:+.3f} {what}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
