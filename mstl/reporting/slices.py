"""What of a volume to show: where there is tissue, which slices, which range of grey."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstl.data.grid import Grid


def foreground(image: np.ndarray) -> np.ndarray:
    """Voxels of `(N, H, W)` that differ from the background, the median of the in-plane border; bool."""
    image = np.asarray(image, dtype=np.float32)
    level = _background(image)
    reach = float(np.percentile(np.abs(image - level), 99.5))
    return np.abs(image - level) > 0.06 * reach


def shaded(image: np.ndarray) -> np.ndarray:
    """Grey values 0 to 1, float32: the tissue's range from black to white, the background black.

    The background may lie amid the tissue's values, as after normalisation to mean 0.
    """
    image = np.asarray(image, dtype=np.float32)
    tissue = image[foreground(image)]
    if tissue.size == 0:
        return np.zeros_like(image)
    low, high = np.percentile(tissue, (0.5, 99.8))
    grey = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    return np.where(image == _background(image), np.float32(0), grey)


def _background(image: np.ndarray) -> float:
    return float(np.median(np.concatenate([image[:, [0, -1]].ravel(), image[:, :, [0, -1]].ravel()])))


def bounding_box(mask: np.ndarray, *, margin: int) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the True part of a 2D mask, ends excluded; all where none is True."""
    if not mask.any():
        return 0, mask.shape[0], 0, mask.shape[1]
    edges = []
    for axis in (0, 1):
        found = np.flatnonzero(mask.any(axis=1 - axis))
        edges += [max(int(found[0]) - margin, 0), min(int(found[-1]) + 1 + margin, mask.shape[axis])]
    return tuple(edges)


def pick_slices(image: np.ndarray, masks: Sequence[np.ndarray], *, count: int) -> np.ndarray:
    """Indices of up to `count` slices of `(D, H, W)` with most lesion, spread over the lesions' range.

    The slices with lesion (in any mask) are cut into `count` consecutive blocks; each gives its fullest
    slice, one near its middle where others are about as full. Where they are fewer, slices spread over the
    head fill up; without any lesion those alone.
    """
    area = np.zeros(len(image), dtype=int)
    for mask in masks:
        area += np.count_nonzero(mask, axis=(1, 2))
    with_lesion = np.flatnonzero(area)
    blocks = np.array_split(with_lesion, min(count, len(with_lesion))) if len(with_lesion) else []
    picked = [int(block[(area[block] * _towards_middle(len(block))).argmax()]) for block in blocks]
    spare = [index for index in _spread(image, count) if index not in picked]
    return np.array(sorted(picked + spare[: max(count - len(picked), 0)]), dtype=int)


def slice_heights(grid: Grid) -> np.ndarray:
    """World z in mm of the middle of each slice `(D,)` of a grid (D, H, W)."""
    depth, height, width = grid.shape
    middle = grid.affine[2] @ [0, (height - 1) / 2, (width - 1) / 2, 1]
    return middle + grid.affine[2, 0] * np.arange(depth)


def _towards_middle(length: int) -> np.ndarray:
    return 1 - 0.7 * np.abs(np.linspace(-1, 1, length)) if length > 1 else np.ones(1)


def _spread(image: np.ndarray, count: int) -> list[int]:
    """`count` slices evenly over the middle four fifths of those that hold tissue, the middle ones first."""
    coarse = np.asarray(image[:, ::4, ::4], dtype=np.float32)
    found = np.flatnonzero(foreground(coarse).mean(axis=(1, 2)) > 0.02)
    first, last = (found[0], found[-1]) if len(found) else (0, len(image) - 1)
    wanted = first + (last - first) * np.linspace(0.1, 0.9, count)
    middle = (first + last) / 2
    return sorted({round(index) for index in wanted}, key=lambda index: abs(index - middle))
