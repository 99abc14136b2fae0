"""Reference masks in the world of their predictions, also those that were drawn on a scan that was moved."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mstl.data.case import Case
from mstl.data.grid import resample
from mstl.data.prepared import PreparedCase
from mstl.data.volume import Volume, read_grid
from mstl.files import read_json

MOTIONS = "scans_to_reference"  # in a prediction's .json: matrix (4, 4) by modality, world mm RAS+ to world mm RAS+


def motions(case: PreparedCase) -> dict[str, list]:
    """How each scan of a case was moved onto the reference before it was segmented; the identity where it was not."""
    moved = next((step["scans"] for step in case.record["steps"] if step["name"] == "coregister"), {})
    return {name: moved[name]["matrix"] if name in moved else np.eye(4).tolist() for name in case.modalities}


def on_prediction(mask: Volume, case: Case, prediction: Volume, *, anywhere: bool = False) -> Volume:
    """The mask on the prediction's grid, nearest neighbour, if it was drawn on a scan that the prediction was made of.

    It goes with the first scan whose grid it has, as in `mstl.prepare`. A mask on another grid stays as it is, or,
    with `anywhere`, is resampled by its own affine. Values and dtype are kept; 0 outside of the mask's field of view.
    """
    world = _world_of(mask, case, prediction.path)
    if world is None and not anywhere:
        return mask
    placed = mask if world is None else Volume(mask.data, world @ mask.affine, mask.path)
    if placed.grid.difference(prediction.grid) is None:
        return placed
    return Volume(resample(mask.data, placed.grid, prediction.grid, nearest=True), prediction.affine, mask.path)


def _world_of(mask: Volume, case: Case, prediction: Path) -> np.ndarray | None:
    """The motion of the scan that the mask was drawn on; None where it has the grid of none."""
    for modality, matrix in _recorded(case, prediction).items():
        if modality in case.images and mask.grid.difference(read_grid(case.images[modality])) is None:
            return np.asarray(matrix, dtype=float)
    return None


def _recorded(case: Case, prediction: Path) -> Mapping[str, list]:
    """The motions beside a prediction; none where another program, or an older mstl, made it."""
    record = prediction.with_name(f"{case.name}.json")
    return read_json(record).get(MOTIONS, {}) if record.is_file() else {}
