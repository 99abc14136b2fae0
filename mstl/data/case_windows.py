"""3D windows of prepared cases, read from the files: only the rows that they need, zeros beyond the volume."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from mstl.data.prepared import PreparedCase
from mstl.data.slice_file import SliceFile, float32
from mstl.errors import InputError

Triple: TypeAlias = tuple[int, int, int]


class CaseWindows:
    """The files of several cases, to read boxes of voxels from; small to send to another process.

    Raises `InputError` where there is no case, cases differ in their modalities, or, with `labels`, one has no mask.
    """

    def __init__(self, cases: Sequence[PreparedCase], *, labels: bool = True) -> None:
        if not cases:
            raise InputError("No case to cut patches from. Give at least one prepared case.")
        bare = [case.name for case in cases if case.mask is None] if labels else []
        if bare:
            raise InputError(f"Patches need masks, {', '.join(bare)} has none. Use labelled cases only.")
        for case in cases:
            if case.modalities != cases[0].modalities:
                raise InputError(
                    f"Case {case.name} has the modalities {', '.join(case.modalities)}, {cases[0].name} has "
                    f"{', '.join(cases[0].modalities)}. Prepare all alike."
                )
        self.images = [SliceFile.of(case.image) for case in cases]
        self.masks = [SliceFile.of(case.mask) for case in cases] if labels else None
        self.channels = self.images[0].shape[-1]

    def shape(self, number: int) -> Triple:
        """Voxels (D, H, W) of case `number`."""
        return self.images[number].shape[:3]

    def read(self, number: int, start: Sequence[int], sides: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Image `(D, H, W, C)` float32 and mask `(D, H, W)` uint8 of the window at `start`, which may be negative.

        What lies beyond the volume is 0; without labels the whole mask is 0.
        """
        spans = [
            (max(0, first), min(length, first + side))
            for first, side, length in zip(start, sides, self.shape(number), strict=True)
        ]
        if any(first >= last for first, last in spans):
            return np.zeros((*sides, self.channels), np.float32), np.zeros(sides, np.uint8)
        before = [first - at for (first, _), at in zip(spans, start, strict=True)]
        image = _padded(float32(self.images[number].read_window(*spans)), before, (*sides, self.channels))
        if self.masks is None:
            return image, np.zeros(sides, np.uint8)
        return image, _padded(self.masks[number].read_window(*spans), before, sides)


def _padded(values: np.ndarray, before: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    if values.shape == tuple(shape):
        return values
    result = np.zeros(shape, values.dtype)
    result[tuple(slice(at, at + length) for at, length in zip(before, values.shape, strict=False))] = values
    return result


def patch_sides(
    cases: Sequence[PreparedCase], patch: int | Sequence[int] | None, *, multiple_of: int
) -> tuple[Triple, tuple[str, ...]]:
    """Sides (D, H, W) of the patches, multiples of `multiple_of`, and sentences that say what was enlarged or padded.

    A single number is a cube; no `patch` is the smallest shape that every whole volume fits into. Raises
    `InputError` for a patch that is not one or three numbers of at least 1.
    """
    wanted = np.ravel(() if patch is None else patch)
    if len(wanted) not in (0, 1, 3) or (wanted < 1).any():
        raise InputError(f"patch is {patch}, expected three sides (D, H, W), or one of a cube. Give such a patch.")
    whole = not len(wanted)
    wanted = np.max([case.shape for case in cases], axis=0) if whole else np.broadcast_to(wanted, 3)
    sides = tuple((-(-wanted // multiple_of) * multiple_of).tolist())
    notes = []
    if not whole and sides != tuple(wanted):
        given = tuple(wanted.tolist())
        notes.append(f"Sides of patch {given} are no multiples of {multiple_of}: it is enlarged to {sides}.")
    small = [case.name for case in cases if np.less(case.shape, sides).any()]
    if small:
        count = f"{len(small)} case{'s' * (len(small) > 1)} ({', '.join(small[:5])}{', ...' * (len(small) > 5)})"
        padded = f"{'it is' if len(small) == 1 else 'they are'} padded with background"
        what = f"The common shape {sides} of whole volumes" if whole else f"Patch {sides}"
        notes.append(f"{what} is larger than {count}: {padded}.")
    return sides, tuple(notes)


def inside(start: int, *, side: int, length: int) -> int:
    """The place nearest to `start` where a window fits into the volume; a larger window has it in its middle."""
    return min(max(0, start), length - side) if length >= side else -((side - length) // 2)
