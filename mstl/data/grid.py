"""Grids: where the voxels of an array lie in the world, and how to go from one grid to another."""
from __future__ import annotations

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from mstl.errors import InputError

TOLERANCE_MM = 1e-3
RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # nibabel's world is RAS+, ITK's is LPS+


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape `(3,)` of a volume and its affine `(4, 4)`, voxel index to world mm RAS+."""

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxels along each array axis, mm: the lengths of the affine's columns."""
        return tuple(float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, also where axes are sheared."""
        return float(abs(np.linalg.det(self.affine[:3, :3])) / 1000)

    def volume_ml(self, region: np.ndarray) -> float:
        """Volume of the voxels of `region` that are not 0, ml."""
        return float(np.count_nonzero(region) * self.voxel_ml)

    def difference(self, other: Grid) -> str | None:
        """What differs from `other` in words, None where shape and affine (within 1e-3 mm) are equal."""
        if self.shape != other.shape:
            return f"shape {self.shape} against {other.shape}"
        distance = float(np.abs(self.affine - other.affine).max())
        return f"affines differ by {distance:.3g} mm" if distance > TOLERANCE_MM else None

    def moved(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Grid:
        """The part of this lattice that begins at index `start` (may be negative) and has `shape` voxels."""
        affine = self.affine.copy()
        affine[:3, 3] = (self.affine @ [*start, 1])[:3]
        return Grid(tuple(int(side) for side in shape), affine)


def check_same_grid(grid: Grid, reference: Grid, *, names: tuple[str, str]) -> None:
    """Raise `InputError` unless both grids have one shape and one affine (within 1e-3 mm).

    `names` say in the message what `grid` and `reference` belong to.
    """
    difference = grid.difference(reference)
    if difference:
        raise InputError(
            f"{names[0]} and {names[1]} lie on different grids ({difference}). "
            "Both must share one grid: resample one of them onto the other."
        )


def oriented(grid: Grid, *, axes: str) -> Grid:
    """The same lattice with its axes permuted and flipped to run towards `axes`, such as "SPL".

    Nothing is interpolated: an oblique grid stays oblique, each axis takes the nearest world direction.
    """
    transform = nib.orientations.ornt_transform(
        nib.io_orientation(grid.affine), nib.orientations.axcodes2ornt(axes)
    )
    shape = [0, 0, 0]
    for source, (target, _) in enumerate(transform):
        shape[int(target)] = grid.shape[source]
    return Grid(tuple(shape), grid.affine @ nib.orientations.inv_ornt_aff(transform, grid.shape))


def respaced(grid: Grid, spacing: tuple[float, float, float]) -> Grid:
    """A lattice over the same field of view with `spacing` mm; its outer edges start where the old ones do.

    An axis whose spacing is equal within 1e-3 mm keeps its voxels exactly.
    """
    old, new = np.asarray(grid.spacing), np.asarray(spacing, dtype=float)
    new = np.where(np.abs(old - new) < TOLERANCE_MM, old, new)
    scale = np.diag([*(new / old), 1.0])
    scale[:3, 3] = (new / old - 1) / 2  # centre of the first new voxel, in old voxels
    shape = np.ceil(np.asarray(grid.shape) * old / new - 1e-4).astype(int)
    return Grid(tuple(int(side) for side in shape), grid.affine @ scale)


def stretched(grid: Grid, shape: tuple[int, int, int]) -> Grid:
    """A lattice of `shape` voxels over the same field of view; an axis of equal length keeps its voxels exactly."""
    scale = np.diag([*(np.asarray(grid.shape) / np.asarray(shape)), 1.0])
    scale[:3, 3] = (np.diag(scale)[:3] - 1) / 2  # centre of the first new voxel, in old voxels
    return Grid(tuple(shape), grid.affine @ scale)


def resample(data: np.ndarray, source: Grid, target: Grid, *, nearest: bool = False) -> np.ndarray:
    """Values of `data` (on `source`) at the voxels of `target`: linear, or nearest for masks.

    Returns a C-contiguous array of `target.shape` in the dtype of `data`, integers rounded; 0 outside the
    field of view.
    """
    import SimpleITK as sitk

    if not nearest and data.dtype.kind in "iu":  # ITK would cut 2.9999 down to 2
        return np.rint(resample(data.astype(np.float64), source, target)).astype(data.dtype)
    resampler = sitk.ResampleImageFilter()
    resampler.SetInterpolator(sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear)
    resampler.SetSize([int(side) for side in reversed(target.shape)])
    spacing, direction, origin = _itk_geometry(target.affine[:, [2, 1, 0, 3]])
    resampler.SetOutputSpacing(spacing)
    resampler.SetOutputDirection(direction)
    resampler.SetOutputOrigin(origin)
    return sitk.GetArrayFromImage(resampler.Execute(itk_image(data, source.affine)))


def itk_image(data: np.ndarray, affine: np.ndarray):
    """A SimpleITK image of an array and its affine, in ITK's world (LPS+).

    ITK numbers axes fastest first: a C-ordered array gets its affine's columns reversed, so that
    `SimpleITK.GetArrayFromImage` gives it back; a Fortran-ordered array comes back transposed.
    """
    import SimpleITK as sitk

    if data.flags.f_contiguous:
        data = data.T
    else:
        data, affine = np.ascontiguousarray(data), affine[:, [2, 1, 0, 3]]
    image = sitk.GetImageFromArray(data)
    spacing, direction, origin = _itk_geometry(affine)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    image.SetOrigin(origin)
    return image


def _itk_geometry(affine: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    return spacing.tolist(), (lps[:3, :3] / spacing).ravel().tolist(), lps[:3, 3].tolist()
