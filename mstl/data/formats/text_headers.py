"""What the text headers of NRRD and MetaImage have in common, read strictly: fields, and where the voxels' bytes are.

What is rare, and what the two formats let a header ask of a reader beyond its own voxels, is refused: data in many
files, in text, in other folders, and fields that are there twice.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from mstl.data.formats.scan import check_size, unreadable
from mstl.errors import InputError

_LONGEST_HEADER = 1 << 20  # bytes; headers have some hundred, with every field of a DICOM some ten thousand
_LONGEST_LINE = 1 << 16  # bytes
_MOST_AXES = 8


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


class Header:
    """The fields of the text header of `path`, a file of `kind`: names and texts, of which each is there once."""

    def __init__(self, path: Path, kind: str, fields: Iterable[tuple[str, str] | None]):
        self.path, self.kind = path, kind
        self.fields: dict[str, str] = {}
        for number, field in enumerate(fields, 1):
            if field is None:
                raise self.wrong(f"field {number} has no name and value")
            if field[0] in self.fields:
                raise self.wrong(f"{field[0][:40]!r} is there twice")
            self.fields[field[0]] = field[1].strip()

    def integers(self, name: str, default: str = "") -> tuple[int, ...]:
        """The whole numbers of a field; raises `InputError` where it holds anything else, or too many."""
        words = self.fields.get(name, default).split()
        if not 1 <= len(words) <= _MOST_AXES or not all(re.fullmatch(r"-?[0-9]{1,18}", word) for word in words):
            given = self.fields.get(name, "")[:60]
            raise self.wrong(f"{name} is {given!r}; up to {_MOST_AXES} whole numbers are expected")
        return tuple(map(int, words))

    def shape(self, sides: str, axes: str) -> tuple[int, ...]:
        """The sides in the field `sides`, as many as the field `axes` says."""
        shape = self.integers(sides)
        if self.integers(axes) != (len(shape),):
            raise self.wrong(f"{axes} and {sides} disagree")
        return shape

    def dtype(self, types: dict[str, tuple[str, ...]], word: str) -> np.dtype:
        """The dtype that is called `word`, little-endian."""
        for code, names in types.items():
            if word in names:
                return np.dtype(f"<{code}")
        raise self.wrong(f"its voxels are of type {word[:40]!r}, which is no type of real numbers")

    def data_file(self, name: str) -> Path:
        """The data file beside the header.

        One in another folder is refused: headers move from hand to hand, and such a one would read whatever file it
        names, or after a copy another patient's voxels.
        """
        if name.upper().startswith("LIST") or "%" in name:
            raise self.rare("has its data in several files")
        if not name or ".." in PurePosixPath(name).parts or name[0] in "/\\" or PureWindowsPath(name).anchor:
            raise InputError(
                f"{self.path} has its data in {name!r}, outside of its own folder. "
                "Put the data file beside it, and write only its name into the header."
            )
        file = self.path.parent / name
        if not file.is_file():
            raise InputError(f"{self.path} has its data in {file}, which does not exist. Put both into one folder.")
        return file

    def placed(self, block: Block, skipped: int) -> Block:
        """The block after `skipped` more bytes (-1: at the end of the file), which its file is large enough for."""
        stored, itemsize = block.file.stat().st_size, block.dtype.itemsize
        if skipped < -1 or (skipped and block.packed):
            raise self.rare(f"skips {skipped} bytes of its data")
        offset = block.offset + max(skipped, 0)
        if skipped == -1:
            offset = max(stored - math.prod(block.shape) * itemsize, block.offset)
        room = stored - offset
        check_size(self.path, block.shape, itemsize=itemsize, skipped=0, stored=room, packed=block.packed)
        return replace(block, offset=offset)

    def wrong(self, reason: str) -> InputError:
        """The error for a header that makes no sense."""
        return unreadable(self.path, self.kind, ValueError(reason))

    def rare(self, what: str) -> InputError:
        """The error for what is allowed in the format and not read here."""
        return InputError(f"{self.path} {what}. Save it as one .nrrd or .mha file first, in 3D Slicer for instance.")


def header_lines(path: Path, kind: str, *, is_last: Callable[[str], object]) -> tuple[list[str], int]:
    """Lines of a header, the one that ends it among them, and the bytes they take.

    Raises `InputError` where they are no text or too many.
    """
    lines: list[str] = []
    with path.open("rb") as stream:
        while stream.tell() < _LONGEST_HEADER:
            raw = stream.readline(_LONGEST_LINE)
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            if len(raw) == _LONGEST_LINE or not all(character == "\t" or character >= " " for character in line):
                raise unreadable(path, kind, ValueError(f"line {len(lines) + 1} of its header is no text"))
            lines.append(line)
            if not raw or is_last(line):
                return lines, stream.tell()
    raise unreadable(path, kind, ValueError(f"its header does not end within {_LONGEST_HEADER} bytes"))
