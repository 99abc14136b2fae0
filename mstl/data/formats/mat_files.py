"""MATLAB files as scans: a 3D array is a file of pictures, one a section, `x.mat#12` or `x.mat#manualFluid1:12`.

Arrays whose name says fluid are masks that a reader drew (Chiu et al. 2015, doi 10.1364/BOE.6.001155): fluid is cut at
0.3, NaN is no fluid, and a section that is NaN everywhere was not looked at.
"""
from __future__ import annotations

import functools
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.formats.scan import Scan, check_size, damaged, no_real_numbers, trimmed, unreadable
from mstl.errors import InputError

IMAGES = "images"
FLUID_CUT = 0.3
_MASK = "fluid"
_CLASSES = {"uint8": "u1", "int8": "i1", "uint16": "u2", "int16": "i2", "uint32": "u4", "int32": "i4", "double": "f8",
            "single": "f4", "logical": "u1", "int64": "i8", "uint64": "u8"}  # fmt: skip
_BROKEN = (OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RuntimeError,
           zlib.error)  # fmt: skip
_READERS = 2  # of a file, whose masks stay in memory while its sections are read one after the other


@dataclass(frozen=True)
class _Stamp:
    """A file as it was when it was read; another one of its name is another stamp."""

    path: Path
    changed: int
    size: int


def open_mat(path: Path, array: str = "") -> Scan:
    """Open an array `(rows, columns, sections)` of a MATLAB file (5 to 7.3), `images` unless named; header only.

    Its scan is `(rows, columns, 1, sections)` with `PICTURE_AFFINE`. Values of a mask are uint8 0 and 1. Raises
    `InputError` where the file is no such file, has no such array, the array is no 3D array of real numbers, or is
    larger than the file can hold; when values are read also where it is truncated, or a mask was not drawn.
    """
    stamp, name = _stamp(path), array or IMAGES
    arrays = _arrays(stamp)
    if name not in arrays:
        have = f"it has {', '.join(sorted(arrays))}" if arrays else "it has no array"
        raise InputError(f"{path} has no array {name!r}; {have}. Name one, or download the file again.")
    shape, dtype = arrays[name]
    if dtype is None:
        raise no_real_numbers(path, f"an array {name!r} that is not numeric")
    if len(shape) != 3:
        raise InputError(f"{path} has array {name!r} of shape {shape}; (rows, columns, sections) is expected.")
    check_size(path, shape, itemsize=dtype.itemsize, skipped=0, stored=stamp.size, packed=True)
    rows, columns, sections = shape
    stored = np.dtype(np.uint8) if _is_mask(name) else dtype
    return Scan(
        path,
        trimmed((rows, columns, 1, sections)),
        PICTURE_AFFINE,
        stored,
        lambda number: _values(stamp, name, 0 if sections == 1 else number),
    )


def annotated_sections(path: Path, array: str) -> list[int]:
    """Sections of a mask's array that its reader looked at: not NaN everywhere. Raises as `open_mat` does."""
    open_mat(path, array)
    return np.flatnonzero(_mask_of(_stamp(path), array)[1]).tolist()


def arrays_of(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of a MATLAB file by name; reads headers only. Raises `InputError` where it is none."""
    return {name: shape for name, (shape, _) in _arrays(_stamp(path)).items()}


def _is_mask(name: str) -> bool:
    return _MASK in name.lower()


def _broken() -> tuple[type[Exception], ...]:
    """What readers raise on damaged files."""
    from scipy.io.matlab import MatReadError

    return *_BROKEN, MatReadError


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return _Stamp(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=32)
def _arrays(stamp: _Stamp) -> dict[str, tuple[tuple[int, ...], np.dtype | None]]:
    """Shape and dtype of each array, dtype None for what are no numbers."""
    from scipy.io import whosmat

    try:
        if _is_hdf5(stamp.path):
            return _hdf5_arrays(stamp.path)
        return {
            name: (tuple(map(int, shape)), np.dtype(_CLASSES[kind]) if kind in _CLASSES else None)
            for name, shape, kind in whosmat(stamp.path, appendmat=False)
        }
    except _broken() as error:
        raise unreadable(stamp.path, "a MATLAB file", error) from error


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _hdf5_arrays(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype | None]]:
    """Arrays of version 7.3, whose axes HDF5 has in reverse."""
    import h5py

    with h5py.File(path, "r") as file:
        sets = {name: one for name, one in file.items() if isinstance(one, h5py.Dataset)}
        return {
            name: (one.shape[::-1], one.dtype if one.dtype.kind in "iuf" else None) for name, one in sets.items()
        }


def _values(stamp: _Stamp, name: str, number: int | None) -> np.ndarray:
    """Section `number` as `(rows, columns, 1)`, or all as `(rows, columns, 1, sections)`."""
    if not _is_mask(name):
        data = _array(stamp, name)
    else:
        data, drawn = _mask_of(stamp, name)
        if number is not None and not drawn[number]:
            raise InputError(
                f"{stamp.path} holds only NaN in section {number} of {name}: it was not annotated, which is not empty. "
                "Leave it out, or take another reader's."
            )
    return data[:, :, np.newaxis, :] if number is None else np.ascontiguousarray(data[:, :, number, np.newaxis])


@functools.lru_cache(maxsize=_READERS)
def _mask_of(stamp: _Stamp, name: str) -> tuple[np.ndarray, np.ndarray]:
    """A mask uint8 and which of its sections were drawn at all; an eighth of the array that is stored."""
    data = _load(stamp, name)
    mask = np.empty(data.shape, np.uint8, order="F")
    drawn = np.empty(data.shape[-1], bool)
    for number in range(data.shape[-1]):  # a section at a time: copies of all would be hundreds of MB
        section = data[..., number]
        drawn[number] = not np.isnan(section).all()
        mask[..., number] = section >= FLUID_CUT
    return mask, drawn


@functools.lru_cache(maxsize=1)
def _array(stamp: _Stamp, name: str) -> np.ndarray:
    return _load(stamp, name)


def _load(stamp: _Stamp, name: str) -> np.ndarray:
    """An array as stored, all of it."""
    from scipy.io import loadmat

    try:
        if _is_hdf5(stamp.path):
            import h5py

            with h5py.File(stamp.path, "r") as file:
                return file[name][()].T
        data = loadmat(stamp.path, appendmat=False, variable_names=[name])[name]
    except _broken() as error:
        raise damaged(stamp.path, error) from error
    if data.dtype.kind == "c":  # which headers do not say
        raise no_real_numbers(stamp.path, f"complex numbers in {name!r}")
    return data
