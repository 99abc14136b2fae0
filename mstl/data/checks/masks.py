"""Rules about the values and the extent of masks: soft, scaled, empty, too large, out of the brain, specks."""
from __future__ import annotations

from collections.abc import Iterator

from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import SPECK_VOXELS, CaseMeasures, MaskMeasures

LARGEST_SHARE = 0.4  # of the foreground: no lesion is that large
OUTSIDE_ERROR, OUTSIDE_WARNING = 0.5, 0.1  # share of the mask that lies on background
_ENDS = {"soft": "fractions", "scaled": "0 and one other value", "other": "other values"}


def mask_values(case: CaseMeasures, *, binarise: bool = False) -> Iterator[Finding]:
    """Masks that hold neither 0 and 1 nor labels (`labels`); with `binarise` it is said, and no error."""
    mask = case.mask
    if mask is None or mask.kind in ("binary", "labels"):
        return
    shown = ", ".join(f"{value:.3g}" for value in mask.values)
    remedy = {
        "soft": "It was interpolated or is a probability: export it again, or cut it at 0.5 with --binarise-masks.",
        "scaled": "Divide by it, or cut at 0.5 with --binarise-masks.",
        "other": "Is it a mask at all? Export it again.",
    }[mask.kind]
    yield Finding(
        case.name, "mask", "note" if binarise else "error", f"{mask.kind}-mask",
        f"Mask holds {_ENDS[mask.kind]} (such as {shown}); only 0 and 1 are "
        f"expected. {remedy}",
        fixable=mask.kind in ("soft", "scaled"),
        details={"values": list(mask.values)},
    )  # fmt: skip


def empty_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Masks without a voxel: no lesions, or an export that failed; scores count such cases apart."""
    if case.mask is not None and case.mask.voxels == 0:
        yield Finding(
            case.name, "mask", "warning", "empty-mask",
            "Mask is empty. Where the patient has no lesion all is well: scores count the case apart. Else export it "
            "again.",
        )  # fmt: skip
    if case.brain_mask is not None and case.brain_mask.voxels == 0:
        yield Finding(
            case.name, "brain_mask", "error", "empty-brain-mask",
            "Brain mask is empty. Make it again, or leave it out.",
        )  # fmt: skip


def large_masks(case: CaseMeasures) -> Iterator[Finding]:
    """Lesion masks that cover much of the head: brain masks, or masks whose 0 and 1 are exchanged."""
    share = brain_share(case, case.mask)
    if share > LARGEST_SHARE:
        yield Finding(
            case.name, "mask", "error", "large-mask",
            f"Mask holds {case.mask.ml:.0f} ml, {share:.0%} of what the scan shows. It is a brain mask, or 0 and 1 are "
            "exchanged: give the lesion mask.",
            details={"share": round(share, 3)},
        )  # fmt: skip


def brain_share(case: CaseMeasures, mask: MaskMeasures | None) -> float:
    """Volume of a mask relative to the foreground of its case's first scan; 0 where either is absent."""
    if mask is None or not case.scans:
        return 0.0
    return mask.ml / max(next(iter(case.scans.values())).foreground_ml, 1e-6)


def masks_outside(case: CaseMeasures) -> Iterator[Finding]:
    """Lesions on the scan's background."""
    mask = case.mask
    if mask is None or not mask.outside or mask.outside <= OUTSIDE_WARNING or brain_share(case, mask) > LARGEST_SHARE:
        return
    yield Finding(
        case.name, "mask", "error" if mask.outside > OUTSIDE_ERROR else "warning", "mask-outside",
        f"{mask.outside:.0%} of the mask lies outside the brain, on background. Is it another patient's, mirrored, or "
        "shifted? Look at the overlay and re-export it.",
        details={"share": round(mask.outside, 3)},
    )  # fmt: skip


def brain_masks_outside(case: CaseMeasures) -> Iterator[Finding]:
    """Brain masks of which most lies on the scan's background."""
    mask = case.brain_mask
    if mask is not None and mask.outside and mask.outside > OUTSIDE_ERROR:
        yield Finding(
            case.name, "brain_mask", "error", "brain-mask-outside",
            f"{mask.outside:.0%} of the brain mask lies on the scan's background. Is it another patient's, mirrored, "
            "or without its affine? Make it again, or leave it out.",
            details={"share": round(mask.outside, 3)},
        )  # fmt: skip


def specks(case: CaseMeasures) -> Iterator[Finding]:
    """Lesions of fewer than 3 voxels: slips of the hand, or leftovers of interpolation."""
    mask = case.mask
    if mask is not None and mask.specks:
        many = mask.specks > max(3, mask.lesions // 2)
        yield Finding(
            case.name, "mask", "warning" if many else "note", "specks",
            f"{mask.specks} of {mask.lesions} lesions have fewer than {SPECK_VOXELS} voxels. Scores by lesion count "
            "each of them: look whether they are meant.",
            details={"specks": mask.specks, "lesions": mask.lesions},
        )  # fmt: skip
