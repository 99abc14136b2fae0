"""Which of several networks is the best on given cases, and how sure that is: a bootstrap over subjects."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstl.evaluation.pooled import Areas

DRAWS = 2000
SEED = 0  # of the draws: the same cases give the same intervals
RANKED_BY = ("dice", "mdice")
INTERVAL = (2.5, 97.5)  # percentiles
SAME = 1e-12  # scores that differ by no more are equal


@dataclass(frozen=True, eq=False)
class CaseOverlaps:
    """Overlaps of one network with the masks of N cases, in their order.

    `dice` `(N,)` is of the lesion, nan where the mask is empty; `both` and `sizes` `(N, K)` are a class's voxels in
    prediction and mask alike, and those of prediction and mask together.
    """

    dice: np.ndarray
    both: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, lesions: Sequence[Areas], classes: Sequence[Areas]) -> CaseOverlaps:
        """From the areas of background and lesion of each case, and those of the classes that are told apart."""
        both, sizes = _stacked(lesions)
        labelled = np.array([areas.reference[1] > 0 for areas in lesions])
        dice = np.where(labelled, 2 * both[:, 1] / np.maximum(sizes[:, 1], 1), np.nan)
        return cls(dice, *_stacked(classes))

    def score(self, weights: np.ndarray, *, by: str) -> np.ndarray:
        """Score `(B,)` of cohorts in which each case counts as often as a row of `weights` `(B, N)` says.

        by: "dice", the mean over the cases with a lesion, or "mdice", the mean over the classes of the Dice of all
        voxels of the cohort together (`pooled`). nan for a cohort without lesion.
        """
        with np.errstate(invalid="ignore"):
            if by == "dice":
                filled = ~np.isnan(self.dice)
                return (weights @ np.where(filled, self.dice, 0)) / (weights @ filled)
            each = 2 * (weights @ self.both) / (weights @ self.sizes)
        there = ~np.isnan(each)
        return np.where(there, each, 0).sum(axis=1) / there.sum(axis=1)


@dataclass(frozen=True)
class Standing:
    """One network among several: its score, the 95 % interval of it, how often it is the best of drawn cohorts."""

    score: float
    low: float
    high: float
    first: float


def standings(found: Sequence[CaseOverlaps], subjects: Sequence[str], *, by: str = "dice") -> list[Standing]:
    """The standing of each network of `found` on the same cases, whose subjects are given.

    Cohorts of as many subjects are drawn from these with replacement, 2000 times, all sessions of a subject together,
    and every network is scored on each (percentile bootstrap, Efron 1979, doi 10.1214/aos/1176344552). `first` is the
    share of them in which a network scores highest; equal ones share it. Of fewer than two subjects, interval and
    share are nan; of fewer than about ten, intervals are too narrow.
    """
    whole = [float(one.score(np.ones((1, len(subjects))), by=by)[0]) for one in found]
    weights = draws(subjects)
    scores = np.stack([one.score(weights, by=by) for one in found], axis=1) if found else np.empty((0, 0))
    scores = scores[~np.isnan(scores).any(axis=1)]  # cohorts with a lesion
    if not len(scores):
        return [Standing(score, *[float("nan")] * 3) for score in whole]
    best = scores >= scores.max(axis=1, keepdims=True) - SAME
    first = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    low, high = np.percentile(scores, INTERVAL, axis=0)
    rows = zip(whole, low, high, first, strict=True)
    return [Standing(*map(float, row)) for row in rows]


def draws(subjects: Sequence[str]) -> np.ndarray:
    """How often each case counts `(2000, N)` in cohorts of subjects drawn with replacement; none of one subject."""
    names, places = np.unique(np.asarray(subjects), return_inverse=True)
    if len(names) < 2:
        return np.empty((0, len(subjects)))
    drawn = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    return drawn[:, places].astype(float)


def _stacked(areas: Sequence[Areas]) -> tuple[np.ndarray, np.ndarray]:
    """Common voxels, and those of both masks together, `(N, K)` float64."""
    both = np.array([one.both for one in areas], float)
    return both, np.array([one.prediction + one.reference for one in areas], float)
