"""Rules on masks that lie beside the lesions: mirrored, with axes exchanged, or shifted."""
from __future__ import annotations

from collections.abc import Iterator

import nibabel as nib
import numpy as np

from mstl.data.checks.contrast import lesions_say_swapped
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures, MaskMeasures
from mstl.data.checks.pose import Fit, Pose

GAIN = 0.4  # standard deviations of contrast that another pose must gain
SURE_VOXELS = 100  # from which a mask's contrast is no accident
LEAST_CONTRAST = 0.15  # of lesions in flair; synthetic ones reach 0.5, real ones 1
SHIFT_MM = 2.0  # smaller shifts may be the border that a rater prefers
_NAMES = ("left-right", "front-back", "top-bottom")


def displaced_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Masks whose lesions show more contrast mirrored, turned or shifted than as they lie."""
    mask = case.mask
    if mask is None or mask.fit is None or lesions_say_swapped(case) or not _suspicious(mask):
        return
    fit, pose = mask.fit, mask.fit.pose
    sure = mask.voxels >= SURE_VOXELS and "flair" in fit.contrasts
    yield Finding(
        case.name, "mask", "error" if sure else "warning", _rule(pose),
        f"Mask fits the lesions {_words(mask, pose)} (contrast {fit.contrast:.1f} standard deviations, {fit.as_is:.1f} "
        "as it lies). Look at the overlay; re-export mask and scan from one program.",
        details={"order": list(pose.order), "flips": list(pose.flips), "shift": list(pose.shift),
                 "contrast": round(fit.contrast, 3), "as_it_lies": round(fit.as_is, 3)},
    )  # fmt: skip


def foreign_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Masks that lie on no lesion of the flair scan, however they are turned: another patient's, or drawn elsewhere."""
    mask = case.mask
    if mask is None or mask.fit is None or mask.voxels < SURE_VOXELS or lesions_say_swapped(case):
        return
    contrast = mask.fit.contrasts.get("flair", np.inf)
    if contrast < LEAST_CONTRAST and not _suspicious(mask):
        yield Finding(
            case.name, "mask", "warning", "foreign-mask",
            f"Flair is no brighter in the mask than around it (contrast {contrast:.1f} standard deviations). Is it "
            "another patient's or session's mask? Look at the overlay.",
            details={"contrast": round(contrast, 3)},
        )  # fmt: skip


def _rule(pose: Pose) -> str:
    if pose.order != (0, 1, 2):
        return "turned-mask"
    return "mirrored-mask" if pose.flips else "shifted-mask"


def _suspicious(mask: MaskMeasures) -> bool:
    fit = mask.fit
    if fit.contrast < fit.as_is + GAIN or fit.contrast < 2 * GAIN * (1 if mask.voxels >= SURE_VOXELS else 1.5):
        return False
    moved = np.linalg.norm(np.array(fit.pose.shift) * mask.grid.spacing)
    plain_shift = fit.pose == Pose(shift=fit.pose.shift)
    return not plain_shift or bool(moved >= SHIFT_MM and _clear_shift(fit))


def _clear_shift(fit: Fit) -> bool:
    """Shifts are tried by the thousand, so the best of them must be better than that of a flip."""
    return fit.contrast > fit.as_is + 1.5 * GAIN and fit.contrast > 1.5 * fit.as_is


def _words(mask: MaskMeasures, pose: Pose) -> str:
    if pose.order != (0, 1, 2):
        return "with its array's axes exchanged"
    if pose.flips:
        world = nib.io_orientation(mask.grid.affine)[:, 0].astype(int)
        return "mirrored " + " and ".join(_NAMES[world[axis]] for axis in pose.flips)
    moved = mask.grid.affine[:3, :3] @ np.array(pose.shift)
    return "moved by " + ", ".join(
        f"{abs(mm):.0f} mm towards {ends[int(mm < 0)]}"
        for mm, ends in zip(moved, (("right", "left"), ("front", "back"), ("top", "bottom")), strict=True)
        if abs(mm) >= 0.5
    )
