"""The scans and masks of a case in one world: read, checked, co-registered, their brain found, their bias removed."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from mstl.data.bias_field import correct_bias
from mstl.data.brain import find_brain_mask
from mstl.data.brain_extracted import BACKGROUND_FRACTION, largest_part
from mstl.data.case import MASKS, Case
from mstl.data.grid import resample
from mstl.data.pictures import are_pictures
from mstl.data.preparation import Preparation
from mstl.data.registration import align
from mstl.data.step_log import StepLog
from mstl.data.volume import Volume, read_mask, read_volume
from mstl.errors import InputError

NEGATIVE_FRACTION = 0.1  # of the voxels that are not 0; interpolation leaves about 0.01


@dataclass(frozen=True, eq=False)
class CaseScans:
    """Scans by modality, the reference first; masks ("mask", "brain_mask") of class numbers where the case has them."""

    scans: Mapping[str, Volume]
    masks: Mapping[str, Volume]

    @property
    def reference(self) -> Volume:
        """The scan whose world all lie in, and whose grid predictions return to."""
        return next(iter(self.scans.values()))


def read_scans(case: Case, preparation: Preparation) -> CaseScans:
    """Read the modalities asked for and the masks of a case, each on its own grid.

    Raises `InputError` where a file cannot be used, or grids differ that the preparation does not bring together.
    """
    scans = {modality: read_volume(case.images[modality]) for modality in preparation.modalities}
    options = {
        "mask": {"binarise": preparation.binarise_masks, "labels": preparation.labels},
        "brain_mask": {"binarise": True},
    }
    paths = {role: getattr(case, role) for role in MASKS}
    masks = {role: read_mask(path, **options[role]) for role, path in paths.items() if path is not None}
    found = CaseScans(scans, masks)
    if are_pictures(case, preparation):
        _check_one_size(found)
        return found
    if not {"regrid", "coregister"}.intersection(preparation.steps):
        _check_one_grid(found)
    if not preparation.resample_masks:
        _check_masks(found)
    return found


def coregister(case: CaseScans, log: StepLog) -> CaseScans:
    """Move every scan onto the reference by a rigid registration; a mask goes with the scan that it was drawn on.

    A mask was drawn on the first scan whose grid it has; one that has the grid of none stays where it is. Voxels
    are not interpolated: the affines change.
    """
    scans = dict(case.scans)
    with log.step("coregister", method="rigid, mutual information", reference=next(iter(scans))) as record:
        record["scans"] = {}
        for modality, scan in list(scans.items())[1:]:
            found = align(scan, case.reference)
            scans[modality] = found.moved(scan)
            record["scans"][modality] = {
                "matrix": found.matrix.tolist(),
                "mutual_information": {"before": round(found.before, 4), "after": round(found.after, 4)},
            }
    masks = {}
    for role, mask in case.masks.items():
        drawn_on = _drawn_on(mask, case)
        masks[role] = mask if drawn_on is None else Volume(mask.data, scans[drawn_on].affine, mask.path)
    return CaseScans(scans, masks)


def find_brain(case: CaseScans, preparation: Preparation, log: StepLog) -> np.ndarray:
    """The brain on the reference's grid, bool: the given mask, else extracted, else what is not background.

    Raises `InputError` where there is none.
    """
    reference, given = case.reference, case.masks.get("brain_mask")
    with log.step("brain") as record:
        if given is not None:
            record["method"] = "given mask"
            brain = resample(given.data, given.grid, reference.grid, nearest=True).astype(bool)
        elif "brain" in preparation.steps:
            found = find_brain_mask(tuple(case.scans.values()), method=preparation.brain)
            record |= {"method": found.method} | ({"note": found.note} if found.note else {})
            brain = found.mask.data.astype(bool)
        else:
            record["method"] = f"above {BACKGROUND_FRACTION} of the 99th percentile"
            brain = _not_background(reference)
        if not brain.any():
            raise InputError(f"No brain was found. Check {(given or reference).path}.")
        record["ml"] = round(reference.grid.volume_ml(brain), 1)
    return brain


def without_bias(case: CaseScans, brain: np.ndarray, log: StepLog) -> CaseScans:
    """Divide every scan by its bias field, estimated in the brain (bool, the reference's grid)."""
    grid = case.reference.grid
    with log.step("n4"):
        scans = {
            modality: correct_bias(scan, _on_grid_of(scan, brain, grid)) for modality, scan in case.scans.items()
        }
    return replace(case, scans=scans)


def _on_grid_of(scan: Volume, brain: np.ndarray, grid) -> np.ndarray:
    if scan.grid.difference(grid) is None:
        return brain
    return resample(brain.view(np.uint8), grid, scan.grid, nearest=True).astype(bool)


def _drawn_on(mask: Volume, case: CaseScans) -> str | None:
    """The first modality whose grid the mask has."""
    same = (modality for modality, scan in case.scans.items() if mask.grid.difference(scan.grid) is None)
    return next(same, None)


def _check_one_grid(case: CaseScans) -> None:
    reference = case.reference
    for scan in case.scans.values():
        difference = scan.grid.difference(reference.grid)
        if difference:
            raise InputError(
                f"{scan.path} and {reference.path} lie on different grids ({difference}). Bring them together by "
                "'mstl prepare --steps coregister', or by 'regrid' where nobody moved between the scans."
            )


def _check_masks(case: CaseScans) -> None:
    reference = case.reference
    for mask in case.masks.values():
        if _drawn_on(mask, case) is None:
            raise InputError(
                f"Mask {mask.path} does not share the grid of {reference.path} "
                f"({mask.grid.difference(reference.grid)}), or of another scan of its case. "
                "Re-export the mask, or run 'mstl prepare --resample-masks'."
            )


def _check_one_size(case: CaseScans) -> None:
    """Raise `InputError` unless all pictures of a case, masks too, are of one size."""
    reference = case.reference
    for one in (*case.scans.values(), *case.masks.values()):
        if one.shape != reference.shape:
            (rows, columns, _), (expected_rows, expected_columns, _) = one.shape, reference.shape
            raise InputError(
                f"{one.path} has {rows} x {columns} pixels, {reference.path} {expected_rows} x {expected_columns}. "
                "Export both in one size."
            )


def _not_background(reference: Volume) -> np.ndarray:
    """The largest part of an extracted scan that is not dark, holes filled."""
    data = np.asarray(reference.data, dtype=np.float32)
    if np.count_nonzero(data < 0) > NEGATIVE_FRACTION * np.count_nonzero(data):
        raise InputError(
            f"{reference.path} is negative in much of the scan, so brain cannot be told from background. "
            "Give the case a brain_mask, or the scan as it was before it was normalised."
        )
    return ndimage.binary_fill_holes(largest_part(data > BACKGROUND_FRACTION * np.percentile(data, 99)))
