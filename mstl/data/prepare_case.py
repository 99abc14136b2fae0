"""Preparation of a case: one orientation, the brain in the middle, intensities normalised, every step recorded."""
from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import ndimage

from mstl.config import SIDE_MULTIPLE
from mstl.data.cohort import Case
from mstl.data.formats import scan_sha256
from mstl.data.grid import Grid, check_same_grid, oriented, resample, respaced
from mstl.data.normalise import normalise
from mstl.data.preparation import Preparation
from mstl.data.prepared import RECORD
from mstl.data.selector import file_of, volume_of
from mstl.data.volume import Volume, read_mask, read_volume
from mstl.errors import InputError
from mstl.files import read_json, whole_folder, write_json

AXES = "SPL"  # D inferior to superior, H anterior to posterior, W right to left
FORMAT = 1  # raise it where equal parameters would give other arrays
BACKGROUND_FRACTION = 0.01  # of the 99th percentile: below is interpolation noise around an extracted brain
NEGATIVE_FRACTION = 0.1  # of the voxels that are not 0; interpolation leaves about 0.01


def prepare_case(case: Case, folder: Path, *, preparation: Preparation) -> Path:
    """Prepare one case into `folder` unless it is there already, made from equal files and parameters."""
    sources = _sources(case, preparation)
    fingerprint = _fingerprint(case, sources, preparation)
    if (folder / RECORD).exists() and read_json(folder / RECORD).get("fingerprint") == fingerprint:
        return folder
    scans = {modality: read_volume(case.images[modality]) for modality in preparation.modalities}
    reference = scans[preparation.modalities[0]]
    for scan in scans.values():
        check_same_grid(scan.grid, reference.grid, names=(str(scan.path), str(reference.path)))
    brain = _brain(case, reference)
    grid = _target_grid(reference.grid, brain, preparation, case.name)
    inside = resample(brain.view(np.uint8), reference.grid, grid, nearest=True).astype(bool)
    image = np.empty((*grid.shape, len(scans)), dtype=np.float16)
    for channel, scan in enumerate(scans.values()):
        image[..., channel] = _channel(scan, grid, inside, preparation.normalise)
    mask = _mask(case, reference, grid, preparation)
    record = {
        "format": FORMAT,
        "case": case.name,
        "subject": case.subject,
        "session": case.session,
        "dataset": case.dataset,
        "modalities": list(preparation.modalities),
        "preparation": asdict(preparation),
        "sources": sources,
        "native": _grid_record(reference.grid),
        "prepared": _grid_record(grid),
        "steps": _steps(reference.grid, grid, preparation, case),
        "brain_voxels": _per_slice(inside),
        "lesion_voxels": None if mask is None else _per_slice(mask),
        "fingerprint": fingerprint,
    }
    _write_case(folder, image, mask, record)
    return folder


def _channel(scan: Volume, grid: Grid, inside: np.ndarray, method: str) -> np.ndarray:
    values = resample(np.asarray(scan.data, dtype=np.float32), scan.grid, grid)
    try:
        return normalise(values, inside, method=method)
    except InputError as error:
        raise InputError(f"{scan.path}: {error}") from None


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
    text = json.dumps([FORMAT, who, hashes, asdict(preparation)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _brain(case: Case, reference: Volume) -> np.ndarray:
    """The case's own brain mask, else what is not background in the reference scan (bool, native grid)."""
    if case.brain_mask is not None:
        mask = read_mask(case.brain_mask, binarise=True)
        check_same_grid(mask.grid, reference.grid, names=(str(mask.path), str(reference.path)))
        brain = mask.data.astype(bool)
    else:
        data = np.asarray(reference.data, dtype=np.float32)
        if np.count_nonzero(data < 0) > NEGATIVE_FRACTION * np.count_nonzero(data):
            raise InputError(
                f"{reference.path} is negative in much of the scan, so brain cannot be told from background. "
                "Give the case a brain_mask, or the scan as it was before it was normalised."
            )
        brain = data > BACKGROUND_FRACTION * np.percentile(data, 99)
        labels, count = ndimage.label(brain)
        if count > 1:
            brain = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
        brain = ndimage.binary_fill_holes(brain)
    if not brain.any():
        source = case.brain_mask or reference.path
        raise InputError(f"No brain was found in case {case.name}. Check {source}.")
    return brain


def _target_grid(native: Grid, brain: np.ndarray, preparation: Preparation, name: str) -> Grid:
    """Orient and re-space the native grid, then cut the box that has the brain in its middle."""
    lattice = oriented(native, axes=AXES)
    if preparation.spacing is not None:
        lattice = respaced(lattice, preparation.spacing)
    inside = resample(brain.view(np.uint8), native, lattice, nearest=True)
    if not inside.any():
        raise InputError(f"The brain of case {name} is smaller than a voxel. Ask for a finer --spacing.")
    box = ndimage.find_objects(inside)[0]
    first = np.array([side.start for side in box])
    extent = np.array([side.stop for side in box]) - first
    shape = np.array(preparation.shape or _rounded(extent))
    if np.any(extent > shape):
        raise InputError(
            f"The brain of case {name} spans {tuple(map(int, extent))} voxels (D, H, W), more than the "
            f"requested shape {tuple(map(int, shape))}. Ask for a larger --shape or a coarser --spacing."
        )
    start = first + (extent - shape) // 2
    return lattice.moved(tuple(int(side) for side in start), tuple(shape))


def _rounded(extent: np.ndarray) -> np.ndarray:
    sides = -(-extent // SIDE_MULTIPLE) * SIDE_MULTIPLE
    return np.array([extent[0], *sides[1:]])


def _mask(case: Case, reference: Volume, grid: Grid, preparation: Preparation) -> np.ndarray | None:
    if case.mask is None:
        return None
    mask = read_mask(case.mask, binarise=preparation.binarise_masks)
    difference = mask.grid.difference(reference.grid)
    if difference and not preparation.resample_masks:
        raise InputError(
            f"Mask {mask.path} does not share the grid of {reference.path} ({difference}). "
            "Re-export the mask, or run 'mstl prepare --resample-masks'."
        )
    inside = resample(np.ones(grid.shape, np.uint8), grid, mask.grid, nearest=True)
    cut = int(np.count_nonzero(mask.data.astype(bool) & (inside == 0)))
    if cut:
        raise InputError(
            f"Mask {mask.path} has {cut} lesion voxels outside the box around the brain, where they would be lost. "
            "Check the mask, or give the case a brain_mask that covers them."
        )
    return resample(mask.data, mask.grid, grid, nearest=True)


def _per_slice(mask: np.ndarray) -> list[int]:
    return [int(count) for count in np.count_nonzero(mask, axis=(1, 2))]


def _grid_record(grid: Grid) -> dict:
    return {"shape": [int(side) for side in grid.shape], "affine": grid.affine.tolist()}


def _steps(native: Grid, grid: Grid, preparation: Preparation, case: Case) -> list[dict]:
    brain = "given mask" if case.brain_mask else f"above {BACKGROUND_FRACTION} of the 99th percentile"
    return [
        {"name": "orient", "axes": AXES},
        {"name": "resample", "from_mm": list(native.spacing), "to_mm": list(grid.spacing), "image": "linear",
         "mask": "nearest"},
        {"name": "crop to brain", "brain": brain, "shape": [int(side) for side in grid.shape]},
        {"name": "normalise", "method": preparation.normalise, "outside": 0},
    ]  # fmt: skip


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
