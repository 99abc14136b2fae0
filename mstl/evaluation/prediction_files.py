"""The files of a predicted case: mask and maps on the grid of its reference scan, and a .json that tells of them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mstl.data.prepared import PreparedCase, to_native
from mstl.data.volume import write_volume
from mstl.evaluation.decision import Decision
from mstl.evaluation.maps import CERTAIN, OVERLAY, PREDICTION, PROBABILITY, of_picture, probability_files
from mstl.evaluation.overlay import draw_overlay
from mstl.evaluation.predictor import LESION
from mstl.evaluation.references import MOTIONS, motions
from mstl.files import write_json
from mstl.training.panels import write_png

WHITE = 255  # of 8-bit pictures


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
    reference: np.ndarray | None = None,
) -> None:
    """Write mask, probability, `maps` (by the end of their names) and the .json of a case into the folder `out`.

    `probability` is that of `on_native_grid`, `maps` are `(i, j, k)` on the same grid, `facts` go into the .json.
    Of a picture, files are PNG: the mask is white for lesion, or holds the values of several labels; probabilities are
    of 16 bits, 65535 for 1, each of several labels in `<case>_probability_<label>.png`. It has no maps;
    `<case>_overlay.png` shows it with contours of the prediction and, where there is one, of the `reference`, the
    values `(i, j, k)` of its mask.
    """
    prediction = decision(probability, voxel_ml=case.native_grid.voxel_ml)
    if case.is_picture:
        _write_pictures(out, case, probability, prediction, decision.labels, reference)
    else:
        shown = probability[..., 0] if probability.shape[-1] == 1 else probability
        for ending, data in {PROBABILITY: shown, PREDICTION: prediction, **maps}.items():
            write_volume(out / f"{case.name}{ending}", data, case.native_grid.affine)
    record = {
        "case": case.name,
        "space": "pixels of the image" if case.is_picture else "grid of the reference scan",
        "reference": case.record["sources"][case.modalities[0]],
        MOTIONS: motions(case),
        "brain": next((step["method"] for step in case.record["steps"] if step["name"] == "brain"), None),
        **_sizes(case, prediction, decision.labels),
        **facts,
    }
    write_json(out / f"{case.name}.json", record)


def _sizes(case: PreparedCase, prediction: np.ndarray, labels: Sequence[int]) -> dict[str, object]:
    """How large the lesion is and, where there are labels, each of them: in ml, of pictures in pixels."""
    unit, size = ("pixels", _pixels) if case.is_picture else ("ml", case.native_grid.volume_ml)
    each = {f"label_{unit}": {label: size(prediction == label) for label in labels}} if labels else {}
    return {f"lesion_{unit}": size(prediction), **each}


def _pixels(region: np.ndarray) -> int:
    return int(np.count_nonzero(region))


def _write_pictures(
    out: Path,
    case: PreparedCase,
    probability: np.ndarray,
    prediction: np.ndarray,
    labels: Sequence[int],
    reference: np.ndarray | None,
) -> None:
    """Write mask (white is lesion, or the values of several labels), probabilities of 16 bits, and the overlay."""
    affine, several = case.native_grid.affine, len(labels) > 1
    mask = prediction if several else np.where(prediction > 0, WHITE, 0).astype(np.uint8)
    write_volume(of_picture(out / f"{case.name}{PREDICTION}"), mask, affine)
    files = probability_files(of_picture(out / f"{case.name}{PROBABILITY}"), labels=labels)
    for channel, path in enumerate(files, start=int(several)):
        write_volume(path, np.rint(probability[..., channel] * CERTAIN).astype(np.uint16), affine)
    seen = to_native(np.asarray(case.image[..., 0], np.float32), case).data[..., 0]
    truth = None if reference is None else reference[..., 0]
    overlay = draw_overlay(seen, prediction[..., 0], reference=truth, labels=labels if several else ())
    write_png(out / f"{case.name}{OVERLAY}", overlay)
