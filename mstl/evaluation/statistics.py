"""Which strategy is better on the same patients: paired differences, intervals and tests, at every size of a study."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd

from mstl.errors import InputError
from mstl.evaluation.comparison import Comparison
from mstl.evaluation.paired_tests import (
    bca_interval,
    holm,
    probability_of_gain,
    rank_biserial,
    signed_rank_p,
    smallest_signed_rank_p,
)
from mstl.evaluation.study_scores import Paired, StudyScores, known, over_trainings
from mstl.evaluation.variation import variation

RESAMPLES = 9999
METHOD_RULE = (
    "Differences are of one patient: the mean over sessions, folds and seeds that both strategies have; patients weigh "
    "alike. p: Wilcoxon's signed-rank test over patients, two-sided, for these trained networks."
)
FAMILY_RULE = (
    "Holm's correction counts two families, each over all training sizes together: the comparisons of every strategy "
    "with the baseline, and those of the other strategies among each other. Intervals are not corrected."
)


def paired_differences(
    frame: pd.DataFrame, a: str, b: str, *, size: int, score: str = "dice", lower_is_better: bool | None = None
) -> Paired:
    """Scores of strategies `a` and `b` for each patient, and their differences, at one number of training subjects.

    frame: the long form of a study, see `StudyScores.of`, which also says what is raised; besides `InputError` where
    the two have no scored test case in common.
    """
    pair = StudyScores.of(frame, score=score, lower_is_better=lower_is_better).pair(a, b, size=size)
    if not pair.subjects:
        raise InputError(
            f"Strategies '{a}' and '{b}' have no test case with a {score} in common at size {size}. Compare "
            "strategies of finished jobs, with equal folds and seeds."
        )
    return pair


def mean_scores(
    frame: pd.DataFrame,
    *,
    score: str = "dice",
    lower_is_better: bool | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """The mean of each strategy at each size over patients, a row each: size, strategy, patients, mean, low, high.

    frame: the long form of a study, see `StudyScores.of`, which also says what is raised. A patient counts with the
    mean of all that the strategy has of him; `low` and `high` are the BCa bootstrap interval for new patients and
    these networks. Overlapping intervals say nothing of the difference: `compare_strategies` does.
    """
    _check(confidence, resamples)
    scores = StudyScores.of(frame, score=score, lower_is_better=lower_is_better)
    rows = []
    for place, size in enumerate(scores.sizes):
        for number, name in enumerate(scores.strategies):
            patients = over_trainings(scores.by_subject(scores.values[number, place]))
            patients = patients[~np.isnan(patients)]
            if len(patients):
                low, high = bca_interval(patients, confidence=confidence, resamples=resamples, seed=seed)
                rows.append((size, name, len(patients), _mean(patients), low, high))
    return pd.DataFrame(rows, columns=["size", "strategy", "patients", "mean", "low", "high"])


def compare_strategies(
    frame: pd.DataFrame,
    *,
    baseline: str,
    score: str = "dice",
    lower_is_better: bool | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Comparison]:
    """Compare every strategy with the baseline, and all others with each other, at each size of a study.

    frame: its long form, a row a test case of a training: strategy, size, fold, seed, subject, case and the score;
    `METHOD_RULE` and `FAMILY_RULE` say what is computed, `Comparison` what comes out. Pairs without a common test
    case are returned as not compared. lower_is_better: None, as the score's name says. The same input, rows in any
    order, gives the same numbers.

    In k-fold studies patients of one fold share a network, so that p and `interval` hold for these networks: for a
    claim about the strategy `interval_trained_anew` is the one to look at. Even that takes folds as independent, which
    share training subjects; no unbiased variance of cross-validation exists (Bengio and Grandvalet 2004,
    Journal of Machine Learning Research 5:1089-1105).

    Raises `InputError` as `StudyScores.of` does, for an unknown baseline, fewer than two strategies, confidence
    outside 0.5 to 1, or fewer than 100 resamples.
    """
    scores = StudyScores.of(frame, score=score, lower_is_better=lower_is_better)
    known(baseline, scores.strategies, "Baseline")
    if len(scores.strategies) < 2:
        raise InputError(f"'{baseline}' is the study's only strategy; at least two are expected. Add one to compare.")
    _check(confidence, resamples)
    options = baseline, confidence, resamples, seed
    return _corrected([_compared(scores, *names, options=options) for names in _pairs(scores, baseline)])


def _check(confidence: float, resamples: int) -> None:
    if not 0.5 <= confidence < 1 or resamples < 100:
        raise InputError(
            f"confidence is {confidence} and resamples {resamples}; expected 0.5 to below 1, and at least 100. Give "
            "such numbers."
        )


def _pairs(scores: StudyScores, baseline: str) -> Iterator[tuple[str, str, int]]:
    """Strategy, other strategy, size: at each size the baseline's first; a size that neither has is left out."""
    others = [name for name in scores.strategies if name != baseline]
    pairs = [*((name, baseline) for name in others), *combinations(others, 2)]
    there = ~np.isnan(scores.values).all(axis=(2, 3, 4))
    for place, size in enumerate(scores.sizes):
        for a, b in pairs:
            if there[[scores.strategy(a), scores.strategy(b)], place].any():
                yield a, b, size


def _compared(scores: StudyScores, a: str, b: str, size: int, *, options: tuple[str, float, int, int]) -> Comparison:
    """One comparison; what depends on its family is nan."""
    baseline, confidence, resamples, seed = options
    pair = scores.pair(a, b, size=size)
    differences = pair.differences
    gains = scores.sign * differences
    interval = bca_interval(differences, confidence=confidence, resamples=resamples, seed=seed)
    spread = variation(pair.cells, confidence=confidence)
    probability, around = probability_of_gain(gains, confidence=confidence)
    return Comparison(
        a, b, size, scores.score, scores.lower_is_better, b == baseline, len(pair.subjects), pair.missing,
        _mean(pair.mean_a), _mean(pair.mean_b), _mean(differences), interval, _hull(spread.interval, interval),
        signed_rank_p(differences), float("nan"), float("nan"), 0, rank_biserial(gains), probability, around, spread,
        confidence,
    )  # fmt: skip


def _corrected(found: list[Comparison]) -> list[Comparison]:
    """The same with Holm's correction in the two families, see `FAMILY_RULE`."""
    done = {}
    for with_baseline in (True, False):
        places = [place for place, one in enumerate(found) if one.baseline == with_baseline]
        adjusted = holm([found[place].p for place in places])
        smallest = holm([smallest_signed_rank_p(found[place].patients) for place in places])
        family = int(np.count_nonzero(~np.isnan(adjusted)))
        for place, p, least in zip(places, adjusted, smallest, strict=True):
            done[place] = replace(found[place], p_holm=float(p), smallest_p=float(least), family=family)
    return [done[place] for place in range(len(found))]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _hull(wide: tuple[float, float], narrow: tuple[float, float]) -> tuple[float, float]:
    """`wide` where it is wider, so that new trainings never make a difference surer; nan where it is."""
    if np.isnan(wide[0]) or np.isnan(narrow[0]):
        return wide
    return min(wide[0], narrow[0]), max(wide[1], narrow[1])
