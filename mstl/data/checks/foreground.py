"""Where the head or brain is in a scan, and whether its skull was taken away."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mstl.data.volume import Volume

LARGEST_BRAIN_ML = 2400  # a scan whose foreground is larger shows a head
LEAST_EMPTY = 0.25  # share of voxels that brain extraction sets to one value, at least
EDGE_FRACTION, AIR_FRACTION = 0.01, 0.12  # of the 99th percentile: interpolation noise, and noise of the air
_VOXELS = 1_000_000  # of a scan that are looked at


@dataclass(frozen=True, eq=False)
class Foreground:
    """The part of a scan that is not background: `inside` bool on the lattice taken every `stride` voxels.

    `extracted` says that all around it is one value, as after brain extraction; `ml` is its volume; `threshold`
    how far from the `background` value a voxel of it lies at least.
    """

    inside: np.ndarray
    stride: tuple[int, int, int]
    background: float
    threshold: float
    extracted: bool
    ml: float


def find_foreground(volume: Volume) -> Foreground:
    """Tell head or brain from the background of a scan."""
    stride = strides(volume)
    values = volume.data[tuple(slice(None, None, step) for step in stride)].astype(np.float32)
    background = _border_value(volume.data)
    high = float(np.percentile(values, 99)) - background or 1.0
    distance = np.abs(values - background)
    voxel_ml = float(np.prod(volume.spacing) * np.prod(stride)) / 1000
    inside = distance > EDGE_FRACTION * abs(high)
    extracted = bool(np.mean(distance == 0) > LEAST_EMPTY and inside.sum() * voxel_ml < LARGEST_BRAIN_ML)
    fraction = EDGE_FRACTION if extracted else AIR_FRACTION
    if not extracted:
        inside = distance > AIR_FRACTION * abs(high)
    return Foreground(inside, stride, background, fraction * abs(high), extracted, float(inside.sum() * voxel_ml))


def strides(volume: Volume) -> tuple[int, int, int]:
    """Steps along each axis that leave about a million voxels, the finest axis thinned first."""
    steps = np.ones(3, int)
    while np.prod(np.ceil(np.array(volume.shape) / steps)) > _VOXELS:
        steps[np.argmin(np.array(volume.spacing) * steps)] += 1
    return tuple(int(step) for step in steps)


def _border_value(data: np.ndarray) -> float:
    """The median of the six outer faces."""
    faces = [data[index] for side in (0, -1) for index in ((side,), (slice(None), side), (..., side))]
    return float(np.median(np.concatenate([face[::4, ::4].ravel() for face in faces])))
