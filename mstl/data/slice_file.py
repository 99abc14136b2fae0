"""Where the slices of a prepared array lie in its file, and how they are read from there.

Slices are read from the file itself, at the place where the memory map has them: pages of a map count as the
process's memory, those of a read do not, so memory stays flat however large the cohort is.
"""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mstl.errors import InputError


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

    def read_float32(self, first: int, last: int) -> np.ndarray:
        """The same as float32: by OpenCV where it reads float16, which takes it a sixth of NumPy's time."""
        values = self.read(first, last)
        try:
            flat = cv2.add(values.reshape(len(values) * values.shape[1], -1), 0, dtype=cv2.CV_32F)
        except cv2.error:
            return values.astype(np.float32)
        return flat.reshape(values.shape)
