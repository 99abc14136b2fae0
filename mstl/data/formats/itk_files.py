"""NRRD and MetaImage files: read within bounds, written by SimpleITK.

SimpleITK would read the voxels too, but allocates what a damaged header asks for and takes a broken stream for zeros.
It says where those of NRRD lie, which has many ways of saying so.
"""
from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mstl.data.formats.meta_header import read_meta_header
from mstl.data.formats.nrrd_header import read_nrrd_header
from mstl.data.formats.scan import Scan, damaged, no_real_numbers, trimmed, unreadable
from mstl.data.formats.text_headers import Block
from mstl.data.grid import RAS_TO_LPS, itk_image

_PIECE = 1 << 20  # bytes unpacked at a time
_GZIP_OR_ZLIB = 47  # the word by which zlib finds out which


def open_itk(path: Path) -> Scan:
    """Open `.nrrd`, `.nhdr`, `.mha` or `.mhd`; reads the header only.

    ITK's world is LPS; the affine given here is RAS+ as everywhere. Raises `InputError` where the header is damaged,
    declares more than its data can hold, or is one of the rare kinds that `text_headers` refuses.
    """
    nrrd = path.suffix.lower() in (".nrrd", ".nhdr")
    try:
        with np.errstate(all="ignore"):
            if nrrd:
                block = read_nrrd_header(path)
                lps = _lps_affine(path, block)
            else:
                block, lps = read_meta_header(path)
            affine = RAS_TO_LPS @ lps  # its own inverse
    except OSError as error:
        raise unreadable(path, "NRRD" if nrrd else "MetaImage", error) from error
    return Scan(path, trimmed(block.shape), affine, block.dtype, lambda volume: _values(block, path, volume))


def write_itk(path: Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3D array as `.nrrd` or `.mha`, gzipped, its axes in the order they have."""
    import SimpleITK as sitk

    with _quietly():
        sitk.WriteImage(itk_image(np.asfortranarray(data), affine), str(path), useCompression=True)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without ITK's warnings, which it writes past Python's own."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


def _lps_affine(path: Path, block: Block) -> np.ndarray:
    """Voxel to world mm LPS of the first three axes of a NRRD file, as ITK understands its many fields for it."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO")
    reader.SetFileName(str(path))
    try:
        with _quietly():
            reader.ReadImageInformation()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise unreadable(path, "NRRD", ValueError(reason)) from error
    if reader.GetNumberOfComponents() != 1:
        raise no_real_numbers(path, f"vectors of {reader.GetNumberOfComponents()} numbers")
    axes = reader.GetDimension()
    if tuple(reader.GetSize()) != block.shape:
        reason = ValueError(f"ITK finds {reader.GetSize()} voxels, its header says {block.shape}")
        raise unreadable(path, "NRRD", reason)
    first = min(axes, 3)
    direction = np.reshape(reader.GetDirection(), (axes, axes))[:first, :first]
    affine = np.eye(4)
    affine[:first, :first] = direction * reader.GetSpacing()[:first]
    affine[:first, 3] = reader.GetOrigin()[:first]
    return affine


def _values(block: Block, path: Path, volume: int | None) -> np.ndarray:
    """All voxels, memory mapped where they are not packed, or those of one volume."""
    try:
        if block.packed:
            data = _unpacked(block)
        else:
            data = np.memmap(block.file, block.dtype, "c", block.offset, math.prod(block.shape))
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise damaged(path, error) from error
    data = data.reshape(trimmed(block.shape), order="F")
    if volume is not None and data.ndim > 3:
        data = np.array(data.reshape(*block.shape[:3], -1, order="F")[..., volume], order="F")
    return data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))


def _unpacked(block: Block) -> np.ndarray:
    """Voxels of a stream of gzip or zlib; no more than the header declares is ever kept."""
    data = np.empty(math.prod(block.shape), block.dtype)
    room, filled = memoryview(data.view(np.uint8)), 0
    with block.file.open("rb") as stream:
        stream.seek(block.offset)
        for piece in _pieces(stream):
            if filled + len(piece) > len(room):
                raise ValueError(f"more than the {len(room)} bytes that its header declares")
            room[filled : filled + len(piece)] = piece
            filled += len(piece)
    if filled < len(room):
        raise EOFError(f"{filled} of {len(room)} bytes are there")
    return data


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    """What streams of gzip or zlib, one after the other, hold; their checksums are compared on the way."""
    packed = stream.read(_PIECE)
    while packed:
        unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        while not unpacker.eof:
            packed = packed or stream.read(_PIECE)
            piece = unpacker.decompress(packed, _PIECE)
            if not (packed or piece or unpacker.eof):
                raise EOFError("it ends early")
            packed = unpacker.unconsumed_tail
            yield piece
        packed = (unpacker.unused_data or stream.read(_PIECE)).lstrip(b"\0")
