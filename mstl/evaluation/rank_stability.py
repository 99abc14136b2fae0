"""Would other patients rank the strategies alike? Ranks under resampling of patients, at every size of a study."""
from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from mstl.errors import InputError
from mstl.evaluation.study_scores import DECIMALS, StudyScores, over_trainings

RESAMPLES = 5000
PERCENTILES = (2.5, 97.5)


def rank_stability(
    frame: pd.DataFrame,
    *,
    score: str = "dice",
    lower_is_better: bool | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """How stable the ranking of the strategies by mean score is, at each size; a row a size and strategy, best first.

    frame: the long form of a study, see `StudyScores.of`, which also says what is raised. Scores are averaged for each
    patient over what all strategies of a size have, then over patients; as many patients are drawn with replacement,
    `resamples` times, the trained networks staying the same, and ranked anew. Columns: size, strategy, patients, mean,
    rank, `mean_rank` over the draws with `rank_low` and `rank_high` (95 %), `first` the share of draws in which it is
    the best, and `rank_1` ... the share of each rank; equal ones share ranks. Of fewer than two patients shares are
    nan; strategies without a score at a size are left out there.

    Maier-Hein et al. 2018, doi 10.1038/s41467-018-07619-7; Wiesenfarth et al. 2021, doi 10.1038/s41598-021-82017-6.
    Raises `InputError` besides for fewer than 100 resamples.
    """
    if resamples < 100:
        raise InputError(f"resamples is {resamples}, expected at least 100. Give such a number.")
    scores = StudyScores.of(frame, score=score, lower_is_better=lower_is_better)
    tables = [_ranked(scores, place, resamples, seed) for place in range(len(scores.sizes))]
    return pd.concat(tables, ignore_index=True)


def _ranked(scores: StudyScores, place: int, resamples: int, seed: int) -> pd.DataFrame:
    values = scores.values[:, place]
    there = ~np.isnan(values).all(axis=(1, 2, 3))
    values = values[there]
    common = ~np.isnan(values).any(axis=0)
    patients = over_trainings(scores.by_subject(np.where(common, values, np.nan)))
    patients = patients[:, ~np.isnan(patients).any(axis=0)]
    count = patients.shape[1]
    table = pd.DataFrame({
        "size": scores.sizes[place],
        "strategy": [name for name, kept in zip(scores.strategies, there, strict=True) if kept],
        "patients": count,
        "mean": patients.mean(axis=1) if count else np.nan,
    })  # fmt: skip
    table["rank"] = stats.rankdata(_losses(scores, table["mean"].to_numpy())) if count else np.nan
    shares, mean_rank, low, high = _drawn(scores, patients, resamples, seed)
    table = table.assign(mean_rank=mean_rank, rank_low=low, rank_high=high, first=shares[:, 0])
    ranks = pd.DataFrame(shares, columns=[f"rank_{number + 1}" for number in range(len(table))])
    return pd.concat([table, ranks], axis=1).sort_values(["rank", "strategy"], kind="stable")


def _losses(scores: StudyScores, means: np.ndarray) -> np.ndarray:
    """Means as what is ranked: lower is better, and equal to the last bit where they are equal."""
    return np.round(-scores.sign * means, DECIMALS)


def _drawn(scores: StudyScores, patients: np.ndarray, resamples: int, seed: int) -> tuple[np.ndarray, ...]:
    """Of scores `(strategies, patients)`: the share of each rank `(strategies, ranks)`, mean rank, its percentiles."""
    strategies, count = patients.shape
    if count < 2:
        return np.full((strategies, strategies), np.nan), *(np.full(strategies, np.nan) for _ in range(3))
    random = np.random.default_rng(seed)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples) / count
    losses = _losses(scores, weights @ patients.T)
    best, worst = (stats.rankdata(losses, method=method, axis=1)[..., None] for method in ("min", "max"))
    ranks = np.arange(1, strategies + 1)
    shares = ((best <= ranks) & (ranks <= worst)) / (worst - best + 1)
    drawn = ((best + worst) / 2)[..., 0]
    low, high = np.percentile(drawn, PERCENTILES, axis=0)
    return shares.mean(axis=0), drawn.mean(axis=0), low, high
