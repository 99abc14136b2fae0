"""A scan's file, opened: its header is read and believed, its voxels are still on disk."""
from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.selector import volume_of
from mstl.errors import InputError

_MOST_DEFLATED = 1032  # bytes that one byte of gzip or zlib can stand for, at most; https://zlib.net/zlib_tech.html


@dataclass(frozen=True, eq=False)
class Scan:
    """An opened file: shape and dtype as stored, affine `(4, 4)` voxel to world mm RAS+.

    `shape` has 3 axes or more, or fewer where the file is no volume; axes of one voxel at its end are left out.
    `values(None)` reads all voxels, `values(n)` volume `n` (where there are more axes, the first of them counts
    fastest); scaled files give float32, others the stored dtype in native order.
    """

    path: Path
    shape: tuple[int, ...]
    affine: np.ndarray
    dtype: np.dtype
    values: Callable[[int | None], np.ndarray]

    @property
    def volumes(self) -> int:
        """How many volumes the file holds."""
        return math.prod(self.shape[3:])


def check_size(path: Path, shape: tuple[int, ...], *, itemsize: int, skipped: int, stored: int, packed: bool) -> int:
    """Raise `InputError` where `stored` bytes on disk cannot hold the voxels that a header declares.

    `skipped` bytes precede the voxels; `packed` data is gzip or zlib, of which a byte holds at most 1032.
    Returns the bytes that are needed, unpacked.
    """
    sides = " x ".join(str(side) for side in shape)
    if not shape or min(shape) < 1:
        raise InputError(
            f"{path} declares {sides or 'no'} voxels; at least 1 along each axis is expected. Export it again."
        )
    declared = math.prod(shape) * itemsize
    room = stored * _MOST_DEFLATED if packed else stored
    if skipped < 0 or skipped + declared > room:
        raise InputError(
            f"{path} declares {sides} voxels ({_size(declared)}), but {_size(stored)} on disk hold "
            f"{_size(max(room - max(skipped, 0), 0))} at most. It is truncated or damaged. Copy or export it again."
        )
    return skipped + declared


def check_3d(scan: Scan, path: str | Path) -> None:
    """Raise `InputError` unless `path` names one volume: a 3D file, or a volume that a 4D file has (`x.nii.gz#N`)."""
    path, volume = Path(path), volume_of(path)
    if len(scan.shape) == 3 and volume in (None, 0):
        return
    if len(scan.shape) < 3:
        raise InputError(f"{path} has shape {scan.shape}; a 3D volume is expected. Split it into 3D files.")
    if volume is None:
        raise InputError(
            f"{path} has shape {scan.shape}; a 3D volume is expected. Split it into 3D files, or name one of its "
            f"{scan.volumes} volumes: {path.name}#0."
        )
    if volume >= scan.volumes:
        names = "#0" if scan.volumes == 1 else f"one of #0 to #{scan.volumes - 1}"
        raise InputError(f"{path} does not exist: the file has shape {scan.shape}. Name {names}.")


def no_real_numbers(path: Path, stored: str) -> InputError:
    """The error for colours, vectors and complex numbers."""
    return InputError(f"{path} holds {stored}; real numbers are expected. Export it in grey.")


def unreadable(path: Path, kind: str, error: Exception) -> InputError:
    """The error for a file whose header makes no sense as `kind`."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} cannot be read as {kind} ({reason}). Copy or export it again.")


def damaged(path: Path, error: Exception) -> InputError:
    """The error for a file whose voxels cannot be read to the end."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} is truncated or damaged ({reason}). Copy or export it again.")


def _size(count: int) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"


def trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the axes of one voxel that end it, after the first three."""
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    return tuple(int(side) for side in shape)
