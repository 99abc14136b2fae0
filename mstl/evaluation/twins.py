"""Comparisons of a study as its report needs them: every strategy against its own twin, and all other pairs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mstl.evaluation.comparison import Comparison
from mstl.evaluation.paired_tests import holm, smallest_signed_rank_p
from mstl.evaluation.statistics import compare_strategies
from mstl.evaluation.study_scores import StudyScores

TWIN_RULE = (
    "Holm's correction counts two families, each over all training sizes together: the comparisons of every strategy "
    "with its twin, and those of all other pairs. Intervals are not corrected."
)


def compare_with_twins(
    frame: pd.DataFrame, *, twins: Mapping[str, str | None], score: str = "dice", **options: object
) -> list[Comparison]:
    """Compare all strategies of a study in pairs, at each size; those with a twin are `a`, their twin is `b`.

    frame, score: as of `compare_strategies`, which `options` are given to as well. twins: for each strategy the one
    that it is measured against, None (or no entry) for none; `baseline` of a comparison is True where b is the twin
    of a. Names that the frame has not are passed over. Comparisons with twins come first; `TWIN_RULE` says what is
    corrected. Empty where there is but one strategy. Raises `InputError` as `compare_strategies` does.
    """
    names = StudyScores.of(frame, score=score, lower_is_better=options.get("lower_is_better")).strategies
    if len(names) < 2:
        return []
    found = {}
    for one in compare_strategies(frame, baseline=names[0], score=score, **options):
        found[one.a, one.b, one.size] = one
        found[one.b, one.a, one.size] = turned(one)
    pairs = [(a, b) for a, b in twins.items() if a != b and {a, b} <= set(names)]
    sides = {frozenset(pair) for pair in pairs}
    others = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :] if frozenset((a, b)) not in sides]
    return [*_corrected(found, pairs, baseline=True), *_corrected(found, others, baseline=False)]


def turned(one: Comparison) -> Comparison:
    """The same comparison seen from the other side: b against a."""
    return replace(
        one, a=one.b, b=one.a, mean_a=one.mean_b, mean_b=one.mean_a, difference=-one.difference,
        interval=_mirrored(one.interval), interval_trained_anew=_mirrored(one.interval_trained_anew),
        effect=-one.effect, probability=1 - one.probability,
        probability_interval=_mirrored(one.probability_interval, around=1),
        variation=replace(one.variation, interval=_mirrored(one.variation.interval)),
    )  # fmt: skip


def _mirrored(interval: tuple[float, float], *, around: float = 0) -> tuple[float, float]:
    """The interval of `around` less what it is of."""
    return around - interval[1], around - interval[0]


def _corrected(
    found: Mapping[tuple[str, str, int], Comparison], pairs: Sequence[tuple[str, str]], *, baseline: bool
) -> list[Comparison]:
    """The comparisons of these pairs, size by size, as one family of Holm's correction."""
    sizes = sorted({size for _, _, size in found})
    family = [found[a, b, size] for size in sizes for a, b in pairs if (a, b, size) in found]
    adjusted = holm([one.p for one in family])
    smallest = holm([smallest_signed_rank_p(one.patients) for one in family])
    count = int(np.count_nonzero(~np.isnan(adjusted)))
    return [
        replace(one, p_holm=float(p), smallest_p=float(least), family=count, baseline=baseline)
        for one, p, least in zip(family, adjusted, smallest, strict=True)
    ]
