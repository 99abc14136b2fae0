"""A scan in 4096 numbers: enough to see that two are one, and which tissue is bright."""
from __future__ import annotations

from functools import lru_cache

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.checks.foreground import Foreground
from mstl.data.volume import Volume

SIDE = 16


def shrink(volume: Volume, foreground: Foreground) -> np.ndarray | None:
    """The box about the foreground as means of blocks: float16 `(16, 16, 16)`, axes towards R, A, S.

    Values are in standard deviations from the foreground's mean. None where the box is smaller than that.
    """
    box = ndimage.find_objects(foreground.inside.view(np.uint8))
    if not box or min(side.stop - side.start for side in box[0]) < SIDE:
        return None
    inside = foreground.inside[box[0]]
    values = volume.data[tuple(slice(None, None, step) for step in foreground.stride)][box[0]].astype(np.float32)
    known = values[inside]
    values = np.where(inside, (values - known.mean()) / (known.std() or 1.0), 0)
    blocks = block_means(_towards_ras(values, volume.affine))
    return blocks.astype(np.float16)


def _towards_ras(values: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return nib.orientations.apply_orientation(values, nib.io_orientation(affine))


def block_means(values: np.ndarray) -> np.ndarray:
    """Means of `(16, 16, 16)` blocks of an array that is at least as large."""
    for axis, side in enumerate(values.shape):
        edges = np.linspace(0, side, SIDE + 1).round().astype(int)
        shape = [1, 1, 1]
        shape[axis] = SIDE
        values = np.add.reduceat(values, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return values


def details_of(coarse: np.ndarray) -> np.ndarray:
    """What is finer than 3 blocks, flat float32 of length 1: its products are correlations."""
    values = coarse.astype(np.float32)
    fine = (values - ndimage.gaussian_filter(values, 1.5)).ravel()
    fine -= fine.mean()
    return fine / (np.linalg.norm(fine) or 1.0)


def tissue_signals(coarse: np.ndarray) -> tuple[float, float, float]:
    """Signal of white matter, grey matter and fluid, in standard deviations of the scan.

    Least squares of the blocks on the tissue maps of `load_template` in its own brain's box: rough, for no head
    is registered, but the order of the three holds.
    """
    maps = tissue_maps()
    used = maps.sum(axis=1) > 0.5
    weights, *_ = np.linalg.lstsq(maps[used], coarse.astype(np.float32).ravel()[used], rcond=None)
    return tuple(float(weight) for weight in weights)


@lru_cache(maxsize=1)
def tissue_maps() -> np.ndarray:
    """White, grey and fluid of the template `(4096, 3)`, as `shrink` would cut a brain."""
    from mstl.data.heads.anatomy import load_template

    template = load_template()
    brain = np.kron(template.depth > 0, np.ones((2, 2, 2), bool))[tuple(map(slice, template.grey.shape))]
    box = ndimage.find_objects(brain.view(np.uint8))[0]
    fluid = np.clip(1 - template.white - template.grey, 0, 1)
    maps = [block_means(np.where(brain, tissue, 0)[box]) for tissue in (template.white, template.grey, fluid)]
    return np.stack([one.ravel() for one in maps], axis=1).astype(np.float32)
