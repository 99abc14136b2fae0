"""Intensity normalisation of one modality: pure functions of the scan and its brain mask."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mstl.errors import InputError

PERCENTILES = (0.5, 99.5)
WHITE = 255  # of 8-bit greys
IMAGENET_MEAN, IMAGENET_SD = 0.449, 0.226  # of the greys of ImageNet, white 1: means over its three channels


def maximum(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Divide by the largest value in the brain, as the 2021 thesis work does; scans >= 0 end in [0, 1]."""
    largest = image[brain].max()
    if largest <= 0:
        raise InputError(f"The largest value in the brain is {largest:g}; 'max' needs one > 0. Use 'zscore'.")
    return image / largest


def minmax(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Map the smallest and largest value in the brain to 0 and 1."""
    return _between(image, *_extremes(image[brain]))


def percentile(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Map the percentiles 0.5 and 99.5 of the brain to 0 and 1, and cut what lies beyond."""
    low, high = np.percentile(image[brain], PERCENTILES)
    return np.clip(_between(image, float(low), float(high)), 0, 1)


def zscore(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Subtract the mean and divide by the standard deviation of the brain."""
    values = image[brain].astype(np.float64)
    return (image - np.float32(values.mean())) / np.float32(max(values.std(), np.finfo(np.float32).tiny))


def imagenet(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """Scale 8-bit greys as networks that were trained on ImageNet expect them: by its mean and standard deviation."""
    low, high = _extremes(image[brain])
    if low < 0 or high > WHITE:
        raise InputError(
            f"Values span {low:g} to {high:g}; 'imagenet' needs greys from 0 to {WHITE}. Use 'zscore' or 'percentile'."
        )
    return (image / np.float32(WHITE) - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_SD)


def _extremes(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _between(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return (image - np.float32(low)) / np.float32(max(high - low, np.finfo(np.float32).tiny))


NORMALISATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "max": maximum,
    "minmax": minmax,
    "zscore": zscore,
    "percentile": percentile,
    "imagenet": imagenet,
}


def normalise(image: np.ndarray, brain: np.ndarray, *, method: str) -> np.ndarray:
    """Normalise `image` (float, any shape) within `brain` (bool, same shape); voxels outside become 0.

    `method` is one of "max", "minmax", "zscore", "percentile", "imagenet"; raises `InputError` for another one,
    where the brain is empty or holds one value only, and for "imagenet" where values are no 8-bit greys.
    """
    if method not in NORMALISATIONS:
        raise InputError(f"Normalisation '{method}' is unknown. Choose one of {', '.join(NORMALISATIONS)}.")
    if not brain.any():
        raise InputError("The brain mask is empty; normalisation needs at least one voxel in it.")
    low, high = _extremes(image[brain])
    if low == high:
        raise InputError(f"The scan is {low:g} everywhere in the brain; it must vary. Leave it out.")
    return np.where(brain, NORMALISATIONS[method](image.astype(np.float32), brain), np.float32(0))
