"""Histogram standardisation: one scale of intensities for the scans of a cohort, learned from their landmarks.

Nyul and Udupa 1999, doi 10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M; Nyul, Udupa and Zhang
2000, doi 10.1109/42.836373; the percentiles are those of Shah et al. 2011, doi 10.1016/j.media.2010.12.003.
A scan is brought to [0, 1] between its outer landmarks (`to_unit`), then its inner ones to those of the scale
(`to_scale`). Both can be done apart: what is 0 in the first step stays 0 in the second.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mstl.errors import InputError

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)


def landmarks(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Values of `image` at the percentiles 1, 10, 20, ..., 90, 99 of `brain` (bool, same shape): float64 `(11,)`.

    Each is the value of a voxel, so that landmarks follow any rising map of the values exactly. Raises
    `InputError` where the brain is empty, or one value fills it between the percentiles 1 and 99.
    """
    if not brain.any():
        raise InputError("The brain mask is empty; landmarks need at least one voxel in it.")
    found = np.percentile(image[brain], PERCENTILES, method="inverted_cdf").astype(np.float64)
    if found[0] == found[-1]:
        raise InputError(
            f"The scan is {found[0]:g} in 98 of 100 voxels of the brain, so it has no histogram to standardise. "
            "Leave it out, or normalise by 'zscore'."
        )
    return found


def standard_scale(found: Iterable[Sequence[float]]) -> np.ndarray:
    """The scale of several scans' landmarks, each `(11,)`: their mean on [0, 1], float64 `(11,)`.

    Raises `InputError` where none is given.
    """
    units = [to_unit(np.asarray(marks, dtype=np.float64), marks) for marks in found]
    if not units:
        raise InputError("A standard scale needs the landmarks of at least one scan; none was given.")
    return np.mean(units, axis=0)


def standardise(image: np.ndarray, brain: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """Map the landmarks of `image` within `brain` to `scale`, linearly between and beyond; float32, 0 outside.

    Rises with the image; does not depend on its units. Raises `InputError` as `landmarks` does.
    """
    marks = landmarks(image, brain)
    unit = to_unit(np.where(brain, image, marks[0]), marks)
    return np.where(brain, to_scale(unit, marks, scale), 0).astype(np.float32)


def to_unit(values: np.ndarray, marks: Sequence[float]) -> np.ndarray:
    """Bring the first landmark to 0 and the last one to 1."""
    return (values - marks[0]) / (marks[-1] - marks[0])


def to_scale(unit: np.ndarray, marks: Sequence[float], scale: Sequence[float]) -> np.ndarray:
    """Map values that `to_unit` made with `marks` so that the landmarks lie where `scale` has them; 0 stays 0."""
    knots, targets = _knots(to_unit(np.asarray(marks, dtype=np.float64), marks), np.asarray(scale, dtype=np.float64))
    slopes = np.diff(targets) / np.diff(knots)
    mapped = np.interp(unit, knots, targets)
    mapped += slopes[0] * np.minimum(unit - knots[0], 0)
    mapped += slopes[-1] * np.maximum(unit - knots[-1], 0)
    return mapped


def _knots(marks: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks that differ and where they go: equal ones to the mean of theirs, those at an end to that end."""
    knots, place = np.unique(marks, return_inverse=True)
    targets = np.bincount(place, weights=scale) / np.bincount(place)
    targets[[0, -1]] = scale[[0, -1]]
    return knots, targets
