"""Why a file cannot be used: the rule that it breaks, and whether it can be mended safely."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from mstl.data.brain_extracted import BACKGROUND_FRACTION, largest_part
from mstl.data.case import MODALITIES
from mstl.data.checks.finding import Finding
from mstl.data.formats import open_scan
from mstl.data.formats.pictures import is_picture
from mstl.data.formats.scan import check_size, trimmed
from mstl.data.grid import TOLERANCE_MM, Grid
from mstl.data.selector import file_of, volume_of
from mstl.errors import InputError

_FORM_TOLERANCE = 2e-3  # of the spacing: the precision of a qform
_NO_FORM = "no other file of the case lies on just one of them"
_NO_FILE = "it is one volume of a 4D file"
_SPACING_TOLERANCE = 1e-2  # relative, of a form's columns against the header's voxel sizes


def file_finding(case: str, role: str, path: Path, message: str, *, grids: Sequence[Grid]) -> Finding:
    """The finding on a file that could not be read with `message`; `grids` are those of the case's other files."""
    rule, fixable = _diagnose(path, grids)
    message = message.replace(str(file_of(path)), file_of(path).name)
    if rule == "forms" and not fixable:
        message += f" --fix cannot: {_NO_FORM if volume_of(path) is None else _NO_FILE}."
    return Finding(case, role, "error", rule, message, fixable)


def possible_grids(path: Path) -> tuple[Grid, ...]:
    """The grids that a scan which cannot be read may lie on: those of its sform and qform; () where it is unknown."""
    if not file_of(path).is_file():
        return ()
    try:
        scan = open_scan(path)
        return (Grid(scan.shape[:3], scan.affine),)
    except InputError:
        image = load_raw(file_of(path))
        if image is None or len(image.shape) < 3:
            return ()
        return tuple(Grid(tuple(image.shape[:3]), form) for form in (image.get_sform(), image.get_qform()))


def header_findings(case: str, role: str, path: Path) -> Iterator[Finding]:
    """What is odd in the header of a NIfTI file that can be read: no position, or one volume in more than 3D."""
    image = load_raw(file_of(path))
    if image is None:
        return
    if role in MODALITIES and image.header["sform_code"] <= 0 and image.header["qform_code"] <= 0:
        yield Finding(
            case, role, "warning", "no-position",
            f"{role} states no position (sform and qform have code 0): its first axis is taken to run to the left, "
            "which nobody can check. Export it again from the scanner's files.",
        )  # fmt: skip
    if len(image.shape) > 3 and volume_of(path) is None:
        yield Finding(
            case, role, "note", "one-volume",
            f"{role} is {len(image.shape)}D of shape {image.shape}, with one volume: mstl reads it as 3D, other "
            "programs may not.",
            fixable=True,
        )  # fmt: skip


def _diagnose(path: Path, grids: Sequence[Grid]) -> tuple[str, bool]:
    if not file_of(path).is_file():
        return "missing", False
    try:
        scan = open_scan(path)
    except InputError:
        image = load_raw(file_of(path))
        if image is None or not forms_differ(image) or not _holds_voxels(image, file_of(path)):
            return "unreadable", False
        return "forms", volume_of(path) is None and right_form(image, grids) is not None
    if len(scan.shape) != 3 and volume_of(path) is None:
        return "four-d", False
    try:
        data = scan.values(volume_of(path))
    except InputError:
        return "unreadable", False
    if not np.isfinite(data).all():
        return "nan", not is_picture(path) and nan_outside_brain(data)
    return ("constant" if data.min() == data.max() else "unreadable"), False


def load_raw(path: Path) -> nib.Nifti1Image | None:
    """The header of a NIfTI file as it is, unchecked; None where it is no such file."""
    try:
        image = nib.load(path)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError, nib.spatialimages.HeaderDataError):
        return None
    return image if isinstance(image, nib.Nifti1Image) else None


def _holds_voxels(image: nib.Nifti1Image, path: Path) -> bool:
    """Whether the file is 3D and large enough for what its header declares."""
    itemsize = image.get_data_dtype().itemsize
    try:
        check_size(path, image.shape, itemsize=itemsize, skipped=0, stored=path.stat().st_size, packed=True)
    except InputError:
        return False
    return len(trimmed(image.shape)) == 3


def forms_differ(image: nib.Nifti1Image) -> bool:
    """Whether sform and qform are both set and state two positions."""
    (sform, sform_code), (qform, qform_code) = image.get_sform(coded=True), image.get_qform(coded=True)
    if not (sform_code > 0 and qform_code > 0):
        return False
    tolerance = TOLERANCE_MM + _FORM_TOLERANCE * np.array([*np.linalg.norm(sform[:3, :3], axis=0), 0])
    return bool(np.any(np.abs(sform - qform) > tolerance))


def right_form(image: nib.Nifti1Image, grids: Sequence[Grid]) -> np.ndarray | None:
    """The one of sform and qform that another file of the case shares, else the only sane one; None if unsure.

    A form is sane where its axes are at right angles and as long as the header's voxel sizes.
    """
    forms = [image.get_sform(), image.get_qform()]
    shape = tuple(image.shape[:3])
    shared = [form for form in forms if any(Grid(shape, form).difference(grid) is None for grid in grids)]
    if len(shared) != 1:
        shared = [form for form in forms if _sane(form, np.array(image.header.get_zooms()[:3], float))]
    return shared[0] if len(shared) == 1 else None


def _sane(form: np.ndarray, zooms: np.ndarray) -> bool:
    lengths = np.linalg.norm(form[:3, :3], axis=0)
    if not np.all(np.isfinite(form)) or np.any(lengths < 1e-6):
        return False
    directions = form[:3, :3] / lengths
    right_angles = np.abs(directions.T @ directions - np.eye(3)).max() < _SPACING_TOLERANCE
    return bool(right_angles and np.all(np.abs(lengths / zooms - 1) < _SPACING_TOLERANCE))


def nan_outside_brain(data: np.ndarray) -> bool:
    """Whether all voxels that are not finite lie outside the largest bright part of the scan, holes filled."""
    finite = np.isfinite(data)
    if not finite.any():
        return False
    known = np.where(finite, data, 0)
    bright = known > BACKGROUND_FRACTION * np.percentile(known[finite], 99)
    brain = ndimage.binary_fill_holes(largest_part(bright))
    return bool(bright.any() and not np.any(brain & ~finite))
