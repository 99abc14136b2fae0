"""Scores of predictions: overlap, volumes, distances and lesions of a case; the table of a cohort.

Conventions are stated once, below, and written into the header of every `scores.csv`.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.spatial import KDTree

from mstl.errors import InputError

EMPTY_CONVENTION = (
    "Empty masks: where prediction and reference are both empty, overlap and lesion scores are perfect (1; "
    "false discovery 0); where one is empty, dice, iou and lesion_f1 are 0; any other ratio of 0/0 and the "
    "distances are nan. Cases with an empty reference (empty_reference = 1) are counted apart, not in "
    "medians and means."
)
MATCHING_RULE = (
    "Lesions: components of voxels that touch by face, edge or corner (26 neighbours). A reference lesion is "
    "detected, and a predicted lesion is true, where it shares at least one voxel with the other mask; "
    "lesion_f1 is the harmonic mean of lesion_sensitivity and 1 - lesion_false_discovery."
)
DISTANCE_RULE = (
    "Distances: from each surface voxel (a face neighbour is background) to the nearest one of the other "
    "mask, in mm, both directions together: hausdorff95_mm is the 95th percentile, surface_distance_mm the "
    "mean."
)
PICTURE_RULE = "Pictures: a pixel counts as 1 mm along all axes; distances are in pixels, and 1000 pixels are 1 ml."
PIXELS_A_ML = 1000
KEYS = ("case", "subject", "session")
SCORES = (
    "dice",
    "iou",
    "precision",
    "sensitivity",
    "specificity",
    "reference_ml",
    "prediction_ml",
    "hausdorff95_mm",
    "surface_distance_mm",
    "lesion_sensitivity",
    "lesion_false_discovery",
    "lesion_f1",
    "reference_lesions",
    "predicted_lesions",
)
COLUMNS = (*KEYS, *SCORES, "empty_reference")


def score_case(
    prediction: np.ndarray, reference: np.ndarray, *, spacing: Sequence[float]
) -> dict[str, float | int]:
    """All `SCORES` of one prediction, and `empty_reference` (0 or 1).

    Both arrays are 3D, of one shape, bool or 0/1, axes in any order; `spacing` holds the voxel size in mm
    along these axes. Volumes are in ml, distances in mm, the rest are fractions and counts.
    `EMPTY_CONVENTION`, `MATCHING_RULE` and `DISTANCE_RULE` say what is counted how. Overlaps and distances
    equal those of MedPy 0.5.2 (`hd95`, `assd`; connectivity 1, its default) where neither mask is empty.
    Lesions match by any overlap as in Kuijf et al. 2019, doi 10.1109/TMI.2019.2905770; its code divides
    detected reference lesions by predicted ones, which can exceed 1, here predicted lesions that are true.
    Raises `InputError` for other shapes, values or spacings.
    """
    prediction, reference = _binary(prediction, "Prediction"), _binary(reference, "Reference")
    spacing = _checked(spacing, prediction, reference)
    box = _bounding_box(prediction | reference)
    size = prediction.size
    prediction, reference = prediction[box], reference[box]  # nothing outside is counted but true negatives
    voxel_ml = float(np.prod(spacing)) / 1000.0
    return {
        **_overlap(prediction, reference, size),
        "reference_ml": np.count_nonzero(reference) * voxel_ml,
        "prediction_ml": np.count_nonzero(prediction) * voxel_ml,
        **_distances(prediction, reference, spacing),
        **_lesions(prediction, reference),
        "empty_reference": int(not reference.any()),
    }


def read_scores(path: str | Path) -> pd.DataFrame:
    """Read a `scores.csv`; case, subject and session are text. Raises `InputError` where it is not one."""
    return read_table(path, columns=COLUMNS, text=KEYS)


def beside(scores: str | Path, name: str) -> Path:
    """Where the table `name` of a `scores.csv` stands: `scores_<name>.csv`, beside it."""
    scores = Path(scores)
    return scores.with_name(f"{scores.stem}_{name}{scores.suffix}")


def read_table(path: str | Path, *, columns: Sequence[str], text: Sequence[str]) -> pd.DataFrame:
    """Read a table that `mstl evaluate` wrote, with the `columns` that it must have, those of `text` as text.

    Raises `InputError` where it is missing, damaged, or lacks a column.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        header = next((row for row, line in enumerate(lines) if not line.startswith("#")), len(lines))
        numbers = {column: ["nan", ""] for column in columns if column not in text}
        scores = pd.read_csv(
            path, skiprows=header, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=numbers
        )
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Run 'mstl evaluate', or check the path.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as scores ({error}). Run 'mstl evaluate' again.") from error
    missing = [column for column in columns if column not in scores]
    if missing:
        raise InputError(f"{path} lacks the columns {', '.join(missing)}. Run 'mstl evaluate' again.")
    return scores


def in_pixels(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores of pictures with pixels in their columns of ml, see `PICTURE_RULE`."""
    return scores.assign(**{name: scores[name] * PIXELS_A_ML for name in scores if str(name).endswith("_ml")})


def summary(scores: pd.DataFrame) -> dict[str, int | dict]:
    """Median, mean and sd of every score over the cases with a lesion, and the cases without one apart.

    Returns `cases`, how many have a lesion; `scores`, for every name in `SCORES` its `cases`, `median`,
    `mean` and `sd`; `empty_reference`, `cases`, `without_false_lesions` and `mean_prediction_ml` of the
    others. A score's `cases` leaves out nan (no distance to an empty prediction). sd divides by n - 1; what
    cannot be computed is nan.
    """
    empty = scores["empty_reference"].astype(bool)
    filled, empty = scores[~empty], scores[empty]
    return {
        "cases": len(filled),
        "scores": {name: _statistics(filled[name]) for name in SCORES},
        "empty_reference": {
            "cases": len(empty),
            "without_false_lesions": int((empty["predicted_lesions"] == 0).sum()),
            "mean_prediction_ml": float(empty["prediction_ml"].mean()),
        },
    }


def _binary(mask: np.ndarray, role: str) -> np.ndarray:
    mask = np.asarray(mask)
    binary = mask.astype(bool)
    if not np.array_equal(binary, mask):
        raise InputError(f"{role} holds values other than 0 and 1. Cut it at a threshold first.")
    return binary


def _checked(spacing: Sequence[float], prediction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    if prediction.shape != reference.shape or prediction.ndim != 3:
        raise InputError(
            f"Prediction has shape {prediction.shape}, reference {reference.shape}; both must be 3D and "
            "equal in shape. Bring both to one grid."
        )
    spacing = np.asarray(spacing, dtype=float)
    if spacing.shape != (3,) or not np.all(np.isfinite(spacing) & (spacing > 0)):
        raise InputError(
            f"Spacing is {spacing.tolist()}; three positive lengths in mm are expected. Give one an axis."
        )
    return spacing


def _bounding_box(mask: np.ndarray) -> tuple[slice, ...]:
    box = []
    for axis in range(mask.ndim):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1) if hit.size else slice(0, 0))
    return tuple(box)


def _ratio(part: float, whole: float, undefined: float) -> float:
    return float(part / whole) if whole else undefined


def _overlap(prediction: np.ndarray, reference: np.ndarray, size: int) -> dict[str, float]:
    predicted, labelled = np.count_nonzero(prediction), np.count_nonzero(reference)
    tp = np.count_nonzero(prediction & reference)
    union = predicted + labelled - tp
    undefined = float("nan") if union else 1.0
    return {
        "dice": _ratio(2 * tp, predicted + labelled, undefined),
        "iou": _ratio(tp, union, undefined),
        "precision": _ratio(tp, predicted, undefined),
        "sensitivity": _ratio(tp, labelled, undefined),
        "specificity": _ratio(size - union, size - labelled, undefined),
    }


def _distances(prediction: np.ndarray, reference: np.ndarray, spacing: np.ndarray) -> dict[str, float]:
    """Nearest neighbours by k-d tree: surfaces are thin, so this is ten times faster than distance maps."""
    if not (prediction.any() and reference.any()):
        return {"hausdorff95_mm": float("nan"), "surface_distance_mm": float("nan")}
    ours, theirs = _surface(prediction) * spacing, _surface(reference) * spacing
    distances = np.concatenate([_nearest(ours, theirs), _nearest(theirs, ours)])
    return {
        "hausdorff95_mm": float(np.percentile(distances, 95)),
        "surface_distance_mm": float(distances.mean()),
    }


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return KDTree(others).query(points)[0]


def _surface(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask & ~ndimage.binary_erosion(mask))


def _lesions(prediction: np.ndarray, reference: np.ndarray) -> dict[str, float | int]:
    labelled, detected = _touching(reference, prediction)
    predicted, true = _touching(prediction, reference)
    undefined = float("nan") if labelled or predicted else 1.0
    sensitivity, precision = _ratio(detected, labelled, undefined), _ratio(true, predicted, undefined)
    both = sensitivity + precision
    f1 = 2 * sensitivity * precision / both if detected else float(labelled == predicted == 0)
    return {
        "lesion_sensitivity": sensitivity,
        "lesion_false_discovery": 1.0 - precision,
        "lesion_f1": f1,
        "reference_lesions": labelled,
        "predicted_lesions": predicted,
    }


def _touching(mask: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """How many components `mask` has, and how many of them share a voxel with `other`."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return count, np.unique(labels[mask & other]).size


def _statistics(values: pd.Series) -> dict[str, float | int]:
    return {
        "cases": int(values.count()),
        "median": float(values.median()),
        "mean": float(values.mean()),
        "sd": float(values.std()),
    }
