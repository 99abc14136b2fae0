"""Brain extraction by a small network of our own, trained on synthetic heads of every contrast only."""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import ndimage

from mstl.data.brain_extracted import largest_part, volume_ml
from mstl.data.grid import Grid, oriented, resample, respaced
from mstl.data.volume import Volume
from mstl.errors import InputError
from mstl.files import shipped_folder

WEIGHTS = "brain-extraction.h5"
SPACING_MM = 3.0
SIDES = (64, 80, 64)  # voxels of a training sample, R-L, P-A, I-S; smaller images are padded to them
LEAST_ML = 100.0  # less is no brain that the network was trained on
_MULTIPLE = 16  # of which the network's sides must be


def network_brain(images: Sequence[Volume]) -> Volume:
    """Brain mask uint8 on the grid of the first of several co-registered images of one world.

    The network's probabilities are averaged where images overlap. Raises `InputError` where less than 100 ml of
    brain is found. The method is SynthStrip's (Hoopes et al. 2022, doi:10.1016/j.neuroimage.2022.119474), on
    heads that are all synthetic; the network's card is in `weights/README.md`.
    """
    first = images[0]
    total, weight = (np.zeros(first.shape, np.float32) for _ in range(2))
    for image in images:
        probability, grid = brain_probability(image)
        total += resample(probability, grid, first.grid)
        weight += resample(np.ones_like(probability), grid, first.grid)
    mean = total / np.maximum(weight, 1e-3)
    brain = ndimage.binary_fill_holes(largest_part(mean > 0.5))
    found_ml = volume_ml(brain, first.affine)
    if found_ml < LEAST_ML:
        name = first.path or "the image"
        raise InputError(
            f"No brain was found in {name} ({found_ml:.0f} ml of it, {LEAST_ML:.0f} ml are expected). "
            "Check that it shows a head, or give the case a brain_mask."
        )
    return Volume(brain.astype(np.uint8), first.affine, first.path)


def brain_probability(image: Volume) -> tuple[np.ndarray, Grid]:
    """Probability float32 of brain at 3 mm in the orientation nearest to RAS, and its grid."""
    grid = respaced(oriented(image.grid, axes="RAS"), (SPACING_MM,) * 3)
    values = scaled(resample(_smoothed(image), image.grid, grid))
    sides = [max(-(-side // _MULTIPLE) * _MULTIPLE, least) for side, least in zip(values.shape, SIDES, strict=True)]
    before = [(side - old) // 2 for side, old in zip(sides, values.shape, strict=True)]
    inside = tuple(slice(b, b + old) for b, old in zip(before, values.shape, strict=True))
    padded = np.zeros(sides, np.float32)
    padded[inside] = values
    found = _network().predict_on_batch(np.stack([padded, padded[::-1]])[..., None])[..., 0]
    return np.ascontiguousarray((found[0] + found[1][::-1])[inside] / 2), grid


def scaled(values: np.ndarray) -> np.ndarray:
    """Intensities float32 about 0 to 1: the first percentile becomes 0, the head's 98th 1, cut at 1.5."""
    values = np.asarray(values, dtype=np.float32)
    low = np.percentile(values, 1)
    head = values[values > values.mean()]
    high = np.percentile(head, 98) if head.size else low
    return np.clip((values - low) / max(float(high - low), 1e-6), 0, 1.5)


def _smoothed(image: Volume) -> np.ndarray:
    """The image without what a grid of 3 mm cannot show: means over about 3 mm along each finer axis."""
    size = [max(round(SPACING_MM / step), 1) for step in image.spacing]
    return ndimage.uniform_filter(np.asarray(image.data, dtype=np.float32), size, mode="nearest")


@lru_cache(maxsize=1)
def _network():
    from mstl._keras import keras

    return keras.models.load_model(shipped_folder() / WEIGHTS, compile=False)
