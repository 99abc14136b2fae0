"""Volumes: NIfTI files in, checked; NIfTI files out, whole."""
from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from mstl.data.grid import TOLERANCE_MM, Grid
from mstl.errors import InputError
from mstl.files import whole_file

SUFFIXES = (".nii", ".nii.gz")
_STORED = {np.dtype(bool): np.uint8, np.dtype(np.float16): np.float32}  # NIfTI has neither
_QUATERNION_ERROR = 2e-3  # of the spacing: what a qform, three float32 numbers, can be off near half turns
_DAMAGED = (
    EOFError,
    OSError,
    zlib.error,
    ValueError,
    nib.filebasedimages.ImageFileError,
    nib.spatialimages.HeaderDataError,
)


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D array as stored (axes i, j, k) and its affine `(4, 4)`, voxel index to world mm RAS+."""

    data: np.ndarray
    affine: np.ndarray
    path: Path | None = None

    @property
    def grid(self) -> Grid:
        """Shape and affine of the volume."""
        return Grid(self.data.shape, self.affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along i, j, k."""
        return self.data.shape

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel distance along i, j, k, mm."""
        return self.grid.spacing


def read_grid(path: str | Path) -> Grid:
    """The grid of a NIfTI file; reads the header only. Raises as `read_volume` does."""
    image = _open(Path(path))
    return Grid(_shape_3d(image, Path(path)), image.affine)


def read_volume(path: str | Path, *, allow_constant: bool = False) -> Volume:
    """Read a 3D NIfTI file in float32 or the smaller dtype it is stored in.

    An uncompressed file without scaling is memory mapped. Raises `InputError` where the file is missing,
    truncated, not NIfTI, not 3D, has sform and qform that disagree by more than 1e-3 mm (and 0.002 of the
    spacing: the precision of a qform), holds values that are not finite or no real numbers, or (unless
    `allow_constant`) holds one value only.
    """
    path = Path(path)
    image = _open(path)
    shape = _shape_3d(image, path)
    stored = image.get_data_dtype()
    if stored.kind not in "iuf":
        raise InputError(f"{path} holds {stored}; real numbers are expected. Export it in grey.")
    try:
        data = _compact(image).reshape(shape, order="F")
    except _DAMAGED as error:
        reason = _line(error)
        raise InputError(f"{path} is truncated or damaged ({reason}). Copy or export it again.") from error
    low, high = data.min(), data.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(data)))
        raise InputError(f"{path} holds {bad} NaN or infinite voxels; all must be finite. Export it again.")
    if low == high and not allow_constant:
        raise InputError(f"{path} is {low} everywhere; a scan must vary. Export it again, or leave it out.")
    return Volume(data, image.affine, path)


def read_mask(path: str | Path, *, binarise: bool = False) -> Volume:
    """Read a mask as uint8 0 and 1. `binarise` cuts other values at 0.5 (soft masks).

    Raises `InputError` as `read_volume` does, and where other values are found without `binarise`.
    """
    volume = read_volume(path, allow_constant=True)
    if not binarise and not np.all((volume.data == 0) | (volume.data == 1)):
        found = ", ".join(f"{value:g}" for value in np.unique(volume.data)[:5])
        raise InputError(
            f"Mask {path} holds values {found}, ...; only 0 and 1 are expected. "
            "Pass --binarise-masks to cut at 0.5, or export it again."
        )
    return Volume((volume.data >= 0.5).astype(np.uint8, order="K"), volume.affine, volume.path)


def write_volume(path: str | Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3D array as NIfTI (`.nii`, `.nii.gz`), sform and qform set to `affine`, whole or not at all.

    Equal arrays give equal bytes; bool is stored as uint8, float16 as float32. A sheared affine fits no
    qform, which is left out then. Raises `InputError` for another suffix or where the disk is full.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} does not end in .nii or .nii.gz. Give the output one of these suffixes.")
    image = nib.Nifti1Image(data.astype(_STORED.get(data.dtype, data.dtype), copy=False), affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    if _disagreement(image):
        image.set_qform(None, code=0)
    image.header.set_xyzt_units("mm")
    with whole_file(path) as temporary:
        nib.save(image, temporary)


def _open(path: Path) -> nib.Nifti1Image:
    if not path.is_file():
        raise InputError(f"{path} does not exist. Check the path in the cohort.")
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} is not .nii or .nii.gz. Convert it to NIfTI first.")
    try:
        image = nib.load(path)
        disagreement = _disagreement(image)
    except _DAMAGED as error:
        reason = _line(error)
        raise InputError(f"{path} cannot be read as NIfTI ({reason}). Copy or export it again.") from error
    if not np.all(np.isfinite(image.affine)) or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise InputError(f"{path} has an affine that cannot be inverted. Export it again with its geometry.")
    if disagreement:
        raise InputError(
            f"{path} states two positions: sform and qform differ by {disagreement:.3g} mm. "
            "Find out which one is right, and copy it over the other."
        )
    return image


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _disagreement(image: nib.Nifti1Image) -> float:
    """Largest difference of sform and qform in mm; 0 where they agree or only one is set."""
    (sform, sform_code), (qform, qform_code) = image.get_sform(coded=True), image.get_qform(coded=True)
    if not (sform_code > 0 and qform_code > 0):
        return 0.0
    tolerance = TOLERANCE_MM + _QUATERNION_ERROR * np.array([*np.linalg.norm(sform[:3, :3], axis=0), 0])
    difference = np.abs(sform - qform)
    return float(difference.max()) if np.any(difference > tolerance) else 0.0


def _shape_3d(image: nib.Nifti1Image, path: Path) -> tuple[int, int, int]:
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise InputError(f"{path} has shape {image.shape}; a 3D volume is expected. Split it into 3D files.")
    return shape


def _compact(image: nib.Nifti1Image) -> np.ndarray:
    stored = image.get_data_dtype()
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
    if scaled or stored.itemsize > 4:
        return np.asarray(image.dataobj, dtype=np.float32)
    data = np.asanyarray(image.dataobj)
    return data if stored.isnative else data.astype(stored.newbyteorder("="))
