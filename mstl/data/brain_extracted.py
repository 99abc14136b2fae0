"""Was the brain of a scan extracted before? Its background is then one value, and what is left is of a brain's size."""
from __future__ import annotations

import numpy as np
from scipy import ndimage

from mstl.data.volume import Volume

BACKGROUND_FRACTION = 0.01  # of the 99th percentile: nearer to the background is interpolation noise around a brain
LEAST_BACKGROUND = 0.15  # of all voxels have the background's value; a brain fills about half of its box
LEAST_EXACT = 0.9  # of the background voxels have its very value; the rest is interpolation noise
LARGEST_ML = 2200.0  # the largest brains, with their fluid; an adult's head with its scalp has 3000 ml and more


def extracted_brain(image: Volume) -> np.ndarray | None:
    """The brain (bool, the image's grid) where the image shows an extracted one, else None.

    It is the largest component of what differs from the background, holes filled. A small head whose air is
    exactly one value is taken for a brain too: above about 1800 ml ask the network (`find_brain_mask` does).
    """
    data = np.asarray(image.data, dtype=np.float32)
    background = _commonest(data)
    exact = np.count_nonzero(data == background)
    if not LEAST_BACKGROUND * data.size <= exact < data.size:
        return None
    height = np.abs(data - background)
    inside = height > BACKGROUND_FRACTION * np.percentile(height[height > 0], 99)
    if exact < LEAST_EXACT * np.count_nonzero(~inside):
        return None
    brain = ndimage.binary_fill_holes(largest_part(inside))
    return brain if image.grid.volume_ml(brain) <= LARGEST_ML else None


def largest_part(inside: np.ndarray) -> np.ndarray:
    """The largest component of a region (6 neighbours); the region itself where it is empty."""
    labels, count = ndimage.label(inside)
    return inside if count < 2 else labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def _commonest(data: np.ndarray) -> float:
    """The value of a corner that most voxels have, or 0."""
    corners = np.unique(data[:: data.shape[0] - 1 or 1, :: data.shape[1] - 1 or 1, :: data.shape[2] - 1 or 1])
    return max((float(value) for value in (*corners, 0.0)), key=lambda value: np.count_nonzero(data == value))
