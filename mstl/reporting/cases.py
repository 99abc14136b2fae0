"""Cases to show: scan, reference and prediction of a case, turned to axial radiological axes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.cohort import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import Grid, oriented, resample
from mstl.data.volume import Volume, read_grid, read_volume
from mstl.errors import InputError
from mstl.evaluation.maps import PREDICTION, PROBABILITY, map_path, probability_files, read_lesion_probability
from mstl.evaluation.pairs import labels_beside
from mstl.evaluation.references import on_prediction


@dataclass(frozen=True, eq=False)
class ShownCase:
    """Arrays `(D, H, W)` on `grid`: D from inferior to superior, H anterior to posterior, W right to left.

    `reference` and `prediction` are bool, or with `labels` uint8 of their values; `probability` is that of any lesion.
    """

    name: str
    modality: str
    image: np.ndarray
    reference: np.ndarray | None
    prediction: np.ndarray
    probability: np.ndarray | None
    grid: Grid
    labels: tuple[int, ...] = ()
    is_picture: bool = False


def read_case(case: Case, predictions: str | Path) -> ShownCase:
    """Read what there is of a case for display, on the grid of its prediction, in the scan that has this grid.

    Raises `InputError` where no scan of the case lies on that grid: it is a prediction of something else.
    """
    prediction = read_volume(map_path(predictions, case.name, PREDICTION), allow_constant=True)
    twins = (one for one in case.images.items() if read_grid(one[1]).difference(prediction.grid) is None)
    modality, path = next(twins, (None, None))
    if path is None:
        raise InputError(
            f"{prediction.path} lies on the grid of no scan of case {case.name}. "
            "Give the cohort and the predictions that belong together, or predict again."
        )
    grid = oriented(prediction.grid, axes="SPL")
    labels = labels_beside(case, prediction.path) or ()
    labels = labels if len(labels) > 1 else ()  # one is lesion, whatever its value
    soft = map_path(predictions, case.name, PROBABILITY)
    known = all(path.exists() for path in probability_files(soft, labels=labels))
    mask = None if case.mask is None else read_volume(case.mask, allow_constant=True)
    return ShownCase(
        name=case.name,
        modality=modality,
        image=_turned(read_volume(path), grid),
        reference=None if mask is None else _turned_mask(on_prediction(mask, case, prediction), grid, labels),
        prediction=_turned_mask(prediction, grid, labels),
        probability=_turned(read_lesion_probability(soft, labels=labels), grid) if known else None,
        grid=grid,
        labels=labels,
        is_picture=is_picture(prediction.path),
    )


def read_map(predictions: str | Path, name: str, *, grid: Grid) -> np.ndarray:
    """A map float32 of the folder of predictions, on the `grid` of a `ShownCase`; raises as `read_volume` does."""
    return _turned(read_volume(Path(predictions) / name, allow_constant=True), grid)


def _turned(volume: Volume, grid: Grid) -> np.ndarray:
    return resample(np.asarray(volume.data, dtype=np.float32), volume.grid, grid)


def _turned_mask(volume: Volume, grid: Grid, labels: Sequence[int]) -> np.ndarray:
    if labels:
        return resample(np.rint(volume.data).astype(np.uint8), volume.grid, grid, nearest=True)
    return resample((volume.data >= 0.5).astype(np.uint8), volume.grid, grid, nearest=True) > 0
