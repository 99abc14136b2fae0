"""Tests, effect sizes and intervals of one sample of paired differences, and Holm's correction of many tests."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

FEWEST = 3  # differences: of fewer the bootstrap has no interval
EXACT = 50  # differences: of more the normal approximation is as good


def bca_interval(
    differences: np.ndarray, *, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> tuple[float, float]:
    """Interval of the mean of `differences` `(n,)` for new patients: bias-corrected and accelerated bootstrap.

    (nan, nan) of fewer than three differences, one point where all are equal. Of fewer than about ten the interval
    is too narrow. Efron 1987, doi 10.1080/01621459.1987.10478410, as in `scipy.stats.bootstrap`.
    """
    differences = np.asarray(differences, float)
    if len(differences) < FEWEST:
        return float("nan"), float("nan")
    if np.ptp(differences) == 0:
        return float(differences[0]), float(differences[0])
    found = stats.bootstrap(
        (differences,), np.mean, n_resamples=resamples, confidence_level=confidence, method="BCa",
        random_state=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def signed_rank_p(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test of `differences` `(n,)`.

    Zeros are left out; of none but zeros p is 1, of nothing nan. Exact up to 50 differences, with ties too (which
    `scipy.stats.wilcoxon`, called for the rest, has only for a few and slowly), else by the normal approximation.
    Wilcoxon 1945, doi 10.2307/3001968; ties: Streitberg and Roehmel 1986, Statistical Software Newsletter 12:10-17.
    """
    differences = np.asarray(differences, float)
    changed = differences[differences != 0]
    if not len(changed):
        return 1.0 if len(differences) else float("nan")
    ranks = stats.rankdata(np.abs(changed))
    if len(changed) <= EXACT and len(set(ranks)) < len(ranks):
        return _exact_p(ranks, changed > 0)
    return float(stats.wilcoxon(changed).pvalue)


def _exact_p(ranks: np.ndarray, positive: np.ndarray) -> float:
    """Two-sided p of a sum of positive ranks, from how many choices of signs give each sum; ranks may be halves."""
    doubled = np.rint(2 * ranks).astype(int)
    ways = np.zeros(doubled.sum() + 1)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] = ways[rank:] + ways[:-rank]
    smaller = min(doubled[positive].sum(), doubled[~positive].sum())
    return float(min(1.0, 2 * ways[: smaller + 1].sum() / ways.sum()))


def smallest_signed_rank_p(n: int) -> float:
    """The smallest two-sided p that n differences can give: all of one sign. 1 of one, nan of none."""
    return 2.0 ** (1 - n) if n else float("nan")


def holm(p: Sequence[float]) -> np.ndarray:
    """Holm's adjusted p of one family; nan stay nan and are not counted, as R's `p.adjust` has it.

    Holm 1979, Scandinavian Journal of Statistics 6:65-70, jstor.org/stable/4615733.
    """
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")[: np.count_nonzero(~np.isnan(p))]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def rank_biserial(differences: np.ndarray) -> float:
    """Matched-pairs rank-biserial correlation, -1 to 1: the share of ranks of gains less the share of ranks of losses.

    Zeros are left out; of none but zeros it is 0, of nothing nan. Kerby 2014, doi 10.2466/11.IT.3.1.
    """
    differences = np.asarray(differences, float)
    changed = differences[differences != 0]
    if not len(changed):
        return 0.0 if len(differences) else float("nan")
    ranks = stats.rankdata(np.abs(changed))
    return float(np.sum(np.sign(changed) * ranks) / ranks.sum())


def probability_of_gain(
    differences: np.ndarray, *, confidence: float = 0.95
) -> tuple[float, tuple[float, float]]:
    """Share of positive `differences` `(n,)`, zeros half, and its Jeffreys interval; nan of none.

    The share estimates how likely a new patient has a positive difference. The interval is of a beta posterior, with
    its ends at 0 and 1 where no or all differences are positive. Brown, Cai and DasGupta 2001, doi
    10.1214/ss/1009213286.
    """
    n = len(differences)
    if not n:
        return float("nan"), (float("nan"), float("nan"))
    wins = float(np.sum(np.sign(differences) + 1) / 2)
    tail = (1 - confidence) / 2
    low, high = stats.beta.ppf([tail, 1 - tail], wins + 0.5, n - wins + 0.5)
    return wins / n, (0.0 if wins == 0 else float(low), 1.0 if wins == n else float(high))
