"""The checks of `mstl check`: every file of a cohort is read, and all that is wrong is said at once."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mstl.data.cohort import Case, Cohort
from mstl.data.grid import check_same_grid
from mstl.data.volume import Volume, read_mask, read_volume
from mstl.errors import InputError


@dataclass(frozen=True)
class Finding:
    """Something wrong with one file of a case: a line that says what it is and what to do."""

    case: str
    role: str
    message: str


def check_cohort(
    cohort: Cohort, *, binarise_masks: bool = False, progress: Callable[[str], None] | None = None
) -> list[Finding]:
    """Read every scan and mask of `cohort`; returns what is wrong, an empty list where all is well.

    Scans must be 3D, finite, not constant, with sform and qform that agree; masks hold 0 and 1 only; all
    files of a case share one grid. `binarise_masks` lets soft masks pass. `progress` is called with a case's
    name when it is done.
    """
    findings = []
    for case in cohort:
        findings.extend(_check_case(case, binarise_masks))
        if progress is not None:
            progress(case.name)
    return findings


def _check_case(case: Case, binarise_masks: bool) -> Iterator[Finding]:
    reference = None
    for role, path in {**case.images, "mask": case.mask, "brain_mask": case.brain_mask}.items():
        if path is None:
            continue
        try:
            volume = _read(role, path, binarise_masks)
            if reference is not None:
                check_same_grid(volume.grid, reference.grid, names=(str(volume.path), str(reference.path)))
        except InputError as error:
            yield Finding(case.name, role, str(error))
        else:
            reference = reference or volume


def _read(role: str, path: Path, binarise_masks: bool) -> Volume:
    if role not in ("mask", "brain_mask"):
        return read_volume(path)
    mask = read_mask(path, binarise=binarise_masks or role == "brain_mask")
    if role == "brain_mask" and not mask.data.any():
        raise InputError(f"Brain mask {path} is empty. Make it again, or leave it out.")
    return mask
