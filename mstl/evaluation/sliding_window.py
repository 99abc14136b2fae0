"""Prediction of a volume window by window: windows overlap, and the middle of each counts more than its rim."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from scipy import ndimage

from mstl.errors import InputError

SIGMAS = 8  # a window's side is so many standard deviations of its weights
MARGIN = 8  # windows cover the brain and this part of their side around it


def sliding_window(
    forward: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    *,
    window: Sequence[int] | None,
    classes: int,
    overlap: float = 0.5,
    batch_size: int = 1,
    multiple: int = 1,
    brain: np.ndarray | None = None,
) -> np.ndarray:
    """Probabilities float32 `(D, H, W, classes)` of an image `(D, H, W, C)` whose background is 0.

    `forward` takes float32 windows `(N, d, h, w, C)` and gives `(N, d, h, w, classes)`. `window` are the sides
    (d, h, w), rounded up to multiples of `multiple`; None is the whole volume in one pass. Neighbouring windows share
    at least the part `overlap` of their sides. None reaches beyond the volume, unless the volume is smaller: then it
    is padded with background. Each voxel is the mean over its windows, weighted by a Gaussian around their middles of
    a sigma of 1/8 of their sides. Windows without brain (all 0) are not computed: they are background, which is a
    probability of 0, or of 1 of class 0 where there are several classes. Voxels farther from the brain than 1/8 of a
    side may be in no window, and are background too. `brain`, bool `(D, H, W)`, says where else the brain is, for
    images whose values may be 0 in it.

    Raises `InputError` for an overlap outside [0, 1) and sides that are not three positive numbers.

    Source: Isensee et al. 2021, doi 10.1038/s41592-020-01008-z.
    """
    check_overlap(overlap)
    sides = window_sides(image.shape[:3] if window is None else window, multiple=multiple)
    brain = np.any(image != 0, axis=-1) if brain is None else brain
    (image, brain), inside = _padded((image, brain), sides)
    probability = background(image.shape[:3], classes)
    if brain.any():
        box = _box_of(brain, sides)
        windows = _Windows(image[box], brain[box], sides, overlap)
        _predict(forward, windows, probability[box], batch_size)
    return probability[inside]


def window_sides(window: Sequence[int], *, multiple: int) -> tuple[int, int, int]:
    """Sides (d, h, w) rounded up to multiples; raises `InputError` unless they are three positive whole numbers."""
    if len(window) != 3 or not all(side == int(side) > 0 for side in window):
        raise InputError(f"window is {tuple(window)}; three positive sides (D, H, W) are expected, as 96, 96, 96.")
    return tuple(-(-int(side) // multiple) * multiple for side in window)


def check_overlap(overlap: float) -> None:
    """Raise `InputError` unless windows can overlap by this part of their sides."""
    if not 0 <= overlap < 1:
        raise InputError(f"overlap is {overlap}; at least 0 and below 1 is expected, as 0.5.")


def background(shape: Sequence[int], classes: int) -> np.ndarray:
    """Probabilities float32 `(*shape, classes)` of no lesion: 0, and where there are several classes 1 of class 0."""
    probability = np.zeros((*shape, classes), np.float32)
    if classes > 1:
        probability[..., 0] = 1
    return probability


@dataclass(frozen=True)
class _Windows:
    """The windows over an image; `weights` sum to one at each voxel, along each axis and so in the volume."""

    image: np.ndarray
    brain: np.ndarray
    sides: tuple[int, int, int]
    overlap: float

    def __iter__(self) -> Iterator[tuple[tuple[slice, ...], np.ndarray]]:
        """Where each window is, and its weights `(d, h, w, 1)` float32."""
        axes = [axis_windows(*lengths, self.overlap) for lengths in zip(self.brain.shape, self.sides, strict=True)]
        for places in product(*axes):
            where = tuple(slice(start, start + side) for (start, _), side in zip(places, self.sides, strict=True))
            weights = reduce(np.multiply.outer, (along.astype(np.float32) for _, along in places))
            yield where, weights[..., None]


def axis_windows(length: int, side: int, overlap: float) -> list[tuple[int, np.ndarray]]:
    """Where windows of `side` start on an axis of `length`, evenly spread, and their weights `(side,)` float64.

    The weights at each voxel sum to one over the windows. The last window ends with the axis.
    """
    stride = max(1, int(side * (1 - overlap) + 1e-9))
    count = -(-(length - side) // stride) + 1
    starts = np.linspace(0, length - side, count).round().astype(int).tolist()
    bell = np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (side / SIGMAS)) ** 2)
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += bell
    return [(start, bell / total[start : start + side]) for start in starts]


def _predict(forward: Callable, windows: _Windows, probability: np.ndarray, batch_size: int) -> None:
    """Write the mean over all windows into `probability`."""
    probability[...] = 0
    waiting = []
    for where, weights in windows:
        if windows.brain[where].any():
            waiting.append((where, weights))
        elif probability.shape[-1] > 1:
            probability[where][..., :1] += weights
        if len(waiting) == batch_size:
            _add(forward, windows.image, waiting, probability)
            waiting = []
    if waiting:
        _add(forward, windows.image, waiting, probability)
    np.clip(probability, 0, 1, out=probability)  # sums of rounded weights may be a bit above 1


def _add(forward: Callable, image: np.ndarray, waiting: list[tuple], probability: np.ndarray) -> None:
    results = forward(np.stack([image[where] for where, _ in waiting], dtype=np.float32))
    for (where, weights), result in zip(waiting, np.asarray(results, np.float32), strict=True):
        probability[where] += weights * result


def _padded(
    arrays: Sequence[np.ndarray], sides: tuple[int, ...]
) -> tuple[Sequence[np.ndarray], tuple[slice, ...]]:
    """Arrays of one volume with background around them where it is smaller than `sides`, and where it is in there."""
    shape = arrays[0].shape[:3]
    gaps = [max(0, side - length) for side, length in zip(sides, shape, strict=True)]
    inside = tuple(slice(gap // 2, gap // 2 + length) for gap, length in zip(gaps, shape, strict=True))
    if any(gaps):
        margins = [(gap // 2, gap - gap // 2) for gap in gaps]
        arrays = [np.pad(array, [*margins, *[(0, 0)] * (array.ndim - 3)]) for array in arrays]
    return arrays, inside


def _box_of(brain: np.ndarray, sides: tuple[int, ...]) -> tuple[slice, ...]:
    """The part of the volume that windows shall cover: the brain and a margin, at least one window."""
    box = []
    for inside, length, side in zip(ndimage.find_objects(brain.view(np.uint8))[0], brain.shape, sides, strict=True):
        start, stop = max(0, inside.start - side // MARGIN), min(length, inside.stop + side // MARGIN)
        extent = max(side, stop - start)
        start = min(max(0, (start + stop - extent) // 2), length - extent)
        box.append(slice(start, start + extent))
    return tuple(box)
