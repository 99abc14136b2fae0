"""The files of a predicted case: mask and maps on the grid of its reference scan, and a .json that tells of them."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mstl.data.prepared import PreparedCase, to_native
from mstl.data.volume import write_volume
from mstl.evaluation.decision import Decision
from mstl.evaluation.maps import PROBABILITY
from mstl.evaluation.pairs import PREDICTION
from mstl.evaluation.predictor import LESION
from mstl.evaluation.references import MOTIONS, motions
from mstl.files import write_json


def on_native_grid(probability: np.ndarray, case: PreparedCase) -> np.ndarray:
    """Probabilities on the grid of the case's reference scan, interpolated linearly.

    The lesion's `(i, j, k, 1)` of up to two classes, else every class's `(i, j, k, K)`.
    """
    if probability.shape[-1] <= 2:
        return to_native(probability[..., LESION], case).data[..., None]
    native = np.empty((*case.native_grid.shape, probability.shape[-1]), np.float32)
    for number in range(1, native.shape[-1]):
        native[..., number] = to_native(probability[..., number], case).data
    native[..., 0] = np.clip(1 - native[..., 1:].sum(axis=-1), 0, 1)  # outside of the prepared volume is background
    return native


def write_prediction(
    out: Path,
    case: PreparedCase,
    probability: np.ndarray,
    decision: Decision,
    *,
    maps: Mapping[str, np.ndarray],
    facts: Mapping[str, object],
) -> None:
    """Write mask, probability, `maps` (by the end of their names) and the .json of a case into the folder `out`.

    `probability` is that of `on_native_grid`, `maps` are `(i, j, k)` on the same grid, `facts` go into the .json.
    """
    grid, labels = case.native_grid, decision.labels
    prediction = decision(probability, voxel_ml=grid.voxel_ml)
    shown = probability[..., 0] if probability.shape[-1] == 1 else probability
    for ending, data in {PROBABILITY: shown, PREDICTION: prediction, **maps}.items():
        write_volume(out / f"{case.name}{ending}", data, grid.affine)
    record = {
        "case": case.name,
        "space": "grid of the reference scan",
        "reference": case.record["sources"][case.modalities[0]],
        MOTIONS: motions(case),
        "brain": next((step["method"] for step in case.record["steps"] if step["name"] == "brain"), None),
        "lesion_ml": grid.volume_ml(prediction),
        **({"label_ml": {label: grid.volume_ml(prediction == label) for label in labels}} if labels else {}),
        **facts,
    }
    write_json(out / f"{case.name}.json", record)
