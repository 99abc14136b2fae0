"""Where the slices of a prepared array lie in its file, and how they are read from there.

Slices are read from the file itself, at the place where the memory map has them: pages of a map count as the
process's memory, those of a read do not, so memory stays flat however large the cohort is.
"""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mstl.errors import InputError

Span = tuple[int, int]


@dataclass(frozen=True)
class SliceFile:
    """The file behind a memory map `(D, ...)`: small to send to another process, open only while it is read."""

    path: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def of(cls, array: np.memmap) -> SliceFile:
        """The file of a memory map of a whole `.npy` in C order."""
        return cls(str(array.filename), array.offset, array.shape, array.dtype)

    def read(self, first: int, last: int) -> np.ndarray:
        """Slices `first` up to `last`; raises `InputError` where the file has become shorter."""
        result = np.empty((last - first, *self.shape[1:]), self.dtype)
        with open(self.path, "rb", buffering=0) as stream:
            stream.seek(self.offset + first * (result.nbytes // len(result)))
            if stream.readinto(memoryview(result).cast("B")) != result.nbytes:
                raise InputError(f"{self.path} is shorter than its header says. Prepare this case again.")
        return result

    def read_window(self, slices: Span, rows: Span, columns: Span) -> np.ndarray:
        """The window between (first, last) slices, rows and columns; of each slice only its rows are read."""
        width = self.dtype.itemsize * int(np.prod(self.shape[2:]))
        block = np.empty((slices[1] - slices[0], rows[1] - rows[0], *self.shape[2:]), self.dtype)
        with open(self.path, "rb", buffering=0) as stream:
            for position, target in enumerate(block, slices[0]):
                stream.seek(self.offset + (position * self.shape[1] + rows[0]) * width)
                if stream.readinto(memoryview(target).cast("B")) != target.nbytes:
                    raise InputError(f"{self.path} is shorter than its header says. Prepare this case again.")
        return block[:, :, columns[0] : columns[1]]

    def read_float32(self, first: int, last: int) -> np.ndarray:
        """The same as float32."""
        return float32(self.read(first, last))


def float32(values: np.ndarray) -> np.ndarray:
    """Values as float32: by OpenCV where it reads float16, which takes it a sixth of NumPy's time."""
    try:
        flat = cv2.add(values.reshape(len(values) * values.shape[1], -1), 0, dtype=cv2.CV_32F)
    except cv2.error:
        return values.astype(np.float32)
    return flat.reshape(values.shape)
