"""Scans of whole heads on one grid: the brain painted into its skull, within a field of view of its own."""
from __future__ import annotations

from collections.abc import Iterable

import nibabel as nib
import numpy as np

from mstl.data.case import MR_MODALITIES
from mstl.data.grid import Grid, respaced
from mstl.data.heads.acquisition import paint_brain, record
from mstl.data.heads.anatomy import lattice
from mstl.data.heads.patient import Patient
from mstl.data.heads.scanner import Scanner
from mstl.data.heads.signal import blend_brain, draw_head_contrast, overlap, paint_head
from mstl.data.heads.skull import build_skull
from mstl.data.volume import Volume

# mm by which the field of view may reach further than a profile's, towards -x, +x, -y, +y, -z, +z
_LEAST, _MOST = (-4, -4, -2, -2, -8, -10), (14, 14, 14, 26, 70, 14)


def modality_stream(seed: int, modality: str, *, purpose: int = 2) -> np.random.Generator:
    """The random numbers of one modality of a case, the same whichever other modalities are made."""
    return np.random.default_rng([seed, purpose, MR_MODALITIES.index(modality)])


def scan_head(
    patient: Patient, scanner: Scanner, *, modalities: Iterable[str], seed: int, randomise: float = 0.0
) -> tuple[dict[str, Volume], Volume, Volume]:
    """Int16 scans of the whole head, uint8 masks of lesions and brain, all on one grid.

    Their lattice is that of the patient's grid, the field of view wider or narrower on each side.
    """
    rng = np.random.default_rng([seed, 3])
    start, shape = _draw_view(patient.grid, rng)
    view = patient.grid.moved(start, shape)
    fine = respaced(view, tuple(np.array(view.spacing) / scanner.sections))
    first = start * np.array(scanner.sections)
    labels = build_skull(fine, patient.head, rng, start=first, randomise=randomise)
    images = {}
    for name in modalities:
        signal, stream = paint_patient(
            patient, labels, fine, scanner, modality=name, seed=seed, randomise=randomise
        )
        positions = lattice(fine, np.zeros(3))
        scan = record(signal, positions, scanner, modality=name, rng=stream, randomise=randomise)
        images[name] = Volume(scan, view.affine)
    masks = (embed(part.astype(np.uint8), view, patient.low - start) for part in (patient.mask, patient.brain))
    return images, *masks


def embed(data: np.ndarray, grid: Grid, low: np.ndarray) -> Volume:
    """The data of a box that begins at voxel `low` on the whole grid, 0 around; what lies beyond is left out."""
    whole = np.zeros(grid.shape, data.dtype, order="F")
    there, here = overlap(low, data.shape, grid.shape)
    whole[there] = data[here]
    return Volume(whole, grid.affine)


def paint_patient(
    patient: Patient, labels: np.ndarray, fine: Grid, scanner: Scanner, *, modality: str, seed: int, randomise: float
) -> tuple[np.ndarray, np.random.Generator]:
    """Signal float32 of the whole head on `fine`, and the modality's random numbers to scan it with."""
    rng, around = (modality_stream(seed, modality, purpose=purpose) for purpose in (2, 4))
    brain, contrast = paint_brain(patient.scene, scanner, modality=modality, rng=rng, randomise=randomise)
    tissues = draw_head_contrast(modality, contrast.csf, around, randomise=randomise)
    signal = paint_head(labels, tissues, lattice(fine, np.zeros(3)), around)
    offset = np.rint(np.linalg.inv(fine.affine) @ patient.fine.affine[:, 3])[:3].astype(int)
    blend_brain(signal, brain, patient.scene.anatomy.depth, offset)
    return signal, rng


def _draw_view(grid: Grid, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """First voxel (may be negative) and shape of a field of view on the grid's lattice."""
    margins = rng.uniform(_LEAST, _MOST)
    start, stop = np.zeros(3, int), np.array(grid.shape)
    for axis, (world, direction) in enumerate(nib.io_orientation(grid.affine).astype(int)):
        steps = np.rint(margins[2 * world : 2 * world + 2] / grid.spacing[axis]).astype(int)
        before, after = steps if direction > 0 else steps[::-1]
        start[axis] -= before
        stop[axis] += after
    return start, stop - start
