"""Calibration of probabilities, and whether uncertainty shows where a mask is wrong."""
from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import roc_auc_score

from mstl.errors import InputError

BINS = 10
BIN_COLUMNS = ("low", "high", "voxels", "mean_probability", "lesion_fraction")


def reliability(probability: np.ndarray, lesion: np.ndarray, *, bins: int = BINS) -> pd.DataFrame:
    """A row for each of `bins` equal parts of [0, 1], the columns `BIN_COLUMNS`: what was said, and what is so.

    `voxels` counts those whose probability lies in [low, high), the last with 1; `mean_probability` is theirs and
    `lesion_fraction` the part of them that is lesion, nan where there are none. Both arrays have one shape, of any
    dimensions; `probability` is that of a lesion, `lesion` bool or 0/1. Raises `InputError` for other shapes, and for
    probabilities outside of [0, 1].

    Source: Guo et al. 2017, arXiv 1706.04599, here of the event "is lesion", not of the most probable class.
    """
    probability, lesion = _flat(probability, lesion)
    edges = np.linspace(0, 1, bins + 1).round(9)  # 0.3, not 0.30000000000000004
    place = np.clip(np.searchsorted(edges, probability, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=values, minlength=bins) for values in (probability, lesion))
    said, found = (np.divide(one, count, out=np.full(bins, np.nan), where=count > 0) for one in sums)
    return pd.DataFrame(dict(zip(BIN_COLUMNS, (edges[:-1], edges[1:], count, said, found), strict=True)))


def pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """One table of `reliability` of several ones, such as those of all cases, each voxel counted alike."""
    count, filled = rows["voxels"], rows.fillna(0)
    said, found = filled["mean_probability"] * count, filled["lesion_fraction"] * count
    sums = rows[["low", "high", "voxels"]].assign(said=said, found=found)
    table = sums.groupby(["low", "high"], as_index=False).sum()
    filled = table["voxels"].where(table["voxels"] > 0)
    table = table.assign(mean_probability=table["said"] / filled, lesion_fraction=table["found"] / filled)
    return table[list(BIN_COLUMNS)]


def calibration_error(bins: pd.DataFrame) -> float:
    """Expected calibration error of a table of `reliability`, 0 (perfect) to 1; nan without voxels.

    The mean over the voxels of how far their bin's `mean_probability` is from its `lesion_fraction`.
    """
    filled = bins[bins["voxels"] > 0]
    if filled.empty:
        return float("nan")
    gaps = (filled["mean_probability"] - filled["lesion_fraction"]).abs()
    return float(np.average(gaps, weights=filled["voxels"]))


def brier_score(probability: np.ndarray, lesion: np.ndarray) -> float:
    """Mean square of probability less 0 or 1, from 0 (perfect) to 1; nan without voxels.

    Arguments and what is raised are as of `reliability`. Source: Brier 1950,
    doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    probability, lesion = _flat(probability, lesion)
    return float(np.mean((probability - lesion) ** 2)) if probability.size else float("nan")


def error_detection(uncertainty: np.ndarray, wrong: np.ndarray) -> tuple[float, float]:
    """How well `uncertainty` tells wrong voxels from right ones: area under the ROC curve, and rank correlation.

    The area is the chance that a wrong voxel is more uncertain than a right one, 0.5 where uncertainty says nothing;
    the correlation is Spearman's of the uncertainty with being wrong, which is small where few voxels are. Both arrays
    have one shape, `wrong` is bool or 0/1. Both are nan where all voxels are right, all wrong, or (the correlation) all
    equally uncertain. Raises `InputError` for other shapes.

    Source: Nair et al. 2020, doi 10.1016/j.media.2019.101557, who rank MS lesions' voxels by uncertainty.
    """
    uncertainty, wrong = _same_size(uncertainty, wrong)
    if not 0 < np.count_nonzero(wrong) < wrong.size:
        return float("nan"), float("nan")
    area = float(roc_auc_score(wrong, uncertainty))
    if uncertainty.min() == uncertainty.max():
        return area, float("nan")
    return area, float(stats.spearmanr(uncertainty, wrong).statistic)


def _flat(probability: np.ndarray, lesion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as 1D float64, checked."""
    probability, lesion = _same_size(probability, lesion)
    if probability.size and not (probability.min() >= 0 and probability.max() <= 1):
        raise InputError(
            f"Probabilities span {probability.min()} to {probability.max()}; within 0 and 1 is expected. Give the "
            "lesion's probability."
        )
    return probability, lesion


def _same_size(values: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(values) != np.shape(truth):
        raise InputError(
            f"The map has shape {np.shape(values)}, the mask beside it {np.shape(truth)}; both must be equal in shape. "
            "Bring both to one grid."
        )
    return np.asarray(values, np.float64).ravel(), np.asarray(truth, np.float64).ravel()
