"""Headers of NRRD files, https://teem.sourceforge.net/nrrd/format.html: which bytes of which file are the voxels."""
from __future__ import annotations

import re
from pathlib import Path

from mstl.data.formats.text_headers import Block, Header, header_lines

_FIELD = re.compile(r"([A-Za-z][A-Za-z ]*): (.*)|([^:]+):=(.*)")
_ALIASES = {"datafile": "data file", "byteskip": "byte skip", "lineskip": "line skip"}
_PACKED = {"raw": False, "gzip": True, "gz": True}
_ORDERS = {"little": "<", "big": ">"}
_TYPES = {
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


def read_nrrd_header(path: Path) -> Block:
    """Voxels of a `.nrrd` or `.nhdr`; raises `InputError` where the header is not NRRD or asks for too much."""
    lines, length = header_lines(path, "NRRD", is_last=lambda line: not line)
    fields = (_field(line) for line in lines[1:] if line and not line.startswith("#"))
    header = Header(path, "NRRD", fields)
    if not re.fullmatch(r"NRRD000[1-5]", lines[0]):
        raise header.wrong("its first line is not NRRD0001 to NRRD0005")
    shape = header.shape("sizes", "dimension")
    encoding = header.fields.get("encoding", "").lower()
    if encoding not in _PACKED:
        raise header.rare(f"is encoded as {encoding[:40] or 'nothing'}; raw or gzip is expected")
    if header.integers("line skip", "0") != (0,):
        raise header.rare("skips lines of its data")
    dtype = header.dtype(_TYPES, header.fields.get("type", "").lower())
    if dtype.itemsize > 1:
        order = header.fields.get("endian", "").lower()
        if order not in _ORDERS:
            raise header.wrong("endian is neither little nor big")
        dtype = dtype.newbyteorder(_ORDERS[order])
    file, start = path, length
    if "data file" in header.fields:
        file, start = header.data_file(header.fields["data file"]), 0
    return header.placed(Block(file, shape, dtype, start, _PACKED[encoding]), header.integers("byte skip", "0")[0])


def _field(line: str) -> tuple[str, str] | None:
    found = _FIELD.fullmatch(line)
    if found is None:
        return None
    if found[1] is None:
        return f"{found[3]}:=", found[4]  # a remark of the writer, apart from the fields of the format
    return _ALIASES.get(found[1].lower(), found[1].lower()), found[2]
