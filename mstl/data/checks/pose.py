"""Does a lesion mask lie where the lesions are, or would it mirrored, turned or shifted?

Lesions are bright in flair and t2 and dark in t1 against their surroundings. The contrast of a mask tells how much;
the same mask mirrored along an axis of the array, with two axes exchanged, or shifted, must not show more.
"""
from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mstl.data.checks.foreground import Foreground
from mstl.data.volume import Volume

SIGNS = {"flair": 1, "t2": 1, "t1": -1}  # of a lesion against its surroundings; t1ce has both
SHELL_MM = 5.0  # surroundings are compared up to this distance
LEAST_VOXELS = 20  # a mask of fewer says nothing
REACH_MM = 16.0  # shifts are tried up to this distance
_SAMPLE = 3000  # voxels of lesion, and of surroundings, that are looked at
_OUTSIDE = -2.0  # signed contrast of a voxel out of the brain: no lesion lies there


@dataclass(frozen=True)
class Pose:
    """A way to lay a mask on a scan: axes in another `order`, `flips` of them, then `shift` voxels."""

    order: tuple[int, int, int] = (0, 1, 2)
    flips: tuple[int, ...] = ()
    shift: tuple[int, int, int] = (0, 0, 0)

    def lay(self, places: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        """Where voxels `(n, 3)` of a mask come to lie on a scan of this shape."""
        places = places[:, self.order]
        for axis in self.flips:
            places[:, axis] = shape[axis] - 1 - places[:, axis]
        return places + np.array(self.shift)

    def move(self, mask: np.ndarray) -> np.ndarray:
        """The mask laid so, as an array; what leaves it is lost."""
        moved = np.zeros_like(mask)
        places = self.lay(np.argwhere(mask), mask.shape)
        inside = np.all((places >= 0) & (places < mask.shape), axis=1)
        moved[tuple(places[inside].T)] = 1
        return moved


@dataclass(frozen=True)
class Fit:
    """How a mask fits: the best-fitting `pose`, its contrast, and the contrast `as_is`, both in standard deviations.

    contrasts: that of each modality as the mask lies.
    """

    pose: Pose
    contrast: float
    as_is: float
    contrasts: Mapping[str, float]


def fit_mask(mask: np.ndarray, scans: Mapping[str, tuple[Volume, Foreground]]) -> Fit | None:
    """Compare a mask with itself mirrored, turned and shifted; None where it is too small or no scan can tell.

    `scans` lie on the mask's grid. The pose is sought in flair where there is one, else in t2 or t1; shifts in
    flair alone, because fluid is as bright as lesions in t2 and as dark in t1.
    """
    lesion, shell = _sample_voxels(mask, next(iter(scans.values()))[0].spacing) if scans else (np.empty(0),) * 2
    told = [name for name in SIGNS if name in scans and scans[name][1].inside.any()]
    if len(lesion) < LEAST_VOXELS or len(shell) < LEAST_VOXELS or not told:
        return None
    probes = {name: _Probe(*scans[name], SIGNS[name]) for name in told}
    contrasts = {name: probe.contrast(lesion, shell, Pose()) for name, probe in probes.items()}
    probe = probes[told[0]]
    poses = list(_turned(mask.shape))
    if told[0] == "flair":
        poses += _shifted(probe, lesion, shell)
    found = {pose: probe.contrast(lesion, shell, pose) for pose in poses}
    best = max(found, key=found.get)
    return Fit(best, found[best], contrasts[told[0]], contrasts)


class _Probe:
    """Signed intensities of one scan, looked up where a pose puts the mask."""

    def __init__(self, scan: Volume, foreground: Foreground, sign: int):
        thinned = scan.data[tuple(slice(None, None, step) for step in foreground.stride)]
        values = thinned[foreground.inside].astype(np.float32)
        low, self._middle, high = np.percentile(values[:: max(len(values) // 100_000, 1)], (16, 50, 84))
        self._scale = sign / (float(high - low) / 2 or 1.0)
        self._scan, self._foreground, self.spacing = scan.data, foreground, scan.spacing

    def _values(self, places: np.ndarray) -> np.ndarray:
        shape = np.array(self._scan.shape)
        inside = np.all((places >= 0) & (places < shape), axis=1)
        kept = np.where(inside[:, None], places, 0)
        raw = self._scan[tuple(kept.T)].astype(np.float32)
        inside &= np.abs(raw - self._foreground.background) > self._foreground.threshold
        return np.where(inside, np.clip((raw - self._middle) * self._scale, -3, 3), _OUTSIDE)

    def contrast(self, lesion: np.ndarray, shell: np.ndarray, pose: Pose) -> float:
        inner, outer = (self._values(pose.lay(part, self._scan.shape)) for part in (lesion, shell))
        return float(inner.mean() - outer[outer > _OUTSIDE].mean()) if (outer > _OUTSIDE).any() else -9.0


def _sample_voxels(mask: np.ndarray, spacing: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Indices `(n, 3)` of voxels in the lesions, and in the shell around them."""
    reach = np.maximum(np.round(SHELL_MM / np.array(spacing)), 1).astype(int)
    box = ndimage.find_objects(mask)
    if not box or box[0] is None:
        return np.empty((0, 3), int), np.empty((0, 3), int)
    start = np.maximum([side.start for side in box[0]] - reach, 0)
    stop = np.minimum([side.stop for side in box[0]] + reach, mask.shape)
    part = mask[tuple(map(slice, start, stop))]
    near = part
    for axis, steps in enumerate(reach):
        near = ndimage.maximum_filter1d(near, 2 * steps + 1, axis=axis, mode="constant")
    rng = np.random.default_rng(0)
    return tuple(_some(np.argwhere(where) + start, rng) for where in (part > 0, (near > 0) & (part == 0)))


def _some(places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return places if len(places) <= _SAMPLE else places[rng.choice(len(places), _SAMPLE, replace=False)]


def _turned(shape: tuple[int, int, int]) -> Iterator[Pose]:
    """Every flip of one or two axes, and axes exchanged where they are equally long."""
    for flips in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2)):
        yield Pose(flips=flips)
    for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)):
        if all(shape[axis] == shape[other] for axis, other in enumerate(order)):
            for flips in ((), (0,), (1,), (2,)):
                yield Pose(order=order, flips=flips)


def _shifted(probe: _Probe, lesion: np.ndarray, shell: np.ndarray) -> list[Pose]:
    """The shift of the highest contrast: every 4 mm at first, then by voxels around the best."""
    spacing = np.array(probe.spacing)
    coarse = [np.round(np.arange(-REACH_MM, REACH_MM + 1, 4) / step).astype(int) for step in spacing]
    few = lesion[:: max(len(lesion) // 300, 1)], shell[:: max(len(shell) // 300, 1)]
    best = max(itertools.product(*coarse), key=lambda shift: probe.contrast(*few, Pose(shift=tuple(map(int, shift)))))
    fine = itertools.product(*([value + step for step in (-2, -1, 0, 1, 2)] for value in map(int, best)))
    some = lesion[:: max(len(lesion) // 1000, 1)], shell[:: max(len(shell) // 1000, 1)]
    return [max((Pose(shift=shift) for shift in fine), key=lambda pose: probe.contrast(*some, pose))]
