"""Patches for validation: windows side by side that cover the brain of every case, each voxel once."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import product
from math import ceil

import numpy as np

from mstl.data.case_windows import CaseWindows, Triple, inside, patch_sides
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError


@dataclass(eq=False, repr=False)
class GridSampler:
    """Batches of 3D windows of prepared cases, without overlap and in order: the same in every epoch.

    A voxel that is not background, in image or mask, is in one window. Windows that show none are left out. `patch`
    and `multiple_of` as in `PatchSampler`; without a patch a window is the whole volume. For this every case is
    read once, slice by slice, when the sampler is made.

    `notes` are sentences on what was enlarged or padded.

    Raises `InputError` where there is no case, no mask, nothing but background, or cases do not fit together.
    """

    cases: Sequence[PreparedCase]
    _: KW_ONLY
    batch_size: int = 2
    patch: int | Sequence[int] | None = None
    multiple_of: int = 8

    def __post_init__(self) -> None:
        self.cases = tuple(self.cases)
        for name in ("batch_size", "multiple_of"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected at least 1. Give such a value.")
        self._files = CaseWindows(self.cases)
        self.sides, self.notes = patch_sides(self.cases, self.patch, multiple_of=self.multiple_of)
        self.windows = [(case, start) for case in range(len(self.cases)) for start in self._starts(case)]
        if not self.windows:
            raise InputError(f"All {len(self.cases)} cases are background only. Check their images.")

    def _starts(self, case: int) -> Iterator[Triple]:
        shown = np.stack([self._shown(case, position) for position in range(self._files.shape(case)[0])])
        if not shown.any():
            return
        axes = []
        for axis, (side, length) in enumerate(zip(self.sides, shown.shape, strict=True)):
            across = np.flatnonzero(shown.any(axis=tuple({0, 1, 2} - {axis})))
            extent = int(across[-1] - across[0]) + 1
            whole = ceil(extent / side) * side
            first = inside(int(across[0]) - (whole - extent) // 2, side=whole, length=length)
            axes.append(range(first, first + whole, side))
        for start in product(*axes):
            window = tuple(slice(max(0, first), first + side) for first, side in zip(start, self.sides, strict=True))
            if shown[window].any():
                yield start

    def _shown(self, case: int, position: int) -> np.ndarray:
        image = self._files.images[case].read(position, position + 1)[0]
        return image.any(-1) | (self._files.masks[case].read(position, position + 1)[0] > 0)

    @property
    def samples(self) -> int:
        """Windows of one epoch."""
        return len(self.windows)

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return ceil(len(self.windows) / self.batch_size)

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """Shape (D, H, W, C) of an image of every batch."""
        return (*self.sides, self._files.channels)

    @property
    def batch_bytes(self) -> int:
        """Bytes of a full batch."""
        return 4 * self.batch_size * int(np.prod(self.sides)) * (self._files.channels + 1)

    def batch(
        self, epoch: int, index: int, *, rows: slice = slice(None), empty: Callable[..., np.ndarray] = np.empty
    ) -> tuple[np.ndarray, np.ndarray]:
        """Images `(N, D, H, W, C)` and masks `(N, D, H, W, 1)` of class numbers, float32, equal in every `epoch`.

        `rows` are those of the batch that are wanted; others are not read. `empty(shape, dtype)` makes the arrays.
        Raises `IndexError` beyond the last batch.
        """
        windows = self._of_batch(index)[rows]
        images = empty((len(windows), *self.image_shape), np.float32)
        masks = empty((len(windows), *self.sides, 1), np.float32)
        for row, (case, start) in enumerate(windows):
            images[row], masks[row, ..., 0] = self._files.read(case, start, self.sides)
        return images, masks

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch, each once."""
        return list(dict.fromkeys(self.cases[case].name for case, _ in self._of_batch(index)))

    def _of_batch(self, index: int) -> list[tuple[int, Triple]]:
        if not 0 <= index < self.steps:
            raise IndexError(f"batch {index} of {self.steps}")
        return self.windows[index * self.batch_size : (index + 1) * self.batch_size]
