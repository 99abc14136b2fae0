"""Bias field: the slow change of brightness that a receive coil leaves, estimated and divided out."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mstl.data.grid import itk_image
from mstl.data.volume import Volume
from mstl.errors import InputError

_SPACING_MM = 6.0  # the field is smooth: it is estimated on a coarser lattice
_LEAST_VOXELS = 4  # along each axis of that lattice, where the scan has as many
_ITERATIONS = (50, 50, 30)  # at each level, the spline's mesh twice as fine as before
_TOLERANCE = 1e-3
_THREADS = 2  # N4 sums what its threads found: another number of them, other last digits


def correct_bias(scan: Volume, brain: np.ndarray) -> Volume:
    """Divide a scan by its bias field: float32, same grid; the field's mean logarithm in the brain is 0.

    `brain`: bool, shape of the scan; where the field is estimated. N4: Tustison et al. 2010, doi
    10.1109/TMI.2010.2046908. Raises `InputError` where the brain is empty or dark, or too flat for a field.
    """
    import SimpleITK as sitk

    data = np.ascontiguousarray(scan.data, dtype=np.float32)
    lit = brain & (data > 0)
    if not lit.any():
        raise InputError(f"{scan.path} is 0 in the whole brain; N4 needs positive values. Leave out the step n4.")
    image = itk_image(data, scan.affine)
    axes = zip(image.GetSpacing(), image.GetSize(), strict=True)
    coarser = [max(1, min(round(_SPACING_MM / step), side // _LEAST_VOXELS)) for step, side in axes]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(_ITERATIONS)
    corrector.SetConvergenceThreshold(_TOLERANCE)
    mask = itk_image(np.ascontiguousarray(lit).view(np.uint8), scan.affine)
    try:
        with _fixed_threads():
            corrector.Execute(sitk.Shrink(image, coarser), sitk.Shrink(mask, coarser))
    except RuntimeError as error:
        sides = " x ".join(map(str, scan.shape))
        raise InputError(
            f"N4 finds no bias field in {scan.path} of {sides} voxels with {np.count_nonzero(lit)} in the brain. "
            "Leave out the step n4."
        ) from error
    field = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(image))
    field -= field[lit].mean()
    return Volume(data / np.exp(field), scan.affine, scan.path)


@contextmanager
def _fixed_threads() -> Iterator[None]:
    """The filters within N4 know only ITK's global number of threads."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_THREADS)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
