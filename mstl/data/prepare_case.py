"""Preparation of a case: one world, the brain in the middle, one orientation, intensities normalised, all recorded."""
from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from mstl.data.case_scans import CaseScans, coregister, find_brain, read_scans, without_bias
from mstl.data.cohort import Case
from mstl.data.cohort_scale import LANDMARKS, on_scale, on_unit
from mstl.data.formats import scan_sha256
from mstl.data.grid import Grid, resample
from mstl.data.mni import align_to_mni
from mstl.data.normalise import normalise
from mstl.data.pictures import are_pictures
from mstl.data.preparation import NYUL, Preparation
from mstl.data.prepared import PICTURE, RECORD, PreparedCase
from mstl.data.selector import array_of, file_of, volume_of
from mstl.data.step_log import StepLog
from mstl.data.target_grid import AXES, mni_grid, native_grid, picture_grid
from mstl.data.volume import Volume
from mstl.errors import InputError
from mstl.files import whole_folder, write_json

FORMAT = 2  # raise it where equal parameters would give other arrays
MOST_OUTSIDE = 0.5  # of the lesions; a brain mask may miss a lesion at its surface


def prepare_case(case: Case, folder: Path, *, preparation: Preparation) -> Path:
    """Prepare one case into `folder` unless it is there already, made from equal files and parameters.

    Raises `InputError` that names the case or its file where it cannot be prepared.
    """
    sources = _sources(case, preparation)
    if _ready(case, folder, sources, preparation):
        return folder
    log = StepLog()
    with log.step("read"):
        scans = read_scans(case, preparation)
    native = scans.reference.grid
    picture = are_pictures(case, preparation)
    with _named(case):
        scans, brain, grid = (_whole if picture else _placed)(scans, preparation, log)
    inside = resample(brain.view(np.uint8), native, grid, nearest=True).astype(bool)
    image, marks = _image(scans, inside, grid, preparation, log)
    mask = _mask(scans.masks.get("mask"), grid)
    record = {
        "format": FORMAT,
        "case": case.name,
        "subject": case.subject,
        "session": case.session,
        "dataset": case.dataset,
        "modalities": list(preparation.modalities),
        **({PICTURE: True} if picture else {}),
        "preparation": preparation.to_record(),
        "sources": sources,
        "native": _grid_record(native),
        "prepared": _grid_record(grid),
        "steps": log.steps,
        LANDMARKS: marks if preparation.normalise == NYUL else None,
        "brain_voxels": _per_slice(inside),
        "lesion_voxels": None if mask is None else _per_slice(mask),
        "class_voxels": None if mask is None else _per_class(mask, max(len(preparation.labels), 1)),
        "fingerprint": _fingerprint(case, sources, preparation),
    }
    _write_case(folder, image, mask, record)
    return folder


def _ready(case: Case, folder: Path, sources: dict, preparation: Preparation) -> bool:
    """Whether `folder` holds the case, made from equal files and parameters; a scale that it lacks is laid on it."""
    stored = _stored(folder)
    if stored is None:
        return False
    recorded = stored.record.get("fingerprint")
    fingerprint = _fingerprint(case, sources, preparation)
    without_scale = _fingerprint(case, sources, replace(preparation, landmarks=None))
    if recorded != fingerprint and recorded == without_scale:
        _standardise(folder, preparation, fingerprint)
    return recorded in (fingerprint, without_scale)


def _stored(folder: Path) -> PreparedCase | None:
    """The prepared case in `folder`; None where there is none, or a file of it is missing or damaged."""
    try:
        case = PreparedCase(folder)
        _, mask = case.image, case.mask
    except InputError:
        return None
    return case if (mask is not None) == (case.record.get("lesion_voxels") is not None) else None


@contextmanager
def _named(case: Case) -> Iterator[None]:
    """Errors name the case."""
    try:
        yield
    except InputError as error:
        raise InputError(f"Case {case.name}: {error}") from None


def _placed(scans: CaseScans, preparation: Preparation, log: StepLog) -> tuple[CaseScans, np.ndarray, Grid]:
    """The scans in one world, without bias where asked for; the brain on the reference's grid; the prepared grid."""
    if "coregister" in preparation.steps:
        scans = coregister(scans, log)
    brain = find_brain(scans, preparation, log)
    if "n4" in preparation.steps:
        scans = without_bias(scans, brain, log)
    return scans, brain, _grid(scans, brain, preparation, log)


def _whole(scans: CaseScans, preparation: Preparation, log: StepLog) -> tuple[CaseScans, np.ndarray, Grid]:
    """What `_placed` gives, of pictures: all of the image counts as brain."""
    native = scans.reference.grid
    with log.step("brain", method="whole image"):
        return scans, np.ones(native.shape, bool), picture_grid(native, preparation)


def _image(
    scans: CaseScans, inside: np.ndarray, grid: Grid, preparation: Preparation, log: StepLog
) -> tuple[np.ndarray, dict]:
    """Channels float16 `(D, H, W, C)`, 0 outside the brain and where a scan ends within it; landmarks for "nyul"."""
    image = np.empty((*grid.shape, len(scans.scans)), dtype=np.float16)
    marks = {}
    spacings = {"from_mm": list(scans.reference.spacing), "to_mm": list(grid.spacing), "shape": list(grid.shape)}
    for channel, (modality, scan) in enumerate(scans.scans.items()):
        with log.step("resample", axes=AXES, **spacings, image="linear", mask="nearest"):
            values = resample(np.asarray(scan.data, dtype=np.float32), scan.grid, grid)
        with log.step("normalise", method=preparation.normalise, outside=0):
            seen = inside if scan is scans.reference else inside & _field_of_view(scan, grid)
            image[..., channel], marks[modality] = _normalised(values, seen, preparation.normalise, scan.path)
    return (_on_scale(image, marks, preparation, log) if preparation.landmarks else image), marks


def _field_of_view(scan: Volume, grid: Grid) -> np.ndarray:
    """Where on `grid` the scan has voxels."""
    return resample(np.ones(scan.shape, np.uint8), scan.grid, grid, nearest=True).astype(bool)


def _grid(scans: CaseScans, brain: np.ndarray, preparation: Preparation, log: StepLog) -> Grid:
    """The prepared grid in the reference's own world, also where it is a box of MNI space seen from there."""
    reference = scans.reference
    if "mni" not in preparation.steps:
        return native_grid(reference.grid, brain | _lesions(scans, brain), preparation)
    with log.step("mni", template="ICBM 2009a symmetric, T1", method="affine, mutual information") as record:
        found = align_to_mni(reference, brain)
        there = mni_grid(preparation)
        record["matrix"], record["affine"] = found.matrix.tolist(), there.affine.tolist()
    return Grid(there.shape, np.linalg.inv(found.matrix) @ there.affine)


def _lesions(scans: CaseScans, brain: np.ndarray) -> np.ndarray:
    """Lesions on the reference's grid, bool; the box holds them too where a few voxels lie beyond the brain."""
    mask, reference = scans.masks.get("mask"), scans.reference
    if mask is None:
        return np.zeros_like(brain)
    lesions = resample(mask.data, mask.grid, reference.grid, nearest=True).astype(bool)
    outside, total = np.count_nonzero(lesions & ~brain), np.count_nonzero(lesions)
    if outside > MOST_OUTSIDE * total:
        raise InputError(
            f"{outside} of {total} lesion voxels of {mask.path} lie outside the brain. Is it the mask of this scan? "
            "Check both, or give the case a brain_mask that covers the lesions."
        )
    return lesions


def _normalised(values: np.ndarray, inside: np.ndarray, method: str, path: Path) -> tuple[np.ndarray, list | None]:
    """The normalised scan; with "nyul" on [0, 1], and its landmarks."""
    if not inside.any():
        raise InputError(f"{path} shows nothing of the brain. Is it of another patient or part of the body?")
    try:
        return on_unit(values, inside) if method == NYUL else (normalise(values, inside, method=method), None)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _on_scale(image: np.ndarray, marks: dict, preparation: Preparation, log: StepLog) -> np.ndarray:
    with log.step("standardise", landmarks=preparation.landmarks):
        return on_scale(image, marks, preparation)


def _standardise(folder: Path, preparation: Preparation, fingerprint: str) -> None:
    """Lay the scale on a case that was prepared before the scale was known."""
    case, log = PreparedCase(folder), StepLog()
    image = _on_scale(case.image, case.record[LANDMARKS], preparation, log)
    changes = {
        "preparation": preparation.to_record(),
        "steps": [*case.record["steps"], *log.steps],
        "fingerprint": fingerprint,
    }
    _write_case(folder, image, case.mask, case.record | changes)


def _mask(mask: Volume | None, grid: Grid) -> np.ndarray | None:
    if mask is None:
        return None
    inside = resample(np.ones(grid.shape, np.uint8), grid, mask.grid, nearest=True)
    cut = int(np.count_nonzero(mask.data.astype(bool) & (inside == 0)))
    if cut:
        raise InputError(
            f"Mask {mask.path} has {cut} lesion voxels outside of the prepared box, where they would be lost. "
            "Check the mask, or ask for a larger --shape."
        )
    return resample(mask.data, mask.grid, grid, nearest=True)


def _sources(case: Case, preparation: Preparation) -> dict:
    files = {modality: case.images[modality] for modality in preparation.modalities}
    files |= {"mask": case.mask, "brain_mask": case.brain_mask}
    missing = next((path for path in files.values() if path is not None and not file_of(path).is_file()), None)
    if missing is not None:
        raise InputError(f"{missing} does not exist. Check the path in the cohort.")
    return {
        role: {"path": os.path.abspath(path), "sha256": scan_sha256(path)}
        for role, path in files.items()
        if path is not None
    }


def _fingerprint(case: Case, sources: dict, preparation: Preparation) -> str:
    who = [case.subject, case.session, case.dataset]  # another subject may give a case of the same name
    hashes = {role: source["sha256"] for role, source in sources.items()}
    volumes = {role: number for role, source in sources.items() if (number := volume_of(source["path"])) is not None}
    hashes |= {"volumes": volumes} if volumes else {}
    arrays = {role: name for role, source in sources.items() if (name := array_of(source["path"]))}
    hashes |= {"arrays": arrays} if arrays else {}
    text = json.dumps([FORMAT, who, hashes, preparation.to_record()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _per_slice(mask: np.ndarray) -> list[int]:
    return [int(count) for count in np.count_nonzero(mask, axis=(1, 2))]


def _per_class(mask: np.ndarray, classes: int) -> list[int]:
    return np.bincount(mask.ravel(), minlength=classes + 1)[1:].tolist()


def _grid_record(grid: Grid) -> dict:
    return {"shape": [int(side) for side in grid.shape], "affine": grid.affine.tolist()}


def _write_case(folder: Path, image: np.ndarray, mask: np.ndarray | None, record: dict) -> None:
    with whole_folder(folder) as temporary:
        _save(temporary / "image.npy", image)
        if mask is not None:
            _save(temporary / "mask.npy", mask)
        write_json(temporary / RECORD, record)


def _save(path: Path, array: np.ndarray) -> None:
    """Write as `np.save` does, which says nothing where a disk fills up in the last 4 kB."""
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
        stream.write(array.data)
