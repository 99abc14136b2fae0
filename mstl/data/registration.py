"""Registration: where one scan lies in the world of another; voxels stay as they are, only affines move."""
from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from mstl.data.grid import RAS_TO_LPS, itk_image, resample, respaced
from mstl.data.volume import Volume
from mstl.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

BINS = 40
_LEVELS_MM = (6.0, 3.0)  # spacing at which scans are compared, coarse to fine
_FOREGROUND = 0.1  # of the 99th percentile: what is darker, and not close to what is brighter, is air
_MARGIN_MM = 12.0  # of air around the fixed head that counts: what grows beyond it is punished
_TURNS = tuple(product((0.0, -0.25, 0.25), repeat=3))  # radians about x, y, z: how a head may lie
_TRIED = 4  # of the starts, those that look best
_RIGID_STEP, _AFFINE_STEP = 0.7, 0.05  # of the spacing: how far a descent's first step moves voxels
_GAIN = 1e-3  # nats of mutual information: less is no reason to move a scan
_WORK_UNITS, _DECIMALS = 2, 6  # sums are split alike on every machine; the order of threads shows in the 13th


@dataclass(frozen=True, eq=False)
class Alignment:
    """`matrix` `(4, 4)`: world mm RAS+ of the moving scan to world mm RAS+ of the fixed one.

    `before`, `after`: mutual information of the two in nats, as they lay and as they are moved.
    """

    matrix: np.ndarray
    before: float
    after: float

    def moved(self, volume: Volume) -> Volume:
        """A volume of the moving scan's world in the fixed one's: equal voxels, another affine."""
        return Volume(volume.data, self.matrix @ volume.affine, volume.path)


def align(moving: Volume, fixed: Volume, *, affine: bool = False) -> Alignment:
    """Find the rigid motion (`affine`: 12 parameters) that brings `moving` onto `fixed`, whatever their modalities.

    Maximises mutual information (Mattes et al. 2003, doi 10.1109/TMI.2003.809072) from coarse to fine with ITK, from
    where the scanner's coordinates put both and from head on head. Nothing moves where that gains nothing. Raises
    `InputError` where one of them shows nothing.
    """
    coarse, fine = (_Pair(moving, fixed, spacing=spacing) for spacing in _LEVELS_MM)
    likely = sorted(coarse.starts(), key=coarse.information, reverse=True)[:_TRIED]
    best = max(map(coarse.descend, likely), key=coarse.information)
    if affine:
        best = coarse.descend(_as_affine(best), step=_AFFINE_STEP)
    best = fine.descend(best, step=_AFFINE_STEP if affine else _RIGID_STEP)
    before, after = fine.information(_euler()), fine.information(best)
    if after < before + _GAIN:
        return Alignment(np.eye(4), before, before)
    return Alignment(np.linalg.inv(_matrix(best)).round(_DECIMALS), before, after)


def mutual_information(first: np.ndarray, second: np.ndarray) -> float:
    """Mutual information in nats of two samples of equal length, from a histogram of 40 x 40 bins."""
    joint, _, _ = np.histogram2d(first, second, bins=BINS)
    joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float(np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))


class _Pair:
    """Two scans at one level of detail; ITK's transforms lead from the fixed world to the moving one."""

    def __init__(self, moving: Volume, fixed: Volume, *, spacing: float) -> None:
        moving, fixed = (_coarser(volume, spacing) for volume in (moving, fixed))
        heads = [_head(volume) for volume in (moving, fixed)]
        self.centres = [
            _centre(head, volume.affine) for head, volume in zip(heads, (moving, fixed), strict=True)
        ]
        self.inside = ndimage.binary_dilation(heads[1], iterations=round(_MARGIN_MM / spacing))
        self.values = fixed.data[self.inside]
        self.moving, self.fixed = (itk_image(volume.data, volume.affine) for volume in (moving, fixed))
        self.mask = itk_image(self.inside.view(np.uint8), fixed.affine)
        self.spacing = spacing

    def starts(self) -> list[sitk.Transform]:
        """As the scanner's coordinates put the heads, and centre on centre."""
        moving, fixed = self.centres
        return [_euler(centre=fixed), *(_euler(fixed, moving - fixed, turns) for turns in _TURNS)]

    def descend(self, start: sitk.Transform, *, step: float = _RIGID_STEP) -> sitk.Transform:
        """The transform of the same kind at the end of a gradient descent; `start` where the heads do not overlap."""
        import SimpleITK as sitk

        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfWorkUnits(_WORK_UNITS)
        method.SetMetricAsMattesMutualInformation(BINS)
        method.SetMetricFixedMask(self.mask)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=step * self.spacing,
            minStep=1e-3,
            numberOfIterations=100,
            gradientMagnitudeTolerance=1e-8,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        transform = type(start)(start)
        method.SetInitialTransform(transform, True)
        try:
            method.Execute(self.fixed, self.moving)
        except RuntimeError:
            return start
        return transform

    def information(self, transform: sitk.Transform) -> float:
        """Mutual information within the fixed head, 0 where the moving scan does not reach."""
        import SimpleITK as sitk

        moved = sitk.Resample(self.moving, self.fixed, transform, sitk.sitkLinear, 0.0)
        return mutual_information(self.values, sitk.GetArrayViewFromImage(moved)[self.inside])


def _coarser(volume: Volume, spacing: float) -> Volume:
    """The scan blurred and resampled to `spacing` mm along the axes that are finer; float32, cut at its extremes."""
    grid = volume.grid
    target = respaced(grid, tuple(max(step, spacing) for step in grid.spacing))
    data = np.ascontiguousarray(volume.data, dtype=np.float32)
    data = np.clip(data, *np.percentile(data, (0.5, 99.5)))
    sigma = [0.4 * spacing / step if step < spacing else 0 for step in grid.spacing]
    return Volume(resample(ndimage.gaussian_filter(data, sigma), grid, target), target.affine, volume.path)


def _head(volume: Volume) -> np.ndarray:
    data = volume.data
    inside = data > data.min() + _FOREGROUND * (np.percentile(data, 99) - data.min())
    if not inside.any():
        raise InputError(f"{volume.path} shows nothing that could be aligned. Look at it, or leave it out.")
    return inside


def _centre(inside: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Centre of mass in ITK's world."""
    return (RAS_TO_LPS @ affine @ [*ndimage.center_of_mass(inside), 1])[:3]


def _euler(centre=(0.0, 0.0, 0.0), shift=(0.0, 0.0, 0.0), turns=(0.0, 0.0, 0.0)) -> sitk.Transform:
    import SimpleITK as sitk

    transform = sitk.Euler3DTransform()
    transform.SetCenter([float(mm) for mm in centre])
    transform.SetTranslation([float(mm) for mm in shift])
    transform.SetRotation(*turns)
    return transform


def _as_affine(rigid: sitk.Transform) -> sitk.Transform:
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    transform.SetCenter(rigid.GetCenter())
    transform.SetTranslation(rigid.GetTranslation())
    transform.SetMatrix(rigid.GetMatrix())
    return transform


def _matrix(transform: sitk.Transform) -> np.ndarray:
    """A transform of ITK's world as a matrix `(4, 4)` of ours."""
    centre = np.array(transform.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    matrix[:3, 3] = centre + transform.GetTranslation() - matrix[:3, :3] @ centre
    return RAS_TO_LPS @ matrix @ RAS_TO_LPS
