"""The answer of a study in three sentences: which strategy is best, against its twin, and what more scans would bring.

No sentence says more than the numbers do: a difference counts as shown after Holm's correction only, and that none is
shown is never taken for equality.
"""
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from mstl.evaluation.comparison import Comparison
from mstl.evaluation.twins import turned
from mstl.reporting.study_results import StudyResults

NO_TRAINING = "No training has finished yet: there is nothing to compare."
MOST_NAMED = 4  # strategies; so many or more are counted
NO_LESION = "No tested case has a lesion in its reference, so that there is no score to compare."


def study_answer(results: StudyResults | None, *, finished: bool) -> list[str]:
    """Three sentences for who reads no other; fewer where there is nothing to compare.

    results: None where no score can be compared; `finished` then tells whether any training was done.
    """
    if results is None:
        return [NO_LESION if finished else NO_TRAINING]
    best = results.best()
    if best is None:
        return [
            f"With {_subjects(results.size)} the strategies have no tested patient in common, so that none can be "
            "called the best."
        ]
    return [_best_sentence(results, best), _twin_sentence(results, best), _more_sentence(results, best)]


def progress_sentence(progress: Mapping[str, int]) -> str:
    """What a page of an unfinished study says above everything; "" of a finished one. See `StudyFiles.progress`."""
    jobs, done, failed = (progress[name] for name in ("jobs", "done", "failed"))
    if done >= jobs:
        return ""
    lost = f"; {failed} failed" if failed else ""
    return (
        f"This study is not finished: {done} of {_count(jobs, 'training')} {'is' if jobs == 1 else 'are'} done{lost}. "
        "What follows is of those alone and may change."
    )


def alarms(results: StudyResults) -> list[Comparison]:
    """The comparisons that show a strategy to be worse than its twin: negative transfer, the largest sizes first."""
    return sorted((one for one in results.comparisons if one.negative_transfer), key=lambda one: (-one.size, one.a))


def _best_sentence(results: StudyResults, best: str) -> str:
    rows = results.stability[results.stability["size"] == results.size]
    own = results.mean(best, results.size)
    first = rows[rows["rank"] == rows["rank"].min()]["strategy"]
    tested = int(rows["patients"].iloc[0])
    where = f"With {_subjects(results.size)}"
    if len(rows) == 1:
        alone = f"{where} only {_name(best)} has scores, with a mean {results.name} of {_level(own)}"
        return f"{alone}: there is nothing to compare it with."
    if len(first) > 1:
        equal = f"{where} {_join(_names(first))} have the same mean {results.name}"
        return f"{equal}, the best of {len(rows)} strategies: {_level(own)}."
    found = f"{where} {_name(best)} has the best mean {results.name} of {len(rows)} strategies"
    if tested == own["patients"]:
        found += f", {_level(own)}"
    else:
        found += f" over the {_patients(tested)} that all have in common (its own mean is {_level(own)})"
    return f"{found}; {_how_sure(_others(results, best))}."


def _others(results: StudyResults, best: str) -> list[Comparison]:
    """The best strategy's comparisons with all others at the answer's size, seen from its side."""
    here = (one for one in results.comparisons if one.size == results.size and best in (one.a, one.b))
    seen = {}
    for one in here:
        one = one if one.a == best else turned(one)
        seen.setdefault(one.b, one)
    return list(seen.values())


def _how_sure(others: Sequence[Comparison]) -> str:
    """What the best strategy's comparisons with all others show."""
    shown = [one for one in others if one.verdict == "better"]
    better, rest = (_names(one.b for one in others if (one in shown) == wanted) for wanted in (True, False))
    if not better:
        return _not_shown(others, rest)
    only = "" if all(one.holds_trained_anew for one in shown) else " for these trained networks"
    if not rest:
        return f"it is shown to be better than {_all_or_names(better)}{only}"
    whom = _join(better) if len(better) < MOST_NAMED else f"{len(better)} of the other {len(others)}"
    not_whom = _join(rest) if len(rest) < MOST_NAMED else f"the remaining {len(rest)}"
    return f"it is shown to be better than {whom}{only}, but not than {not_whom}"


def _not_shown(others: Sequence[Comparison], names: Sequence[str]) -> str:
    whom = _all_or_names(names)
    if any(one.verdict not in ("too few patients", "not compared") for one in others):
        return f"but there is no evidence that it is better than {whom}"
    most = max(one.patients for one in others)
    return f"{_patients(most)} {'is' if most == 1 else 'are'} too few to show that it is better than {whom}"


def _all_or_names(names: Sequence[str]) -> str:
    return _join(names) if len(names) < MOST_NAMED else f"any of the other {len(names)}"


def _twin_sentence(results: StudyResults, best: str) -> str:
    one = results.against_twin(best, results.size)
    if one is None:
        return _of_one_without_twin(results, best)
    twin = f"its twin {_name(one.b)}" + ("" if results.twins.get(one.b) else ", the same from scratch")
    if one.verdict == "not compared":
        return f"{_name(best)} and {twin}, have no tested case in common: what the transfer is worth is open."
    change = f"mean difference in {results.name} {one.difference:+.3f}{_interval(one, one.interval)}"
    if one.verdict == "better":
        wins = f"better in {100 * one.probability:.0f} % of {_patients(one.patients)}"
        return f"{_name(best)} is better than {twin}: {change}, {wins}, {_p(one.p_holm)}{_trained_anew(one)}."
    if one.verdict == "worse":
        return f"{_name(best)} is worse than {twin}: {change}, {_p(one.p_holm)}{_trained_anew(one)}."
    if one.verdict == "mixed":
        return (f"Between {_name(best)} and {twin}, most patients change one way and the mean the other: {change}, "
                f"{_p(one.p_holm)}.")  # fmt: skip
    none = f"There is no evidence of a difference between {_name(best)} and {twin}"
    if one.verdict == "too few patients":
        return f"{none}, and {_patients(one.patients)} could show none: {change}."
    return f"{none}: {change}, {_p(one.p_holm)}; that is no proof that they are equal."


def _of_one_without_twin(results: StudyResults, best: str) -> str:
    """The best strategy is from scratch itself: what of the transfers?"""
    found = [one for one in results.comparisons if one.baseline and one.size == results.size]
    if not found:
        return "No strategy could be compared with a twin from scratch, so that what transfer is worth is open."
    if len(found) == 1:
        a, b, verdict = _name(found[0].a), _name(found[0].b), found[0].verdict
        open_ = f"there is no evidence of a difference between {a} and its twin {b}"
        shown = f"{a} is shown to be {verdict} than its twin {b}"
        return f"{_name(best)} has no twin; {shown if verdict in ('better', 'worse') else open_}."
    better = _names(one.a for one in found if one.verdict == "better")
    worse = _names(one.a for one in found if one.verdict == "worse")
    parts = [f"{_join(better)} {_are(better)} shown to be better" if better else "none is shown to be better"]
    parts += [f"{_join(worse)} {_are(worse)} shown to be worse"] if worse else []
    return f"{_name(best)} has no twin; of the {len(found)} strategies compared with theirs {_join(parts)}."


def _trained_anew(one: Comparison) -> str:
    """What the comparison says about networks that are trained again."""
    if math.isnan(one.interval_trained_anew[0]):
        return "; each was trained once, so that whether it holds for newly trained networks is unknown"
    if one.holds_trained_anew:
        return f"; this holds for newly trained networks too ({_range(one.interval_trained_anew)})"
    return f"; for newly trained networks it is not shown ({_range(one.interval_trained_anew)})"


def _more_sentence(results: StudyResults, best: str) -> str:
    curve = results.curve(best)
    more = f"{_number(curve.more)} more labelled {'subject' if curve.more == 1 else 'subjects'}"
    verb = "lower" if results.lower_is_better else "raise"
    if curve.reliable:
        low, high = curve.gain_interval
        sure = "" if math.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
        return f"{more} are expected to {verb} the mean {results.name} of {_name(best)} by {curve.gain:.3f}{sure}."
    rest = len(curve.reasons) - 1
    why = curve.reasons[0] + (f" (and {_count(rest, 'more reason')} below)" if rest else "")
    return f"What {more[0].lower()}{more[1:]} would bring to {_name(best)} cannot be said reliably: {why}."


def _interval(one: Comparison, interval: tuple[float, float]) -> str:
    if math.isnan(interval[0]):
        return ""
    return f" ({100 * one.confidence:g} % interval {_range(interval)})"


def _range(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def _level(mean: Mapping) -> str:
    sure = "" if math.isnan(mean["low"]) else f", 95 % interval {mean['low']:.3f} to {mean['high']:.3f}"
    return f"{mean['mean']:.3f} ({_patients(mean['patients'])}{sure})"


def _name(strategy: str) -> str:
    """A strategy's name as no other word of the sentence."""
    return f"“{strategy}”"


def _names(strategies: Iterable[str]) -> list[str]:
    return [_name(one) for one in strategies]


def _p(p: float) -> str:
    number = "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"
    return f"{number} after Holm's correction"


def _number(count: int) -> str:
    return "Ten" if count == 10 else str(count)


def _subjects(count: int) -> str:
    return _count(count, "labelled subject")


def _patients(count: int) -> str:
    return _count(int(count), "patient")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _join(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
