"""One mask from those of several raters: by majority, or by STAPLE."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mstl.data.grid import check_same_grid, itk_image
from mstl.data.volume import Volume
from mstl.errors import InputError


def majority(masks: Sequence[Volume]) -> Volume:
    """Voxels (uint8 0 and 1) that more than half of the raters marked; where they tie it is background.

    `masks` hold 0 and 1. Raises `InputError` where there is none, or they do not share one grid.
    """
    _check(masks)
    votes = np.zeros(masks[0].shape, np.uint16)
    for mask in masks:
        votes += mask.data != 0
    return Volume((2 * votes > len(masks)).astype(np.uint8), masks[0].affine)


def staple(masks: Sequence[Volume]) -> Volume:
    """Voxels (uint8 0 and 1) of probability 0.5 and more by STAPLE, which weighs raters by how well they agree.

    `masks` hold 0 and 1; where no rater marked a voxel, or all marked the same, that is the answer. Raises
    `InputError` where there is none, or they do not share one grid. Warfield et al. 2004, doi 10.1109/TMI.2004.828354;
    as SimpleITK computes it, with the prior of each voxel from the share that raters marked.
    """
    import SimpleITK as sitk

    _check(masks)
    first = np.ascontiguousarray(masks[0].data)
    if all(np.array_equal(mask.data, first) for mask in masks[1:]):  # nothing to estimate from
        return Volume(first.astype(np.uint8), masks[0].affine)
    images = [itk_image(np.ascontiguousarray(mask.data, dtype=np.uint8), mask.affine) for mask in masks]
    probability = sitk.STAPLE(images, 1)  # must outlive the view of its voxels
    return Volume((sitk.GetArrayViewFromImage(probability) >= 0.5).astype(np.uint8), masks[0].affine)


RULES = {"majority": majority, "staple": staple}


def _check(masks: Sequence[Volume]) -> None:
    if not masks:
        raise InputError("No mask was given; at least one is needed. Give those of all raters.")
    for mask in masks[1:]:
        names = tuple(str(one.path or "a rater's mask") for one in (mask, masks[0]))
        check_same_grid(mask.grid, masks[0].grid, names=names)
