"""Rules about where files lie: modalities on several grids, masks on another one, oblique and thick scans."""
from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures, MaskMeasures
from mstl.data.grid import Grid

OBLIQUE_DEGREES = 1.0
THICK = 2.0  # times the finest spacing
FITS = 0.4  # contrast from which a mask is seen to lie on lesions, and overlap from which a brain lies in its head
_NO_FIT = -9.0
_NAMES = {"mask": "Mask", "brain_mask": "Brain mask"}


def modality_grids(case: CaseMeasures) -> Iterator[Finding]:
    """Modalities of a case that do not share the first one's grid."""
    first, *others = case.scans or ("",)
    differences = {role: case.scans[role].grid.difference(case.scans[first].grid) for role in others}
    apart = [role for role, difference in differences.items() if difference]
    if apart:
        yield Finding(
            case.name, apart[0] if len(apart) == 1 else "", "warning", "scan-grid",
            f"{', '.join(apart)}: on another grid than {first} ({differences[apart[0]]}). All modalities must share "
            "one: run 'mstl prepare --steps coregister'.",
            details={role: differences[role] for role in apart},
        )  # fmt: skip


def mask_grids(case: CaseMeasures) -> Iterator[Finding]:
    """Masks on the grid of no modality of their case."""
    if not case.scans:
        return
    reference = next(iter(case.scans))
    for role, mask in zip(_NAMES, (case.mask, case.brain_mask), strict=True):
        if mask is None or mask.twins or _may_lie_on_unread(case, mask):
            continue
        difference = mask.grid.difference(case.scans[reference].grid)
        stored, resampled = _as_stored_and_resampled(mask)
        lost = affine_is_lost(stored, resampled)
        if lost:
            todo = "Its array fits the scan voxel by voxel, its affine does not: copy the scan's affine over it."
        else:
            todo = "Re-export it, or run 'mstl prepare --resample-masks'."
        yield Finding(
            case.name, role, "error", "mask-grid",
            f"{_NAMES[role]} lies on the grid of no modality ({difference} of {reference}). {todo}",
            fixable=not mask.voxels or lost or resampled > FITS,
            details={"reference": reference, "affine_is_lost": lost, "fit_as_stored": round(stored, 3),
                     "fit_resampled": round(resampled, 3)},
        )  # fmt: skip


def _may_lie_on_unread(case: CaseMeasures, mask: MaskMeasures) -> bool:
    """Whether a mask may lie on the grid of a scan that could not be read, so that its own fault is none.

    Where that grid is unknown it may, unless scans of the case share one grid, which is then the lost scan's too.
    """
    if any(mask.grid.difference(grid) is None for grids in case.unread.values() for grid in grids):
        return True
    grids = [scan.grid for scan in case.scans.values()]
    shared = any(one.difference(other) is None for one, other in itertools.combinations(grids, 2))
    return () in case.unread.values() and not shared


def _as_stored_and_resampled(mask: MaskMeasures) -> tuple[float, float]:
    """How well an array fits the scan voxel by voxel, and by its affine: a brain's overlap, or lesions' contrast."""
    if mask.overlaps is not None:
        return mask.overlaps
    return tuple(_NO_FIT if one is None else one.as_is for one in (mask.stored_fit, mask.resampled_fit))


def affine_is_lost(stored: float, resampled: float) -> bool:
    """Whether a mask's array fits the scan where its affine does not."""
    return stored > FITS and stored > resampled + FITS


def oblique_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Scans whose axes are turned against the world's: good to know, nothing is lost."""
    turned = {role: obliquity(scan.grid) for role, scan in case.scans.items()}
    turned = {role: degrees for role, degrees in turned.items() if degrees > OBLIQUE_DEGREES}
    if turned:
        yield Finding(
            case.name, "", "note", "oblique",
            f"{', '.join(turned)}: oblique, turned by up to {max(turned.values()):.0f} degrees. Spacing is read "
            "from the lengths of the affine's columns; nothing is to be done.",
            details={role: round(degrees, 2) for role, degrees in turned.items()},
        )  # fmt: skip


def obliquity(grid: Grid) -> float:
    """The largest angle in degrees between an array axis and the nearest world axis."""
    directions = np.abs(grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0))
    return float(np.degrees(np.arccos(np.clip(directions.max(axis=0).min(), 0, 1))))


def thick_slices(case: CaseMeasures) -> Iterator[Finding]:
    """Scans with slices much thicker than their pixels."""
    spacings = {role: scan.grid.spacing for role, scan in case.scans.items()}
    thick = {role: max(steps) for role, steps in spacings.items() if max(steps) > THICK * min(steps)}
    if thick:
        yield Finding(
            case.name, "", "note", "thick-slices",
            f"{', '.join(thick)}: slices of up to {max(thick.values()):.3g} mm, which 3D models see squeezed. Train on "
            "slices, or give 'mstl prepare' a --spacing.",
            details={role: round(step, 3) for role, step in thick.items()},
        )  # fmt: skip
