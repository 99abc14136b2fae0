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
_DAMAGED = (EOFError, OSError, zlib.error, ValueError, nib.filebasedimages.ImageFileError)


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
    truncated, not NIfTI, not 3D, has sform and qform that disagree by more than 1e-3 mm, holds values that
    are not finite, or (unless `allow_constant`) holds one value only.
    """
    path = Path(path)
    image = _open(path)
    shape = _shape_3d(image, path)
    try:
        data = _compact(image).reshape(shape, order="F")
    except _DAMAGED as error:
        raise InputError(f"{path} is truncated or damaged ({error}). Copy or export it again.") from error
    low, high = data.min(), data.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(data)))
        raise InputError(f"{path} holds {bad} voxels that are NaN or infinite; all must be finite. Export it again.")
    if low == high and not allow_constant:
        raise InputError(f"{path} is {low} in every voxel; a scan must vary. Export it again, or leave it out.")
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
    """Write a 3D array as NIfTI (`.nii`, `.nii.gz`), sform and qform both set to `affine`, whole or not at all.

    Equal arrays give equal bytes. Raises `InputError` for another suffix or where the disk is full.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        raise InputError(f"{path} does not end in .nii or .nii.gz. Give the output one of these suffixes.")
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
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
    except _DAMAGED as error:
        raise InputError(f"{path} cannot be read as NIfTI ({error}). Copy or export it again.") from error
    _check_affine(image, path)
    return image


def _check_affine(image: nib.Nifti1Image, path: Path) -> None:
    if not np.all(np.isfinite(image.affine)) or abs(np.linalg.det(image.affine[:3, :3])) < 1e-9:
        raise InputError(f"{path} has an affine that cannot be inverted. Export it again with its geometry.")
    sform, qform = image.get_sform(coded=True), image.get_qform(coded=True)
    if sform[1] > 0 and qform[1] > 0:
        distance = float(np.abs(sform[0] - qform[0]).max())
        if distance > TOLERANCE_MM:
            raise InputError(
                f"{path} states two positions: sform and qform differ by {distance:.3g} mm. "
                "Find out which one is right, and copy it over the other."
            )


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
    if scaled or stored.kind not in "iuf" or stored.itemsize > 4:
        return np.asarray(image.dataobj, dtype=np.float32)
    return np.asanyarray(image.dataobj)
