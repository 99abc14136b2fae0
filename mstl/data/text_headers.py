"""The text headers of NRRD and MetaImage, read strictly: which bytes of which file are the voxels.

NRRD: https://teem.sourceforge.net/nrrd/format.html; MetaImage: https://itk.org/Wiki/MetaIO/Documentation. What is
rare, and what the two formats let a header ask of a reader beyond its own voxels, is refused: data in many files, in
text, in other folders, and fields that are there twice.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from mstl.data.scan import check_size, unreadable
from mstl.errors import InputError

_LONGEST_HEADER = 1 << 20  # bytes; headers have some hundred, with every field of a DICOM some ten thousand
_MOST_AXES = 8
_LONGEST_LINE = 4000  # MetaIO copies lines into fields of 4096
_NRRD_FIELD = re.compile(r"([A-Za-z][A-Za-z ]*): (.*)|([^:\r\n]+):=(.*)")
_META_FIELD = re.compile(r"\s*([^=:]{1,100}?)\s*[=:]\s*(.*)")
_ALIASES = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}
_PACKED = {"raw": False, "gzip": True, "gz": True}
_NRRD_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_META_TYPES = {
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
_META_ORDERS = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


@dataclass(frozen=True)
class Block:
    """Where the voxels of a scan lie: `shape` fastest axis first, of `dtype`, from byte `offset` of `file` on.

    `packed` data is one stream of gzip or zlib from there on.
    """

    file: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    packed: bool


def read_nrrd_header(path: Path) -> Block:
    """Voxels of a `.nrrd` or `.nhdr`; raises `InputError` where the header is not NRRD or asks for too much."""
    lines, length = _lines(path, end=lambda line: not line.strip(), needed=False)
    if not re.fullmatch(r"NRRD000[1-5]", lines[0] if lines else ""):
        raise _wrong(path, "NRRD", "its first line is not NRRD0001 to NRRD0005")
    fields = _fields(path, "NRRD", (line for line in lines[1:] if not line.startswith("#") and line), _nrrd_field)
    shape = _integers(path, "NRRD", fields, "sizes")
    if _integers(path, "NRRD", fields, "dimension") != (len(shape),):
        raise _wrong(path, "NRRD", "dimension and sizes disagree")
    encoding = fields.get("encoding", "").lower()
    if encoding not in _PACKED:
        raise _rare(path, f"is encoded as {encoding or 'nothing'}; raw or gzip is expected")
    dtype = _dtype(path, "NRRD", _NRRD_TYPES, fields.get("type", "").lower())
    if dtype.itemsize > 1 and fields.get("endian", "").lower() not in ("little", "big"):
        raise _wrong(path, "NRRD", "endian is neither little nor big")
    if fields.get("line skip", "0") != "0":
        raise _rare(path, "skips lines of its data file")
    dtype = dtype.newbyteorder(">" if fields.get("endian", "").lower() == "big" else "<")
    skipped = _integers(path, "NRRD", {"byte skip": "0"} | fields, "byte skip")[0]
    name = fields.get("data file")
    file, start = (path, length) if name is None else (_data_file(path, name), 0)
    return _block(path, Block(file, shape, dtype, start, _PACKED[encoding]), skipped)


def read_meta_header(path: Path) -> Block:
    """Voxels of a `.mha` or `.mhd`; raises `InputError` where the header is not MetaImage or asks for too much."""
    is_last = re.compile(r"\s*ElementDataFile\s*[=:]").match
    lines, length = _lines(path, end=is_last, needed=True)
    if not lines or not is_last(lines[-1]):
        raise _wrong(path, "MetaImage", "no line ElementDataFile ends its header")
    fields = _fields(path, "MetaImage", (line for line in lines if line.strip()), _meta_field)
    if fields.get("ObjectType", "Image") != "Image":
        raise _wrong(path, "MetaImage", f"ObjectType is {fields['ObjectType']}")
    shape = _integers(path, "MetaImage", fields, "DimSize")
    if _integers(path, "MetaImage", fields, "NDims") != (len(shape),):
        raise _wrong(path, "MetaImage", "NDims and DimSize disagree")
    channels = _integers(path, "MetaImage", {"ElementNumberOfChannels": "1"} | fields, "ElementNumberOfChannels")
    if channels != (1,):
        raise _rare(path, f"holds vectors of {channels[0]} numbers; one number a voxel is expected")
    if not _truth(path, fields, "BinaryData", True):
        raise _rare(path, "holds its voxels as text")
    dtype = _dtype(path, "MetaImage", _META_TYPES, fields.get("ElementType", ""))
    orders = [_truth(path, fields, name, False) for name in _META_ORDERS]
    if all(name in fields for name in _META_ORDERS) and orders[0] != orders[1]:
        raise _wrong(path, "MetaImage", f"{' and '.join(_META_ORDERS)} disagree")
    dtype = dtype.newbyteorder(">" if any(orders) else "<")
    skipped = _integers(path, "MetaImage", {"HeaderSize": "0"} | fields, "HeaderSize")[0]
    name = fields["ElementDataFile"]
    file, start = (path, length) if name.upper() == "LOCAL" else (_data_file(path, name), 0)
    packed = _truth(path, fields, "CompressedData", False)
    return _block(path, Block(file, shape, dtype, start, packed), skipped)


def _lines(path: Path, *, end: Callable[[str], object], needed: bool) -> tuple[list[str], int]:
    """Lines of a header up to the one that ends it, which is left out unless `needed`, and the bytes they take."""
    lines: list[str] = []
    with path.open("rb") as stream:
        while stream.tell() < _LONGEST_HEADER:
            raw = stream.readline(_LONGEST_LINE + 1)
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if len(raw) > _LONGEST_LINE or not all(character == "\t" or character >= " " for character in line):
                raise unreadable(path, "a text header", ValueError(f"line {len(lines) + 1} is no line of text"))
            ends = not raw or end(line)
            if raw and (needed or not ends):
                lines.append(line)
            if ends:
                return lines, stream.tell()
    raise unreadable(path, "a text header", ValueError(f"no end within {_LONGEST_HEADER} bytes"))


def _fields(path: Path, kind: str, lines: Iterable[str], parse: Callable[[str], tuple[str, str] | None]) -> dict:
    fields: dict[str, str] = {}
    for line in lines:
        field = parse(line)
        if field is None:
            raise _wrong(path, kind, f"{line[:40]!r} is no field")
        if field[0] in fields:
            raise _wrong(path, kind, f"{field[0]!r} is there twice")
        fields[field[0]] = field[1].strip()
    return fields


def _nrrd_field(line: str) -> tuple[str, str] | None:
    found = _NRRD_FIELD.fullmatch(line)
    if found is None:
        return None
    if found[1] is None:
        return f"{found[3]}:=", found[4]  # a remark of the writer, apart from the fields of the format
    return _ALIASES.get(found[1].lower(), found[1].lower()), found[2]


def _meta_field(line: str) -> tuple[str, str] | None:
    found = _META_FIELD.fullmatch(line)
    return None if found is None else (found[1], found[2])


def _integers(path: Path, kind: str, fields: dict[str, str], name: str) -> tuple[int, ...]:
    words = fields.get(name, "").split()
    if not 1 <= len(words) <= _MOST_AXES or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
        raise _wrong(path, kind, f"{name} is {fields.get(name, 'missing')[:60]!r}; whole numbers are expected")
    return tuple(map(int, words))


def _truth(path: Path, fields: dict[str, str], name: str, default: bool) -> bool:
    word = fields.get(name, str(default)).lower()
    if word not in ("true", "false"):
        raise _wrong(path, "MetaImage", f"{name} is neither True nor False")
    return word == "true"


def _dtype(path: Path, kind: str, types: dict[str, tuple[str, ...]], name: str) -> np.dtype:
    for code, names in types.items():
        if name in names:
            return np.dtype(code)
    raise _wrong(path, kind, f"its voxels are of type {name[:40]!r}, which is no type of real numbers")


def _data_file(path: Path, name: str) -> Path:
    """The data file beside the header. One in another folder is refused: headers move from hand to hand, and such a
    one would read whatever file of this machine it names, or after a copy another patient's voxels.
    """
    if name.upper().startswith("LIST") or "%" in name:
        raise _rare(path, "has its data in several files")
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor:
        raise InputError(
            f"{path} has its data in {name!r}, outside of its own folder. "
            "Put the data file beside it, and write only its name into the header."
        )
    file = path.parent / name
    if not file.is_file():
        raise InputError(f"{path} has its data in {file}, which does not exist. Put both files into one folder.")
    return file


def _block(path: Path, block: Block, skipped: int) -> Block:
    """The block after `skipped` more bytes (-1: at the end of the file), which its file is large enough for."""
    stored = block.file.stat().st_size
    size = math.prod(block.shape) * block.dtype.itemsize
    if skipped < -1 or (skipped and block.packed):
        raise _rare(path, f"skips {skipped} bytes of its data")
    offset = stored - size if skipped == -1 and size <= stored else block.offset + max(skipped, 0)
    before = 0 if block.packed else offset
    check_size(
        path, block.shape, itemsize=block.dtype.itemsize, skipped=before, stored=stored, packed=block.packed
    )
    return replace(block, offset=offset)


def _wrong(path: Path, kind: str, reason: str) -> InputError:
    return unreadable(path, kind, ValueError(reason))


def _rare(path: Path, what: str) -> InputError:
    return InputError(f"{path} {what}. Save it as one .nrrd or .mha file first, in 3D Slicer for instance.")
