"""The grid of a prepared case: one orientation, the wanted spacing, a box around the brain."""
from __future__ import annotations

from math import prod

import numpy as np
from scipy import ndimage

from mstl.config import SIDE_MULTIPLE
from mstl.data.grid import Grid, oriented, resample, respaced, stretched
from mstl.data.mni import template
from mstl.data.preparation import MOST_VOXELS, Preparation
from mstl.errors import InputError

AXES = "SPL"  # D inferior to superior, H anterior to posterior, W right to left
_MNI_MARGIN = 4  # voxels around the template's brain: no brain fits it exactly


def native_grid(native: Grid, brain: np.ndarray, preparation: Preparation) -> Grid:
    """The reference's grid turned and re-spaced, cut to a box with the brain (bool, on `native`) in its middle.

    Raises `InputError` where the brain does not fit the shape asked for, or into a single voxel.
    """
    lattice = _lattice(native, preparation)
    inside = resample(brain.view(np.uint8), native, lattice, nearest=True)
    if not inside.any():
        raise InputError("The brain is smaller than a voxel. Ask for a finer --spacing.")
    return _box(lattice, inside, preparation)


def picture_grid(native: Grid, preparation: Preparation) -> Grid:
    """The grid of a picture: stretched to the shape asked for, else in the middle of sides that are multiples of 32.

    Raises `InputError` for a shape of several slices, and for both a shape and a spacing.
    """
    shape = preparation.shape
    if shape is None:
        lattice = _lattice(native, preparation)
        return _box(lattice, np.ones(lattice.shape, np.uint8), preparation)
    if shape[0] != 1:
        sides = ",".join(map(str, shape))
        raise InputError(f"A picture has one slice, --shape {sides} has {shape[0]}. Ask for two sides: --shape H,W.")
    if preparation.spacing is not None:
        raise InputError("A picture is stretched to --shape, whatever the --spacing. Give one of both.")
    return stretched(oriented(native, axes=AXES), shape)


def mni_grid(preparation: Preparation) -> Grid:
    """The same box of MNI space for all cases, 1 mm where no spacing is asked for, around the template's brain."""
    brain = template()
    lattice = _lattice(brain.grid, preparation)
    inside = resample((brain.data > 0).view(np.uint8), brain.grid, lattice, nearest=True)
    return _box(lattice, inside, preparation, margin=_MNI_MARGIN)


def _lattice(grid: Grid, preparation: Preparation) -> Grid:
    turned = oriented(grid, axes=AXES)
    lattice = turned if preparation.spacing is None else respaced(turned, preparation.spacing)
    if prod(lattice.shape) > MOST_VOXELS:
        sides = " x ".join(map(str, lattice.shape))
        raise InputError(f"At this spacing the scan has {sides} voxels. Ask for a coarser --spacing.")
    return lattice


def _box(lattice: Grid, inside: np.ndarray, preparation: Preparation, *, margin: int = 0) -> Grid:
    box = ndimage.find_objects(inside)[0]
    first = np.array([side.start - margin for side in box])
    extent = np.array([side.stop + margin for side in box]) - first
    shape = np.array(preparation.shape or _rounded(extent))
    if np.any(extent - 2 * margin > shape):
        raise InputError(
            f"The brain spans {tuple(map(int, extent - 2 * margin))} voxels (D, H, W), more than the requested shape "
            f"{tuple(map(int, shape))}. Ask for a larger --shape or a coarser --spacing."
        )
    start = first + (extent - shape) // 2
    return lattice.moved(tuple(int(side) for side in start), tuple(shape))


def _rounded(extent: np.ndarray) -> np.ndarray:
    sides = -(-extent // SIDE_MULTIPLE) * SIDE_MULTIPLE
    return np.array([extent[0], *sides[1:]])
