"""The formats of scans: which file is of which, which files belong together, and the one door to open any of them."""
from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from mstl.data.formats.itk_files import open_itk, write_itk
from mstl.data.formats.mat_files import open_mat
from mstl.data.formats.meta_header import read_meta_header
from mstl.data.formats.nibabel_files import open_nibabel, pair_of, write_nibabel
from mstl.data.formats.nrrd_header import read_nrrd_header
from mstl.data.formats.pictures import PICTURE_AFFINE, PICTURES, SLICES, open_picture, write_picture
from mstl.data.formats.scan import Scan
from mstl.data.grid import Grid
from mstl.data.selector import array_of, file_of
from mstl.errors import InputError
from mstl.files import sha256, whole_file

_OPENERS: dict[str, Callable[[Path], Scan]] = {
    ".nii": open_nibabel,
    ".nii.gz": open_nibabel,
    ".hdr": open_nibabel,
    ".hdr.gz": open_nibabel,
    ".img": open_nibabel,
    ".img.gz": open_nibabel,
    ".mgh": open_nibabel,
    ".mgz": open_nibabel,
    ".nrrd": open_itk,
    ".nhdr": open_itk,
    ".mha": open_itk,
    ".mhd": open_itk,
    **dict.fromkeys(PICTURES, open_picture),
    SLICES: open_mat,
}
_WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray], None]] = {
    ".nii.gz": write_nibabel,
    ".nii": write_nibabel,
    ".nrrd": write_itk,
    ".mha": write_itk,
    ".mgz": write_nibabel,
    ".mgh": write_nibabel,
    ".png": write_picture,
}
READ, WRITTEN = tuple(_OPENERS), tuple(_WRITERS)
_FARTHEST_MM = 1e6
_PLACE_MM = 1e-4
_FLOAT32 = 3e-7  # what sums of four float32 numbers, as affines are stored, can be off, relatively
_DICOM = (".dcm", ".ima")
_OF_MGH = {"b1": "u1", "i1": "i2", "u4": "i4", "i8": "i4", "u8": "i4", "f2": "f4", "f8": "f4", "f16": "f4"}
_OF_OTHERS = {"b1": "u1", "f2": "f4", "f16": "f8"}


def suffix_of(path: str | Path) -> str:
    """The suffix by which a scan's format is known, in lower case, such as `.nii.gz`; "" where it is none."""
    name = file_of(path).name.lower()
    return max((suffix for suffix in READ if name.endswith(suffix)), key=len, default="")


def open_scan(path: str | Path) -> Scan:
    """Open a file of any format in `READ`, header only; of a `#N` at its end only the array of `#array:N` counts.

    Raises `InputError` where the file is missing or of no such format, its header is damaged, declares more voxels
    than the file can hold, or places them nowhere.
    """
    array, path = array_of(path), file_of(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path in the cohort.")
    if path.suffix.lower() in _DICOM:
        raise InputError(f"{path} is one DICOM slice. Convert its folder with dcm2niix first.")
    if not suffix_of(path):
        raise InputError(f"{path} is none of {', '.join(READ)}. Convert it to NIfTI first.")
    if array and suffix_of(path) != SLICES:
        raise InputError(f"{path} has no array {array!r}: only {SLICES} files have arrays by name. Leave it out.")
    scan = open_mat(path, array) if array else _OPENERS[suffix_of(path)](path)
    if not np.all(np.abs(scan.affine) < _FARTHEST_MM) or abs(np.linalg.det(scan.affine[:3, :3])) < 1e-9:
        raise InputError(
            f"{path} has an affine that cannot be inverted, or leads farther than 1 km. "
            "Export it again with its geometry."
        )
    return scan


def write_scan(path: str | Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3D array as one file in the format of `path`'s suffix, one of `WRITTEN`, whole or not at all.

    NIfTI takes several volumes `(i, j, k, N)` too. The dtype is kept where the format has it. NIfTI, NRRD and MetaImage
    store bool as uint8 and float16 as float32. MGH knows uint8, int16, uint16, int32 and float32: int8 becomes int16,
    larger integers int32, float64 float32. Raises `InputError` for another suffix, for what are no real numbers, for
    integers that do not fit, and where the format cannot hold the grid to 1e-4 mm (or the precision of float32, where
    the world is larger than a head).
    """
    path = Path(path)
    if suffix_of(path) not in WRITTEN:
        raise InputError(f"{path} does not end in {', '.join(WRITTEN)}. Give the output one of these suffixes.")
    stored = _stored(path, data)
    if suffix_of(path) in PICTURES and Grid(data.shape[:3], affine).difference(Grid(data.shape[:3], PICTURE_AFFINE)):
        raise InputError(f"{path} is a picture, in which the scan's place in the world would be lost. Use .nii.gz.")
    with whole_file(path) as temporary:
        try:
            _WRITERS[suffix_of(path)](temporary, data.astype(stored, copy=False), affine)
        except (RuntimeError, ValueError, nib.spatialimages.HeaderDataError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path} cannot hold such a scan ({reason}). Choose another format.") from error
        _check_place(path, Grid(data.shape[:3], affine), open_scan(temporary).affine)


def _stored(path: Path, data: np.ndarray) -> np.dtype:
    """The dtype in which the format of `path` holds `data`."""
    if data.dtype.kind not in "biuf":
        raise InputError(f"{path} shall hold {data.dtype}; real numbers are expected. Take their magnitude first.")
    stored = (_OF_MGH if suffix_of(path) in (".mgh", ".mgz") else _OF_OTHERS).get(data.dtype.str[1:], data.dtype)
    stored = np.dtype(stored)
    if stored.kind == "i" and stored.itemsize <= data.dtype.itemsize and stored != data.dtype:
        limits = np.iinfo(stored)
        if data.min() < limits.min or data.max() > limits.max:
            raise InputError(f"{path} cannot hold {data.dtype} beyond {stored}. Write it as .nii.gz or .nrrd.")
    return stored


def _check_place(path: Path, grid: Grid, written: np.ndarray) -> None:
    """Raise `InputError` where the corners of `grid` lie elsewhere under the affine that was written."""
    corners = np.array([[*corner, 1] for corner in itertools.product(*((0, side - 1) for side in grid.shape))])
    wanted = corners @ grid.affine.T
    distance = float(np.abs(corners @ written.T - wanted).max())
    if distance > max(_PLACE_MM, _FLOAT32 * np.abs(wanted).max()):
        raise InputError(f"{path} would lie {distance:.2g} mm off: its format cannot hold this grid. Use .nii.gz.")


def files_of(path: str | Path) -> tuple[Path, ...]:
    """The files that a scan consists of: the one that holds its header, then those that belong to it.

    Raises `InputError` where the header cannot be read, or a file is missing.
    """
    path = file_of(path)
    suffix = suffix_of(path)
    if suffix in (".hdr", ".hdr.gz", ".img", ".img.gz"):
        files = pair_of(path)
        return tuple(files[role] for role in ("header", "image", "mat") if files[role].is_file())
    if suffix in (".nhdr", ".mhd", ".nrrd", ".mha"):
        block = read_nrrd_header(path) if suffix in (".nhdr", ".nrrd") else read_meta_header(path)[0]
        return (path,) if block.file == path else (path, block.file)
    return (path,)


def scan_sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a scan's file; of the digests of its files, one after the other, where it has several."""
    digests = [sha256(file) for file in files_of(path)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
