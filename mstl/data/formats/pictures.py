"""Pictures as scans: a 2D image file without a place in the world is a volume of one slice."""
from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImagePalette

from mstl.data.formats.scan import Scan, check_size, damaged, no_real_numbers, unreadable
from mstl.data.selector import file_of
from mstl.errors import InputError

# A pixel counts as 1 mm. Rows run to posterior, columns to the left, so that axes "SPL" leave a picture unturned.
PICTURE_AFFINE = np.array([[0.0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
PICTURE_AFFINE.setflags(write=False)
PICTURES = (".png", ".bmp", ".tif", ".tiff")
SLICES = ".mat"  # arrays of MATLAB, whose sections have no place in the world either

_DTYPES = {"1": "u1", "L": "u1", "P": "u1", "I": "i4", "F": "f4", "LA": "u1", "La": "u1", "RGB": "u1", "RGBA": "u1"}
_BROKEN = (OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, OverflowError, AttributeError,
           struct.error)  # fmt: skip
_DEEP = "I;16"  # modes of 16 bit begin so, with the order of bytes after it


def is_picture(path: str | Path) -> bool:
    """Whether a file, by its suffix, is a picture or holds slices that count as pictures (`x.mat#3`)."""
    return file_of(path).suffix.lower() in (*PICTURES, SLICES)


def open_picture(path: Path) -> Scan:
    """Open a PNG, BMP or TIFF file of one image as a volume `(rows, columns, 1)`; reads its header only.

    Grey of 1 to 16 bits gives uint8 or uint16, of 1 bit 0 and 1. Colours are read where all channels are equal and
    nothing is transparent. A coloured palette stands for classes, whose numbers are given; a grey one for its greys.
    The affine is `PICTURE_AFFINE`: distances are in pixels. Raises `InputError` where the file is none of these, holds
    several images, is truncated or declares more pixels than it can hold, and, when values are read, on colours.
    """
    with _opened(path) as (image, images):
        columns, rows = image.size
        check_size(path, (rows, columns), itemsize=1, skipped=0, stored=8 * path.stat().st_size, packed=True)
        if images > 1:
            raise InputError(f"{path} holds {images} images; one is expected. Save each as a file of its own.")
        dtype = "u2" if image.mode.startswith(_DEEP) else _DTYPES.get(image.mode)
        if dtype is None or (len(image.getbands()) > 1 and ";16" in str(image.tile)):
            raise no_real_numbers(path, f"pixels of mode {image.mode}")
    return Scan(path, (rows, columns, 1), PICTURE_AFFINE, np.dtype(dtype), lambda volume: _values(path))


def write_picture(path: Path, data: np.ndarray, affine: np.ndarray = PICTURE_AFFINE) -> None:
    """Write `(rows, columns)` or `(rows, columns, 1)` integers from 0 to 65535 as a grey PNG of 8 bits, else 16.

    uint8 stays uint8 and uint16 uint16. A PNG holds no affine: `affine` is `PICTURE_AFFINE`, or is lost. Raises
    `ValueError` for several slices and for other values.
    """
    if data.ndim not in (2, 3) or data.shape[2:] not in ((), (1,)):
        raise ValueError(f"shape {data.shape}, one slice is expected")
    if data.dtype.kind not in "bui" or (data.size and (data.min() < 0 or data.max() > np.iinfo(np.uint16).max)):
        raise ValueError(f"{data.dtype} values, whole numbers from 0 to 65535 are expected")
    pixels = data.reshape(data.shape[:2])
    small = data.dtype.itemsize == 1 or (data.dtype != np.uint16 and data.max() <= np.iinfo(np.uint8).max)
    Image.fromarray(np.ascontiguousarray(pixels, np.uint8 if small else np.uint16)).save(path, "PNG")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, int]]:
    """The image file and how many images it holds; what Pillow says of its header becomes one line."""
    try:
        image = Image.open(path, formats=("PNG", "BMP", "TIFF"))
        images = getattr(image, "n_frames", 1)
    except Image.DecompressionBombError as error:
        raise unreadable(path, "a picture", error) from error
    except _BROKEN as error:
        reason = OSError("it is no PNG, BMP or TIFF, or its header is damaged")
        raise unreadable(path, "a picture", reason) from error
    with image:
        yield image, images


def _values(path: Path) -> np.ndarray:
    """Pixels `(rows, columns, 1)`; raises `InputError` where the file ends too soon or shows colours."""
    with _opened(path) as (image, _):
        try:
            image.load()
        except _BROKEN as error:
            raise damaged(path, error) from error
        pixels = _of_palette(image) if image.mode == "P" else np.asarray(image)
    if pixels.ndim == 3:
        pixels = _grey_of(path, pixels)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)[..., np.newaxis]


def _of_palette(image: Image.Image) -> np.ndarray:
    """Class numbers of a coloured palette, greys of a grey one."""
    numbers = np.asarray(image)
    palette: ImagePalette.ImagePalette = image.palette
    colours = np.frombuffer(bytes(palette.palette), np.uint8).reshape(-1, len(palette.mode))[:, :3]
    used = numbers.max(initial=0) < len(colours)
    return colours[numbers, 0] if used and np.all(colours == colours[:, :1]) else numbers


def _grey_of(path: Path, pixels: np.ndarray) -> np.ndarray:
    """The one channel that all colour channels are equal to."""
    channels = pixels.shape[-1]
    colours = channels - (channels in (2, 4))
    if channels != colours and pixels[..., -1].min() < np.iinfo(np.uint8).max:
        raise InputError(f"{path} is transparent in places; grey is expected. Export it without transparency.")
    if np.any(pixels[..., :colours] != pixels[..., :1]):
        raise InputError(
            f"{path} shows colours; grey is expected. Export the image itself in grey, without overlays, or a mask "
            "as class numbers."
        )
    return np.ascontiguousarray(pixels[..., 0])
