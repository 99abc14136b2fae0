"""Was the brain of a scan extracted before? Its background is then one value, and no scalp surrounds it."""
from __future__ import annotations

import numpy as np
from scipy import ndimage

from mstl.data.grid import resample, respaced
from mstl.data.volume import Volume

BACKGROUND_FRACTION = 0.01  # of the 99th percentile: nearer to the background is interpolation noise around a brain
LEAST_BACKGROUND = 0.15  # of all voxels have the background's value; a brain fills about half of its box
LEAST_EXACT = 0.9  # of the background voxels have its very value; the rest is interpolation noise
LARGEST_ML = 2300.0  # the largest brains, with their fluid; an adult's head with its scalp has 3000 ml and more
SHELL_MM, DEEPEST_MM = 2.0, 30.0  # of the profile from the surface inwards
DIP = 0.8  # skull is darker than this part of what lies on both sides of it


def extracted_brain(image: Volume) -> np.ndarray | None:
    """The brain (bool, the image's grid) where the image shows an extracted one, else None.

    It is the largest component of what differs from the background, holes filled.
    """
    data = np.asarray(image.data, dtype=np.float32)
    background = _commonest(data)
    if np.count_nonzero(data == background) < LEAST_BACKGROUND * data.size:
        return None
    height = np.abs(data - background)
    inside = height > BACKGROUND_FRACTION * np.percentile(height[height > 0], 99)
    if np.count_nonzero(data == background) < LEAST_EXACT * np.count_nonzero(~inside):
        return None
    brain = ndimage.binary_fill_holes(largest_part(inside))
    if np.count_nonzero(brain) * np.prod(image.spacing) / 1000 > LARGEST_ML or _has_scalp(image, brain):
        return None
    return brain


def largest_part(inside: np.ndarray) -> np.ndarray:
    """The largest component of a region (6 neighbours); the region itself where it is empty."""
    labels, count = ndimage.label(inside)
    return inside if count < 2 else labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def _commonest(data: np.ndarray) -> float:
    """The value of the corners that most voxels have, else 0."""
    corners = np.unique(data[:: data.shape[0] - 1 or 1, :: data.shape[1] - 1 or 1, :: data.shape[2] - 1 or 1])
    return max((float(value) for value in (*corners, 0.0)), key=lambda value: np.count_nonzero(data == value))


def _has_scalp(image: Volume, region: np.ndarray) -> bool:
    """Whether the intensity dips on the way inwards, as where skull lies between scalp and brain."""
    grid = respaced(image.grid, (SHELL_MM,) * 3)
    values = resample(np.asarray(image.data, dtype=np.float32), image.grid, grid)
    inside = np.pad(resample(region.view(np.uint8), image.grid, grid, nearest=True), 1)
    depth = ndimage.distance_transform_edt(inside, sampling=SHELL_MM)[1:-1, 1:-1, 1:-1]
    shell = np.minimum(depth, DEEPEST_MM) // SHELL_MM
    count = int(shell.max()) + 1
    if count < DEEPEST_MM / SHELL_MM / 2:
        return False  # too small for a head
    profile = np.array(ndimage.median(values, shell, np.arange(1, count)))
    before, after = np.maximum.accumulate(profile), np.maximum.accumulate(profile[::-1])[::-1]
    return bool(np.any(profile < DIP * np.minimum(before, after)))
