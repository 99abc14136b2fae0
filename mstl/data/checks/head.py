"""Which tissue is bright in a head whose skull is still there, roughly: its brain is not sought, a box is cut."""
from __future__ import annotations

from functools import lru_cache

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.checks.coarse import SIDE, block_means, tissue_maps
from mstl.data.checks.foreground import Foreground
from mstl.data.volume import Volume

WALL_MM = 13.0  # of scalp and skull that are left out at the sides, in front, behind and at the top
BRAIN_MM = 128.0  # from the top of a brain to its lowest part
_UPPER_MM = 100.0  # of a head below its top; face and neck are lower
_SMALLEST_MM, _LARGEST_MM = (100.0, 130.0, 110.0), (175.0, 225.0, 145.0)  # boxes of brains
_LEAST_SHARE = 0.02  # of the largest section: smaller ones are ears, tubes and noise
_CUT_SHARE = 0.5  # of the largest section: where the array ends in more, the top is not in it
_PURE = 0.9  # share of a block that the template's brain fills


def head_signals(volume: Volume, foreground: Foreground) -> tuple[float, float, float] | None:
    """Signal of white matter, grey matter and fluid in a head with its skull, in standard deviations of the box.

    As `coarse.tissue_signals`, on a box below the head's top, with a quadratic field of brightness beside the
    tissues: coils are uneven. None where the head's top is cut off or the box has not a brain's size.
    """
    found = _box(volume, foreground)
    if found is None:
        return None
    low, high = np.percentile(found, (2, 98))
    used = tissue_maps().sum(axis=1) > _PURE
    values = block_means(np.clip(found, low, high)).ravel()[used]
    values = (values - values.mean()) / (values.std() or 1.0)
    weights, *_ = np.linalg.lstsq(np.concatenate([tissue_maps(), _field()], axis=1)[used], values, rcond=None)
    return tuple(float(weight) for weight in weights[:3])


def _box(volume: Volume, foreground: Foreground) -> np.ndarray | None:
    """The thinned scan where a brain must lie, axes towards R, A, S."""
    orientation = nib.io_orientation(volume.affine)
    spacing = np.empty(3)
    spacing[orientation[:, 0].astype(int)] = np.array(volume.spacing) * foreground.stride
    inside = nib.orientations.apply_orientation(_largest(foreground.inside), orientation)
    sections = inside.sum(axis=(0, 1))
    used = np.flatnonzero(sections > _LEAST_SHARE * sections.max()) if inside.any() else ()
    if len(used) == 0 or sections[-1] > _CUT_SHARE * sections.max():
        return None
    top, wall = used[-1], WALL_MM / spacing
    upper = inside[:, :, max(top - int(_UPPER_MM / spacing[2]), 0) : top + 1]
    sides = [_within(upper.sum(axis=(1 - axis, 2)), wall[axis]) for axis in (0, 1)]
    end = top - wall[2]
    sides.append(slice(max(int(end - BRAIN_MM / spacing[2]), 0), max(int(end) + 1, 0)))
    lengths = np.array([side.stop - side.start for side in sides])
    if min(lengths) < SIDE or np.any(lengths * spacing < _SMALLEST_MM) or np.any(lengths * spacing > _LARGEST_MM):
        return None
    thinned = volume.data[tuple(slice(None, None, step) for step in foreground.stride)]
    return nib.orientations.apply_orientation(thinned, orientation)[tuple(sides)].astype(np.float32)


def _largest(inside: np.ndarray) -> np.ndarray:
    """The largest part of the foreground without what hangs on it by a thread."""
    labels, count = ndimage.label(ndimage.binary_opening(inside))
    return inside if count == 0 else labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])


def _within(profile: np.ndarray, wall: float) -> slice:
    """Where a profile is high, without its walls."""
    used = np.flatnonzero(profile > _LEAST_SHARE * profile.max())
    return slice(int(used[0] + wall), max(int(used[-1] - wall) + 1, int(used[0] + wall)))


@lru_cache(maxsize=1)
def _field() -> np.ndarray:
    """Places of the blocks and their squares `(4096, 6)`, each within -1 to 1."""
    axis = np.linspace(-1, 1, SIDE)
    places = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return np.concatenate([places, places**2], axis=1)
