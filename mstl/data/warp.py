"""A turned, scaled and bent view into a volume: image and mask are taken from the same places, in one step."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from mstl.data.smooth_field import smooth_field

Block: TypeAlias = tuple[slice, slice, slice]
Triple: TypeAlias = tuple[int, int, int]
SLAB = 16  # slices that are computed at a time: memory does not grow with the volume
OPENCV_ROWS = 32_766  # what OpenCV takes in one call
OPENCV_CHANNELS = 4


@dataclass(frozen=True)
class Warp:
    """Where each voxel of a view of shape `sides` lies in a volume of shape `shape`; both share their middle.

    `matrix` `(3, 3)` takes offsets from the middle of the view to offsets in the volume, in voxels; `bend`
    `(3, a, b, c)`, if any, holds the control points of a smooth displacement of those places, in voxels.
    """

    matrix: np.ndarray
    bend: np.ndarray | None
    shape: Triple
    sides: Triple

    def coordinates(self, block: Block) -> np.ndarray:
        """Places in the volume `(3, d, h, w)` float32 of the view's voxels in `block`."""
        axes = [
            (np.arange(part.start, part.stop) - (side - 1) / 2).astype(np.float32)
            for part, side in zip(block, self.sides, strict=True)
        ]
        places = np.empty((3, *map(len, axes)), np.float32)
        for axis, (row, length) in enumerate(zip(self.matrix.astype(np.float32), self.shape, strict=True)):
            plane = row[0] * axes[0][:, None] + row[1] * axes[1] + np.float32((length - 1) / 2)
            np.add(plane[..., None], row[2] * axes[2], out=places[axis])
            if self.bend is not None:
                places[axis] += smooth_field(self.bend[axis], self.sides, block)
        return places

    def linear(self, volume: np.ndarray) -> np.ndarray:
        """The view of `volume` `(D, H, W, C)` float32 by trilinear interpolation; beyond the volume it is 0.

        Places are right to 1/32 of a voxel, which is how finely OpenCV takes some numbers of channels.
        """
        result = np.empty((*self.sides, volume.shape[-1]), np.float32)
        for block in _slabs(self.sides):
            self._fill(volume, block, result)
        return result

    def nearest(self, mask: np.ndarray) -> np.ndarray:
        """The view of `mask` `(D, H, W)` by nearest neighbour; beyond the volume it is 0."""
        result = np.empty(self.sides, mask.dtype)
        flat = np.ascontiguousarray(mask).ravel()
        for block in _slabs(self.sides):
            d, h, w = np.rint(self.coordinates(block)).astype(np.int32)
            depth, height, width = self.shape
            inside = (d >= 0) & (d < depth) & (h >= 0) & (h < height) & (w >= 0) & (w < width)
            result[block] = flat.take(((d * height + h) * width + w) * inside) * inside
        return result

    def _fill(self, volume: np.ndarray, block: Block, result: np.ndarray) -> None:
        """Write the voxels of `block` into `result`: OpenCV interpolates within two slices, and we between them.

        It takes the slices as one picture, one below the other, and has limits to its height: a block that reaches
        through too many slices is cut into two.
        """
        places = self.coordinates(block)
        lengths = np.array(self.shape, np.float32).reshape(3, 1, 1, 1)
        outside = ((places < -0.5) | (places > lengths - 0.5)).any(axis=0)
        d, h, w = np.clip(places, 0, lengths - 1, out=places)
        below = np.floor(d)
        first, last = int(below.min()), min(int(below.max()) + 2, self.shape[0])
        picture = volume[first:last].reshape(-1, *volume.shape[2:])
        rows = d.shape[0] * d.shape[1]
        if max(len(picture), rows) > OPENCV_ROWS:
            for half in _halves(block):
                self._fill(volume, half, result)
            return
        share = d - below
        result[block] = 0
        for neighbour, weight in ((below, 1 - share), (np.minimum(below + 1, self.shape[0] - 1), share)):
            across = ((neighbour - first) * self.shape[1] + h).reshape(rows, -1)
            weight[outside] = 0
            for channel in range(0, volume.shape[-1], OPENCV_CHANNELS):
                some = slice(channel, channel + OPENCV_CHANNELS)
                taken = cv2.remap(
                    picture[..., some], w.reshape(rows, -1), across, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
                result[(*block, some)] += taken.reshape(*d.shape, -1) * weight[..., None]


def _slabs(sides: Triple) -> Iterator[Block]:
    for start in range(0, sides[0], SLAB):
        yield slice(start, min(start + SLAB, sides[0])), slice(0, sides[1]), slice(0, sides[2])


def _halves(block: Block) -> Iterator[Block]:
    axis = int(np.argmax([part.stop - part.start for part in block]))
    part = block[axis]
    middle = (part.start + part.stop) // 2
    for half in (slice(part.start, middle), slice(middle, part.stop)):
        yield (*block[:axis], half, *block[axis + 1 :])
