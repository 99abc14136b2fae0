"""Scores pooled over cases: the areas of every class are summed over all of them before any ratio is formed.

Published tables of 2D images state these, as mDice and mIoU: a large lesion counts for more than a small one, and a
case without lesion counts for what is found in it. Scores a case are those of `scores`.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mstl.data.labels import shown
from mstl.errors import InputError
from mstl.evaluation.pairs import Pair
from mstl.evaluation.scores import beside, read_table
from mstl.files import write_text

POOLED_RULE = (
    "Pooled: true, predicted and reference voxels of each class are summed over the cases of a row, the first row over "
    "all, then dice, recall, iou and precision are formed of each class (0 is the background). mdice, macc (of recall),"
    " miou and mfscore (harmonic mean of precision and recall) are means over the classes, background included. Ratios "
    "of 0/0 are nan; a class that is in neither mask is left out of the means."
)
MEANS = ("mdice", "macc", "miou", "mfscore")
POOLED_COLUMNS = ("subject", "cases", *MEANS)
EACH = ("dice", "recall", "iou", "precision")  # columns of each class: dice_0, recall_0, ...


@dataclass(frozen=True, eq=False)
class Areas:
    """Voxels `(K,)` of each class: in both masks, in the prediction, in the reference; sums of areas pool cases."""

    both: np.ndarray
    prediction: np.ndarray
    reference: np.ndarray

    @classmethod
    def of(cls, prediction: np.ndarray, reference: np.ndarray, *, num_classes: int) -> Areas:
        """The areas of two masks of class numbers 0 to `num_classes` - 1, any one shape.

        Raises `InputError` where shapes differ or a number is not among these.
        """
        prediction, reference = np.asarray(prediction), np.asarray(reference)
        if prediction.shape != reference.shape:
            raise InputError(
                f"Prediction has shape {prediction.shape}, reference {reference.shape}; both must be equal in shape. "
                "Bring both to one grid."
            )
        found = [(prediction == number, reference == number) for number in range(num_classes)]
        counts = np.array([[np.count_nonzero(mask) for mask in (one & other, one, other)] for one, other in found])
        if tuple(counts.sum(axis=0)[1:]) != (prediction.size, reference.size):
            raise InputError(
                f"Prediction or reference holds values other than 0 to {num_classes - 1}. Give class numbers, of "
                "probabilities those of the mask."
            )
        return cls(*counts.T)

    def __add__(self, other: Areas) -> Areas:
        return Areas(self.both + other.both, self.prediction + other.prediction, self.reference + other.reference)


def pooled_scores(areas: Areas) -> dict[str, float]:
    """`MEANS` of the classes, and `EACH` score of every class under `dice_0`, `recall_0`, ...: fractions, float.

    With a class's areas B in both, P predicted and R of the reference: dice 2B / (P + R), recall B / R, iou
    B / (P + R - B), precision B / P; 0/0 is nan. The F-score of a class is 0 where it has no voxel in common, and so
    equals its Dice; a class absent from both masks is left out of all means, one absent from the reference of that of
    recall. So defined in mmsegmentation 0.x and 1.x (`mmseg.core.evaluation.metrics`, `IoUMetric`; beta 1), which but
    leaves a class that was missed everywhere out of mFscore, too.
    """
    both, predicted, labelled = (np.asarray(part, float) for part in (areas.both, areas.prediction, areas.reference))
    with np.errstate(invalid="ignore"):
        each = {
            "dice": 2 * both / (predicted + labelled),
            "recall": both / labelled,
            "iou": both / (predicted + labelled - both),
            "precision": both / predicted,
        }
        harmonic = 2 * each["precision"] * each["recall"] / (each["precision"] + each["recall"])
    missed = (both == 0) & (predicted + labelled > 0)
    fscore = np.where(missed, 0.0, harmonic)
    means = (each["dice"], each["recall"], each["iou"], fscore)
    found = {name: _mean(values) for name, values in zip(MEANS, means, strict=True)}
    by_class = {f"{name}_{number}": float(each[name][number]) for number in range(len(both)) for name in EACH}
    return found | by_class


class PooledTable:
    """Collects the areas of a folder of predictions, case by case, for the table beside its `scores.csv`."""

    def __init__(self) -> None:
        self._labels: tuple[int, ...] | None = None
        self._areas: list[tuple[str, Areas]] = []

    def add(self, pair: Pair) -> None:
        """Add a case; raises `InputError` where its masks have other labels than those of the cases before."""
        labels = pair.labels if len(pair.labels) > 1 else (1,)  # one class is lesion, whatever its value
        if self._labels not in (None, labels):
            raise InputError(
                f"Case {pair.case.name} has labels {shown(labels)} and earlier ones have {shown(self._labels)}, which "
                "cannot be pooled. Evaluate the two sets one by one, or pass --binarise-masks."
            )
        self._labels = labels
        areas = Areas.of(pair.prediction, pair.reference, num_classes=len(labels) + 1)
        self._areas.append((pair.case.subject, areas))

    def rows(self) -> pd.DataFrame:
        """A row of all cases, whose subject is empty, then one a subject: `POOLED_COLUMNS` and those of each class.

        Columns of classes end in their labels, `dice_4` for instance, 0 of the background.
        """
        subjects = list(dict.fromkeys(subject for subject, _ in self._areas))
        rows = [self._row("", [areas for _, areas in self._areas])]
        rows += [self._row(name, [areas for subject, areas in self._areas if subject == name]) for name in subjects]
        values = (0, *(self._labels or ()))
        names = {f"{name}_{number}": f"{name}_{value}" for number, value in enumerate(values) for name in EACH}
        return pd.DataFrame(rows).rename(columns=names)

    def write(self, scores: str | Path) -> None:
        """Write the table beside `scores`, after a line of `#` that states the rule."""
        table = self.rows().to_csv(index=False, na_rep="nan", lineterminator="\n")
        write_text(pooled_path(scores), f"# {POOLED_RULE}\n{table}")

    def _row(self, subject: str, areas: Sequence[Areas]) -> dict[str, object]:
        return {"subject": subject, "cases": len(areas), **pooled_scores(sum(areas[1:], start=areas[0]))}


def pooled_path(scores: str | Path) -> Path:
    """Where the pooled scores of a `scores.csv` stand: `scores_pooled.csv`, beside it."""
    return beside(scores, "pooled")


def read_pooled(path: str | Path) -> pd.DataFrame:
    """Read a table of pooled scores, all cases in its first row; raises `InputError` where it is not one."""
    table = read_table(path, columns=POOLED_COLUMNS, text=("subject",))
    classes = table.columns.difference(POOLED_COLUMNS)
    return table.assign(**{name: pd.to_numeric(table[name], errors="coerce") for name in classes})


def _mean(values: np.ndarray) -> float:
    """The mean of what is not nan; nan where all is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
