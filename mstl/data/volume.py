"""Volumes: scans of any format in, checked; files out, whole."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.formats import open_scan, write_scan
from mstl.data.formats.pictures import is_picture
from mstl.data.formats.scan import check_3d
from mstl.data.grid import Grid
from mstl.data.labels import proposed_labels, shown, to_classes, unknown_values
from mstl.data.selector import volume_of
from mstl.errors import InputError

_SHOWN_VALUES = 8
_WHITE = 255  # what stands for 1 in masks that people look at


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
    """The grid of a scan; reads the header only. Raises as `read_volume` does."""
    scan = open_scan(path)
    check_3d(scan, path)
    return Grid(scan.shape[:3], scan.affine)


def read_volume(path: str | Path, *, allow_constant: bool = False) -> Volume:
    """Read a 3D scan, or volume `N` of a 4D file (`x.nii.gz#N`), in float32 or the smaller dtype it is stored in.

    Formats: NIfTI-1 and -2, Analyze, MGH, NRRD, MetaImage, pictures, sections of MATLAB files (`mstl.data.formats`).
    Axes i, j, k are as stored. An uncompressed file without scaling is memory mapped. Raises `InputError` where the
    file is missing, truncated, of another format, not 3D, declares more voxels than it can hold (before any is
    allocated), has sform and qform that disagree by more than 1e-3 mm (and 0.002 of the spacing: the precision of a
    qform), holds values that are not finite or no real numbers, or (unless `allow_constant`) holds one value only.
    """
    path = Path(path)
    scan = open_scan(path)
    check_3d(scan, path)
    data = scan.values(volume_of(path))
    if data.dtype.itemsize > 4:
        data = data.astype(np.float32)
    low, high = data.min(), data.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        bad = int(np.count_nonzero(~np.isfinite(data)))
        raise InputError(f"{path} holds {bad} NaN or infinite voxels; all must be finite. Export it again.")
    if low == high and not allow_constant:
        raise InputError(f"{path} is {low} everywhere; a scan must vary. Export it again, or leave it out.")
    return Volume(data, scan.affine, path)


def read_mask(path: str | Path, *, binarise: bool = False, labels: Sequence[int] = ()) -> Volume:
    """Read a mask as class numbers, uint8: 0 and 1, or with `labels` the place (from 1) that a value has in them.

    `binarise` cuts the values at 0.5 (soft masks; several labels become one class), those of a picture that reaches
    white, 255, at half of it. A picture of 0 and 255 is one of 0 and 1. Raises `InputError` as `read_volume` does, and
    where there are values that were not declared.
    """
    volume = read_volume(path, allow_constant=True)
    if tuple(labels) in ((), (1,)):
        volume = without_white(volume)
    if binarise:
        return Volume((volume.data >= _half_of(volume)).astype(np.uint8, order="K"), volume.affine, volume.path)
    if unknown_values(volume.data, labels).size:
        raise _unknown(volume, labels)
    return Volume(to_classes(volume.data, labels), volume.affine, volume.path)


def without_white(mask: Volume) -> Volume:
    """A picture of 0 and 255 as one of 0 and 1; every other mask as it is."""
    if not is_picture(mask.path) or unknown_values(mask.data, (_WHITE,)).size:
        return mask
    return Volume(to_classes(mask.data, (_WHITE,)), mask.affine, mask.path)


def _half_of(mask: Volume) -> float:
    """From which value a soft mask is lesion."""
    return _WHITE / 2 if is_picture(mask.path) and mask.data.max() == _WHITE else 0.5


def _unknown(volume: Volume, labels: Sequence[int]) -> InputError:
    """The error on values that nobody declared, with the option that would take them."""
    found = np.unique(volume.data)
    proposed = proposed_labels([*found.tolist(), *labels])
    more = ", ..." if found.size > _SHOWN_VALUES else ""
    return InputError(
        f"Mask {volume.path} holds values {shown(found[:_SHOWN_VALUES], separator=', ')}{more}; only "
        f"0 and {shown(labels or (1,), separator=', ')} are expected. "
        + (
            f"Pass --labels {shown(proposed)} to keep its classes, or --binarise-masks to make one of all."
            if proposed
            else f"Pass --binarise-masks to cut at {_half_of(volume)}, or export it again."
        )
    )


def write_volume(path: str | Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3D array in the format of the path's suffix, `.nii.gz` for instance, whole or not at all.

    Equal arrays give equal bytes; bool is stored as uint8, float16 as float32. In NIfTI sform and qform are both set
    to `affine`; a sheared one fits no qform, which is left out then. Raises `InputError` for a suffix that cannot be
    written, or where the disk is full.
    """
    write_scan(path, data, affine)
