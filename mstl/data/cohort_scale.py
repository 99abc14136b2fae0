"""The histogram scale of a cohort: learned from its prepared cases, then laid on each without preparing it again.

A case is first prepared on [0, 1] between its own outer landmarks, which its record keeps. What is left to do when
the scale is known is a map of float16 values, so the costly steps run once.
"""
from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mstl.data.nyul import landmarks, standard_scale, to_scale, to_unit
from mstl.data.preparation import Preparation
from mstl.data.prepared import PREPARATION, RECORD
from mstl.files import read_json

LANDMARKS = "landmarks"  # of a case, in its record, by modality
_FARTHEST = 100.0  # of the distance between the outer landmarks


def on_unit(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """A scan on [0, 1] between its outer landmarks in the brain `inside`, 0 around it; and all its landmarks.

    What lies farther beyond than `_FARTHEST` is cut there: float16 ends at 65504.
    """
    marks = landmarks(values, inside)
    unit = np.clip(to_unit(values, marks), -_FARTHEST, _FARTHEST)
    return np.where(inside, unit, 0), marks.tolist()


def on_scale(image: np.ndarray, marks: Mapping[str, Sequence[float]], preparation: Preparation) -> np.ndarray:
    """An image `(D, H, W, C)` float16 of channels made by `on_unit`, brought to the landmarks of `preparation`."""
    standardised = np.empty(image.shape, np.float16)
    for channel, modality in enumerate(preparation.modalities):
        table = _table(marks[modality], preparation.landmarks[modality])
        standardised[..., channel] = table[image[..., channel].view(np.uint16)]
    return standardised


def learned(preparation: Preparation, folders: Iterable[Path]) -> Preparation:
    """The preparation with the scale of the cases in `folders`, which were prepared without one."""
    found = [read_json(folder / RECORD)[LANDMARKS] for folder in folders]
    scale = {name: standard_scale(marks[name] for marks in found).tolist() for name in preparation.modalities}
    return replace(preparation, landmarks=scale)


def with_stored_scale(preparation: Preparation, out: Path) -> Preparation:
    """The preparation with the scale that an earlier run into `out` learned for equal parameters, if there is one."""
    if not (preparation.learns_scale and (out / PREPARATION).exists()):
        return preparation
    stored = read_json(out / PREPARATION)
    asked = json.loads(json.dumps(preparation.to_record()))
    if not stored.get("landmarks") or {**stored, "landmarks": None} != asked:
        return preparation
    return replace(preparation, landmarks=stored["landmarks"])


def _table(marks: Sequence[float], scale: Sequence[float]) -> np.ndarray:
    """Where each of the 65536 float16 values goes, by its bits."""
    values = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    with np.errstate(all="ignore"):  # values that `on_unit` does not give may end as infinite
        limit = np.finfo(np.float16).max
        return np.clip(to_scale(values, marks, scale), -limit, limit).astype(np.float16)
