"""Brain extraction by a small network of our own, trained on synthetic heads of every contrast only."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mstl.data.brain_extracted import largest_part
from mstl.data.grid import Grid, oriented, resample, respaced
from mstl.data.volume import Volume
from mstl.errors import InputError
from mstl.files import shipped_folder

WEIGHTS = "brain-extraction.h5"
SPACING_MM = 3.0
SIDES = (64, 80, 64)  # voxels of a training sample, R-L, P-A, I-S; smaller images are padded to them
THRESHOLD = 0.45  # a little below one half: cortex that is cut off costs more than a rim of fluid
LEAST_CORRELATION = 0.3  # of an image with itself 9 mm away: heads have 0.6 to 0.8, noise 0.1
LEAST_ML = 100.0  # less is no brain that the network was trained on
_MULTIPLE = 16  # of which the network's sides must be


class View(NamedTuple):
    """How an image is shown to the network: moved by part of a voxel, and brighter (gamma below 1) or darker."""

    shift: float
    gamma: float


VIEWS = (View(0.25, 0.7), View(0.75, 1.4))  # the mean of several answers is better than one


def network_brain(images: Sequence[Volume]) -> Volume:
    """Brain mask uint8 on the grid of the first of several co-registered images of one world.

    The network's probabilities are averaged over images and views of them. Raises `InputError` where less than
    100 ml of brain is found. The method is SynthStrip's (Hoopes et al. 2022, doi:10.1016/j.neuroimage.2022.119474),
    on heads that are all synthetic; the network's card is in `weights/README.md`.
    """
    first = images[0]
    total, weight = (np.zeros(first.shape, np.float32) for _ in range(2))
    for image in images:
        for probability, grid in brain_probabilities(image):
            total += resample(probability, grid, first.grid)
            weight += resample(np.ones_like(probability), grid, first.grid)
    mean = total / np.maximum(weight, 1e-3)
    brain = ndimage.binary_fill_holes(largest_part(mean > THRESHOLD)) & ~all(map(_is_noise, images))
    found_ml = first.grid.volume_ml(brain)
    if found_ml < LEAST_ML:
        name = first.path or "the image"
        raise InputError(
            f"No brain was found in {name} ({found_ml:.0f} ml of it, {LEAST_ML:.0f} ml are expected). "
            "Check that it shows a head, or give the case a brain_mask."
        )
    return Volume(brain.astype(np.uint8), first.affine, first.path)


def brain_probabilities(image: Volume) -> Iterator[tuple[np.ndarray, Grid]]:
    """For each view, the probability float32 of brain at 3 mm in the orientation nearest to RAS, and its grid.

    It is the mean of what the network says to the image and to its mirror image.
    """
    whole = respaced(oriented(image.grid, axes="RAS"), (SPACING_MM,) * 3)
    values = scaled(_smoothed(image))
    for view in VIEWS:
        move = np.eye(4)
        move[:3, 3] = -view.shift
        grid = Grid(tuple(side + 1 for side in whole.shape), whole.affine @ move)
        yield _answer(resample(values, image.grid, grid) ** np.float32(view.gamma)), grid


def _answer(values: np.ndarray) -> np.ndarray:
    """The network's probability for scaled intensities of any shape, padded in the meantime."""
    sides = [max(-(-side // _MULTIPLE) * _MULTIPLE, least) for side, least in zip(values.shape, SIDES, strict=True)]
    before = [(side - old) // 2 for side, old in zip(sides, values.shape, strict=True)]
    inside = tuple(slice(b, b + old) for b, old in zip(before, values.shape, strict=True))
    padded = np.zeros(sides, np.float32)
    padded[inside] = values
    found = np.asarray(_network()(np.stack([padded, padded[::-1]])[..., None], training=False))[..., 0]
    return np.ascontiguousarray((found[0] + found[1][::-1])[inside] / 2)


def _is_noise(image: Volume) -> bool:
    """Whether an image tells nothing about itself 9 mm away, in which any blob could pass for a brain."""
    grid = respaced(image.grid, (SPACING_MM,) * 3)
    values = resample(scaled(_smoothed(image)), image.grid, grid)
    pairs = [
        (np.take(values, range(side - 3), axis).ravel(), np.take(values, range(3, side), axis).ravel())
        for axis, side in enumerate(values.shape)
        if side > 6
    ]
    alike = [np.corrcoef(*pair)[0, 1] for pair in pairs if min(map(np.std, pair)) > 0]
    return not alike or float(np.mean(alike)) < LEAST_CORRELATION


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
