"""Which lesions are found, small ones and large ones apart: for each case, and summed over the patients of a study."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from mstl.data.cohort import Case
from mstl.errors import InputError
from mstl.evaluation.pairs import read_pairs
from mstl.evaluation.scores import read_table
from mstl.files import sha256, write_text

LIMITS_ML = (0.05, 0.5)  # between small, medium and large lesions
SIZE_RULE = (
    "Lesions are components of reference voxels that touch by face, edge or corner; one is detected where the "
    "prediction shares at least one voxel with it."
)
COLUMNS = ("case", "subject", "stratum", "lesions", "detected")
TABLE = "lesions.csv"  # beside the scores.csv that it belongs to
RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)
FEWEST = 3  # patients: of fewer there is no interval


def lesions_by_size(
    prediction: np.ndarray, reference: np.ndarray, *, voxel_ml: float, limits: Sequence[float] = LIMITS_ML
) -> list[tuple[int, int]]:
    """How many lesions of the reference are in each stratum of volume, and how many of them are detected.

    prediction, reference: 3D, of one shape, bool or 0/1. limits: ml, rising; a lesion of exactly a limit belongs to
    the stratum above it. One pair of counts a stratum, one more than limits. `SIZE_RULE` says what is counted, which
    is what `mstl.evaluation.scores` counts in all sizes together.
    """
    reference = np.asarray(reference, bool)
    labels, count = ndimage.label(reference, structure=np.ones((3, 3, 3)))
    volumes = np.bincount(labels[reference], minlength=count + 1)[1:] * voxel_ml
    found = np.zeros(count, bool)
    found[np.unique(labels[reference & np.asarray(prediction, bool)]) - 1] = True
    strata = np.digitize(volumes, np.round(limits, 9))
    return [(int((strata == k).sum()), int(found[strata == k].sum())) for k in range(len(limits) + 1)]


def lesion_table(
    predictions: str | Path, cases: Sequence[Case], *, binarise_masks: bool = False, resample_masks: bool = False
) -> pd.DataFrame:
    """A row a case and stratum of `LIMITS_ML`, the columns `COLUMNS`, of a folder of predictions.

    Labels are one lesion. Raises `InputError` as `read_pairs` does.
    """
    rows = []
    options = {"binarise_masks": binarise_masks, "resample_masks": resample_masks}
    for pair in read_pairs(predictions, cases, **options):
        voxel_ml = float(np.prod(pair.spacing)) / 1000
        counts = lesions_by_size(pair.prediction > 0, pair.reference > 0, voxel_ml=voxel_ml)
        rows += [(pair.case.name, pair.case.subject, stratum, *pair_of) for stratum, pair_of in enumerate(counts)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def kept_lesion_table(scores: str | Path, predictions: str | Path, cases: Sequence[Case], **options) -> pd.DataFrame:
    """`lesion_table` of the cases of a `scores.csv`, kept as `lesions.csv` beside it until the scores change.

    Raises `InputError` as `lesion_table` does, and where the scores cannot be read.
    """
    scores = Path(scores)
    path, mark = scores.with_name(TABLE), f"# of scores.csv with SHA-256 {sha256(scores)}\n"
    if path.exists() and path.read_text(encoding="utf-8").startswith(mark):
        return read_table(path, columns=COLUMNS, text=COLUMNS[:2])
    found = lesion_table(predictions, cases, **options)
    write_text(path, mark + found.to_csv(index=False, lineterminator="\n"))
    return found


def detection_summary(tables: Iterable[pd.DataFrame], *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Share of the lesions that are detected, a row a stratum, over the trainings of one strategy.

    tables: `lesion_table` of each training. A case counts with its mean over trainings. Columns: stratum, patients and
    lesions (of those that have any in it), `detected`, the share of all those lesions, `low` and `high`, its 95 %
    interval when patients are drawn with replacement; nan of fewer than three patients. Raises `InputError` where
    there is no table.
    """
    tables = list(tables)
    if not tables:
        raise InputError("There is no table of lesions, expected at least one. Predict the tested cases first.")
    cases = pd.concat(tables).groupby(["stratum", "subject", "case"], as_index=False)[["lesions", "detected"]].mean()
    random = np.random.default_rng(seed)
    rows = []
    for stratum, group in cases.groupby("stratum"):
        people = group.groupby("subject")[["lesions", "detected"]].sum()
        people = people[people["lesions"] > 0].to_numpy(float)
        total = people.sum(axis=0)
        share = float(total[1] / total[0]) if len(people) else float("nan")
        low, high = _interval(people, random, resamples)
        rows.append((int(stratum), len(people), round(float(total[0])), share, low, high))
    return pd.DataFrame(rows, columns=["stratum", "patients", "lesions", "detected", "low", "high"])


def _interval(people: np.ndarray, random: np.random.Generator, resamples: int) -> tuple[float, float]:
    """Percentile interval of the ratio of two sums over patients `(P, 2)`."""
    count = len(people)
    if count < FEWEST:
        return float("nan"), float("nan")
    drawn = random.multinomial(count, np.full(count, 1 / count), size=resamples) @ people
    low, high = np.percentile(drawn[:, 1] / drawn[:, 0], PERCENTILES)
    return float(low), float(high)
