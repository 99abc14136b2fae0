"""Windows cut out of a slice and its mask: near lesions, or anywhere with some of each class."""
from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

MARGIN = 1.25  # an augmented crop is cut larger, so that turning it brings in tissue, not a black corner
REDRAWS = 10  # until a crop has little enough of one class, as mmsegmentation's RandomCrop has it

Sides = tuple[int, int]


def crop_window(
    image: np.ndarray, mask: np.ndarray, *, sides: Sides, lesion: float, margin: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the same window, of `margin` times `sides`, out of image `(H, W, C)` and mask `(H, W)`.

    It is smaller where they are smaller. Its centre is near a lesion voxel with probability `lesion`, else at a voxel
    that is not background.
    """
    wanted = random.random() < lesion
    voxels = np.flatnonzero(mask) if wanted else ()
    if not len(voxels):
        voxels = np.flatnonzero(image[..., image.shape[-1] // 2])
    centre = voxels[random.integers(len(voxels))] if len(voxels) else mask.size // 2
    window = []
    for place, crop, length in zip(divmod(int(centre), mask.shape[1]), sides, mask.shape, strict=True):
        side = ceil(margin * crop)
        shift = int(random.integers(-(side // 4), side // 4 + 1))
        start = min(max(0, place + shift - side // 2), max(0, length - side))
        window.append(slice(start, start + side))
    return image[tuple(window)], mask[tuple(window)]


def even_window(
    image: np.ndarray, mask: np.ndarray, *, sides: Sides, class_share: float, margin: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the same window of `sides` out of image `(H, W, C)` and mask `(H, W)`, anywhere in them alike.

    While it shows one class only, or one class (the background is one) has `class_share` of it or more, another one is
    drawn, up to ten times; the last is taken as it is. With a `margin` above 1 it is cut so much larger around its
    middle, and mirrored where that reaches beyond the image.

    Source: `RandomCrop` of mmsegmentation with its `cat_max_ratio`.
    """
    window = _draw(mask.shape, sides, random)
    for _ in range(REDRAWS):
        counts = np.unique(mask[window], return_counts=True)[1]
        if len(counts) > 1 and counts.max() / counts.sum() < class_share:
            break
        window = _draw(mask.shape, sides, random)
    beyond = [ceil((margin - 1) * side / 2) for side in sides]
    return _grown(image, window, beyond), _grown(mask, window, beyond)


def _draw(shape: Sequence[int], sides: Sides, random: np.random.Generator) -> tuple[slice, slice]:
    starts = [int(random.integers(max(length - side, 0) + 1)) for length, side in zip(shape, sides, strict=True)]
    first, second = (slice(start, start + side) for start, side in zip(starts, sides, strict=True))
    return first, second


def _grown(array: np.ndarray, window: tuple[slice, slice], beyond: Sequence[int]) -> np.ndarray:
    """The window and `beyond` more at each of its sides, mirrored beyond the array."""
    inside, missing = [], []
    for part, more, length in zip(window, beyond, array.shape[:2], strict=True):
        start, stop = part.start - more, min(part.stop, length) + more
        inside.append(slice(max(start, 0), min(stop, length)))
        missing.append((max(-start, 0), max(stop - length, 0)))
    cut = array[tuple(inside)]
    if not np.any(missing):
        return cut
    return np.pad(cut, [*missing, *[(0, 0)] * (array.ndim - 2)], mode="symmetric")
