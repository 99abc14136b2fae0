"""The numbers of a study's page, computed once: means, comparisons with twins, ranks, learning curves."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mstl.evaluation.comparison import Comparison
from mstl.evaluation.learning_curve import LearningCurve, learning_curves
from mstl.evaluation.rank_stability import rank_stability
from mstl.evaluation.statistics import mean_scores
from mstl.evaluation.study_scores import EMPTY, StudyScores, over_trainings
from mstl.evaluation.twins import compare_with_twins

SCORE_NAMES = {
    "dice": "Dice",
    "iou": "IoU",
    "hausdorff95_mm": "HD95 (mm)",
    "surface_distance_mm": "surface distance (mm)",
    "lesion_f1": "lesion F1",
    "lesion_sensitivity": "lesion sensitivity",
}


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What a study found. `size` is the one that the page answers for (see `main_size`).

    `means` is that of `mean_scores`, `stability` of `rank_stability`; `comparisons` are those of `compare_with_twins`;
    `patients` by (strategy, size) the mean score of each patient, by name.
    """

    scores: StudyScores
    size: int
    twins: Mapping[str, str | None]
    means: pd.DataFrame
    patients: Mapping[tuple[str, int], pd.Series]
    comparisons: Sequence[Comparison]
    stability: pd.DataFrame
    curves: Sequence[LearningCurve]

    @property
    def name(self) -> str:
        """The score as people call it."""
        return SCORE_NAMES.get(self.scores.score, self.scores.score)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of labelled subjects, rising."""
        return self.scores.sizes

    @property
    def lower_is_better(self) -> bool:
        """Whether the score is one of distances and the like."""
        return self.scores.lower_is_better

    def ranked(self, size: int) -> list[str]:
        """Strategies with scores at a size, best first: by their mean over common patients, else over their own."""
        rows = self.stability[self.stability["size"] == size]
        if rows["rank"].notna().all() and len(rows):
            return rows["strategy"].tolist()
        means = self.means[self.means["size"] == size]
        return means.sort_values("mean", ascending=self.lower_is_better, kind="stable")["strategy"].tolist()

    def best(self) -> str | None:
        """The strategy with the best mean at the answer's size over the patients that all have; None without any."""
        rows = self.stability[(self.stability["size"] == self.size) & self.stability["rank"].notna()]
        return rows["strategy"].iloc[0] if len(rows) else None

    def mean(self, strategy: str, size: int) -> dict | None:
        """The row of `means` of a strategy at a size, None where it has no score."""
        rows = self.means[(self.means["strategy"] == strategy) & (self.means["size"] == size)]
        return rows.iloc[0].to_dict() if len(rows) else None

    def against_twin(self, strategy: str, size: int) -> Comparison | None:
        """The comparison of a strategy with its twin, None where it has none."""
        found = (one for one in self.comparisons if one.baseline and (one.a, one.size) == (strategy, size))
        return next(found, None)

    def differences(self, strategy: str, size: int) -> np.ndarray:
        """Of each patient that a strategy and its twin have in common `(P,)`; empty where there is none."""
        if self.against_twin(strategy, size) is None:
            return np.empty(0)
        return self.scores.pair(strategy, self.twins[strategy], size=size).differences

    def curve(self, strategy: str) -> LearningCurve | None:
        """The learning curve of a strategy."""
        return next((one for one in self.curves if one.strategy == strategy), None)


def study_results(
    frame: pd.DataFrame, *, twins: Mapping[str, str | None], score: str = "dice"
) -> StudyResults | None:
    """All numbers of a study in its long form (see `StudyScores.of`, which says what is raised).

    None where no case has a lesion in its reference, or there is no case at all: nothing can be compared.
    """
    filled = frame[~frame[EMPTY].fillna(0).astype(bool)] if EMPTY in frame else frame
    if filled.empty or (score in filled and not filled[score].notna().any()):
        return None
    scores = StudyScores.of(frame, score=score)
    patients = _patient_means(scores)
    return StudyResults(
        scores=scores,
        size=main_size(patients),
        twins=dict(twins),
        means=mean_scores(frame, score=score),
        patients=patients,
        comparisons=compare_with_twins(frame, twins=twins, score=score),
        stability=rank_stability(frame, score=score),
        curves=learning_curves(frame, score=score),
    )


def main_size(patients: Mapping[tuple[str, int], pd.Series]) -> int:
    """The largest size that was tested on the most patients: a size of a few folds alone answers for few."""
    tested = {size: set() for _, size in patients}
    for (_, size), values in patients.items():
        tested[size] |= set(values.index)
    most = max(len(names) for names in tested.values())
    return max(size for size, names in tested.items() if len(names) == most)


def _patient_means(scores: StudyScores) -> dict[tuple[str, int], pd.Series]:
    """By strategy and size the mean score of each patient over sessions and trainings."""
    found = {}
    for row, name in enumerate(scores.strategies):
        for column, size in enumerate(scores.sizes):
            means = over_trainings(scores.by_subject(scores.values[row, column]))
            there = ~np.isnan(means)
            if there.any():
                found[name, size] = pd.Series(means[there], index=np.array(scores.subjects)[there])
    return found
