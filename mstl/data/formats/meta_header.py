"""Headers of MetaImage files, https://itk.org/Wiki/MetaIO/Documentation: which bytes are the voxels, where they lie.

ITK's own reader is not asked: it writes what it finds wrong past Python, and takes words for zeros.
"""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mstl.data.formats.scan import no_real_numbers
from mstl.data.formats.text_headers import Block, Header, header_lines

_FIELD = re.compile(r"\s*([^=:]{1,100}?)\s*[=:]\s*(.*)")
_LAST = re.compile(r"\s*ElementDataFile\s*[=:]")
_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_DIRECTION = ("TransformMatrix", "Rotation", "Orientation")  # names that writers use for one thing
_ORIGIN = ("Offset", "Position", "Origin")
_SPACING = ("ElementSpacing", "ElementSize")
_TYPES = {
    "i1": ("MET_CHAR",),
    "u1": ("MET_UCHAR",),
    "i2": ("MET_SHORT",),
    "u2": ("MET_USHORT",),
    "i4": ("MET_INT", "MET_LONG"),
    "u4": ("MET_UINT", "MET_ULONG"),
    "i8": ("MET_LONG_LONG",),
    "u8": ("MET_ULONG_LONG",),
    "f4": ("MET_FLOAT",),
    "f8": ("MET_DOUBLE",),
}


def read_meta_header(path: Path) -> tuple[Block, np.ndarray]:
    """Voxels of a `.mha` or `.mhd`, and their affine `(4, 4)` to world mm LPS, as the format has it.

    Raises `InputError` where the header is not MetaImage or asks for too much.
    """
    lines, length = header_lines(path, "MetaImage", is_last=_LAST.match)
    header = Header(path, "MetaImage", (_field(line) for line in lines if line.strip()))
    if not _LAST.match(lines[-1]) or header.fields.get("ObjectType", "Image") != "Image":
        raise header.wrong("it describes no image with a line ElementDataFile at its end")
    shape = header.shape("DimSize", "NDims")
    channels = header.integers("ElementNumberOfChannels", "1")[0]
    if channels != 1:
        raise no_real_numbers(path, f"vectors of {channels} numbers")
    if not _truth(header, "BinaryData", True):
        raise header.rare("holds its voxels as text")
    dtype = header.dtype(_TYPES, header.fields.get("ElementType", ""))
    orders = {_truth(header, name, False) for name in _BIG_ENDIAN if name in header.fields}
    if len(orders) == 2:
        raise header.wrong(f"{' and '.join(_BIG_ENDIAN)} disagree")
    dtype = dtype.newbyteorder(">" if True in orders else "<")
    skipped = header.integers("HeaderSize", "0")[0]
    file, start = path, length
    if header.fields["ElementDataFile"].upper() != "LOCAL":
        file, start = header.data_file(header.fields["ElementDataFile"]), 0
    elif skipped > 0:
        raise header.rare("says twice where its voxels begin")
    block = Block(file, shape, dtype, start, _truth(header, "CompressedData", False))
    return header.placed(block, skipped), _affine(header, len(shape))


def _field(line: str) -> tuple[str, str] | None:
    found = _FIELD.fullmatch(line)
    return None if found is None else (found[1], found[2])


def _truth(header: Header, name: str, default: bool) -> bool:
    word = header.fields.get(name, str(default)).lower()
    if word not in ("true", "false"):
        raise header.wrong(f"{name} is neither True nor False")
    return word == "true"


def _affine(header: Header, axes: int) -> np.ndarray:
    """Of the first three axes; the rows of the matrix in the file are the directions of the array's axes."""
    direction = _numbers(header, _DIRECTION, np.eye(axes)).reshape(axes, axes).T
    scaled = direction * _numbers(header, _SPACING, np.ones(axes))
    first, affine = min(axes, 3), np.eye(4)
    affine[:first, :first] = scaled[:first, :first]
    affine[:first, 3] = _numbers(header, _ORIGIN, np.zeros(axes))[:first]
    return affine


def _numbers(header: Header, names: tuple[str, ...], default: np.ndarray) -> np.ndarray:
    """The numbers under the one of `names` that the header has, as many as `default` has."""
    given = [name for name in names if name in header.fields]
    if not given:
        return default.ravel()
    try:
        numbers = np.array([float(word) for word in header.fields[given[0]].split()])
    except ValueError:
        numbers = np.array([])
    if numbers.size != default.size or not np.all(np.abs(numbers) < 1e9):
        raise header.wrong(f"{given[0]} is {header.fields[given[0]][:60]!r}; {default.size} numbers are expected")
    return numbers
