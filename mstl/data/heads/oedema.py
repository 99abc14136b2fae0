"""Vasogenic oedema: how far from a tumour each voxel lies along the paths that fluid takes."""
from __future__ import annotations

import numpy as np
from scipy import ndimage, special

from mstl.data.heads.anatomy import Anatomy, sample

_CELL = 4.0  # mm: the spread is smooth, a coarse lattice will do
_STEPS = 90
_FASTEST = 1.9  # relative to white matter; explicit steps of a twelfth are stable below 2
_EASE = {"white": 1.0, "deep_grey": 0.08, "grey": 0.02}  # of the spread; none through fluid
_FURTHEST = 60.0  # mm beyond the tumour's core


def spread(anatomy: Anatomy, core: np.ndarray, spacing: tuple[float, float, float], ease: np.ndarray) -> np.ndarray:
    """About the way, mm float32, that fluid has gone from the `core` (bool); longer through grey matter.

    Diffusion from the core with a coefficient that depends on tissue, as glioma models have it (Swanson et al.
    2000, 10.1046/j.1365-2184.2000.00177.x); `ease` multiplies it, so that no two tumours spread alike.
    Infinite beyond 60 mm.
    """
    box = _around(core, spacing)
    stride = [max(1, int(np.ceil(_CELL / step - 1e-3))) for step in spacing]
    coarse = tuple(slice(part.start, part.stop, step) for part, step in zip(box, stride, strict=True))
    speed = sum(getattr(anatomy, tissue)[coarse] * np.float32(share) for tissue, share in _EASE.items())
    speed = np.clip(speed * np.exp(ease[coarse]) * anatomy.brain[coarse], 1e-4, _FASTEST)
    nearness = [_CELL / (step * cells) for step, cells in zip(spacing, stride, strict=True)]
    amount = _diffuse(core[coarse], speed, nearness)
    far = _CELL * 2 * np.sqrt(_STEPS / 12) * special.erfcinv(np.maximum(amount, 1e-30))  # exact before a flat front
    index = np.ix_(*(np.arange(part.stop - part.start) / step for part, step in zip(box, stride, strict=True)))
    distance = np.full(core.shape, np.inf, np.float32)
    where = np.stack(np.broadcast_arrays(*index)).astype(np.float32)
    distance[box] = sample(far.astype(np.float32), where)
    return distance


def _around(core: np.ndarray, spacing: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """The box within which oedema may lie."""
    box = []
    for part, step, side in zip(ndimage.find_objects(core.view(np.uint8))[0], spacing, core.shape, strict=True):
        margin = round(_FURTHEST / step)
        box.append(slice(max(part.start - margin, 0), min(part.stop + margin, side)))
    return tuple(box)


def _diffuse(source: np.ndarray, speed: np.ndarray, nearness: list[float]) -> np.ndarray:
    """Amount 0 to 1 after `_STEPS` explicit steps from cells held at 1; no flow across the box's faces.

    `nearness` is `_CELL` over the distance of two cells along each axis, at most 1.
    """
    amount = source.astype(np.float64)
    flows = []
    for axis in range(3):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        ease = 2 * speed[low] * speed[high] / (speed[low] + speed[high]) * nearness[axis] ** 2 / 12
        flows.append((low, high, ease))
    for _ in range(_STEPS):
        change = np.zeros_like(amount)
        for low, high, ease in flows:
            flow = ease * (amount[low] - amount[high])
            change[low] -= flow
            change[high] += flow
        amount += change
        amount[source] = 1
    return amount
