"""Synthetic cohorts: brains with MS lesions whose masks are exact, written as NIfTI."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np

from mstl.data.acquisition import Scene, acquire, average_sections
from mstl.data.anatomy import Anatomy, Head, build_anatomy, draw_head, find_brain, lattice
from mstl.data.case import MODALITIES, Case, check_modalities
from mstl.data.cohort import Cohort
from mstl.data.grid import Grid, respaced
from mstl.data.jobs import check_jobs
from mstl.data.lesions import LOAD_ML, Lesions, draw_load, grow_lesions
from mstl.data.scanner import SCANNERS, Scanner, find_scanner
from mstl.data.volume import Volume, write_volume
from mstl.errors import InputError
from mstl.files import new_folder

MIXED = "mixed"
_FURTHEST = 0.9  # mm that lesion borders may move to reach the wanted volume on the scan's grid


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic case on one grid: int16 scans (0 outside the brain), uint8 masks of lesions and brain."""

    images: dict[str, Volume]
    mask: Volume
    brain_mask: Volume


def make_phantom(
    *,
    seed: int,
    modalities: Iterable[str] = ("flair", "t1", "t2"),
    scanner: str | Scanner = "research",
    lesion_ml: float | None = None,
    randomise: float = 0.0,
) -> Phantom:
    """Make one case; equal arguments give equal voxels, whichever other modalities are asked for.

    `scanner` is a name of `SCANNERS` or a profile; `lesion_ml` 0 to 60 (None: log-normal, 0.1 to 60);
    `randomise` 0 (usual contrasts, slight jitter) to 1 (strong domain randomisation). Raises `InputError` for
    an unknown name or a value out of range.
    """
    modalities = tuple(modalities)
    _check(modalities, lesion_ml, randomise, seed)
    profile = scanner if isinstance(scanner, Scanner) else find_scanner(scanner)
    grid = profile.grid()
    rng, lesion_rng = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    head = draw_head(rng, _extent(grid), randomise=randomise)
    low, fine = _fine_box(grid, head, profile.sections)
    start = low * np.array(profile.sections)
    anatomy = build_anatomy(fine, head, start=start)
    positions = lattice(fine, np.zeros(3))
    load = draw_load(lesion_rng) if lesion_ml is None else lesion_ml
    lesions = grow_lesions(
        anatomy, fine.spacing, lesion_ml=load, positions=positions, rng=lesion_rng, randomise=randomise
    )
    brain = average_sections(anatomy.brain.astype(np.float32), profile.sections) >= 0.5
    fraction, mask = _settle(anatomy, lesions, brain, profile, load)
    scene = Scene(anatomy, lesions, fraction, positions, profile.sections)
    images = {}
    for name in modalities:
        stream = np.random.default_rng([seed, 2, MODALITIES.index(name)])
        scan = acquire(scene, profile, modality=name, rng=stream, randomise=randomise)
        images[name] = _embed(np.where(brain, np.maximum(scan, 1), 0).astype(np.int16), grid, low)
    masks = (_embed(part.astype(np.uint8), grid, low) for part in (mask, brain))
    return Phantom(images, *masks)


def write_phantoms(
    out: str | Path,
    *,
    subjects: int,
    modalities: Iterable[str] = ("flair", "t1", "t2"),
    scanner: str = "research",
    seed: int = 0,
    randomise: float = 0.0,
    jobs: int = 1,
    progress: Callable[[str], object] | None = None,
) -> Cohort:
    """Write `subjects` cases below `out` as NIfTI, with `cohort.csv`; equal arguments give equal bytes.

    Subjects are phantom-001 and so on; each keeps its voxels however many are made. `scanner` is a name of
    `SCANNERS` or "mixed" (all of them in turn); `progress` is called with the subject's name after each case.
    Raises `InputError` as `make_phantom`, and where `out` is not empty or `subjects` is below 1.
    """
    modalities = tuple(modalities)
    _check(modalities, None, randomise, seed)
    if subjects < 1:
        raise InputError(f"{subjects} subjects were asked for, at least 1 is expected. Raise the number.")
    check_jobs(jobs)
    names = list(SCANNERS) if scanner == MIXED else [scanner]
    if scanner != MIXED:
        find_scanner(scanner)
    folder = new_folder(out)
    seeds = [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(subjects)]
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(_write_case)(
            folder,
            f"phantom-{number + 1:03d}",
            seeds[number],
            modalities,
            names[number % len(names)],
            randomise,
        )
        for number in range(subjects)
    )
    cases = []
    for case in work:
        cases.append(case)
        if progress:
            progress(case.subject)
    cohort = Cohort(cases)
    cohort.to_csv(folder / "cohort.csv")
    return cohort


def _write_case(
    folder: Path, subject: str, seed: int, modalities: tuple[str, ...], scanner: str, randomise: float
) -> Case:
    phantom = make_phantom(seed=seed, modalities=modalities, scanner=scanner, randomise=randomise)
    volumes = {**phantom.images, "mask": phantom.mask, "brain_mask": phantom.brain_mask}
    paths = {name: folder / subject / f"{subject}_{name}.nii.gz" for name in volumes}
    for name, volume in volumes.items():
        write_volume(paths[name], volume.data, volume.affine)
    return Case(
        subject=subject,
        dataset="phantom",
        images={name: paths[name] for name in modalities},
        mask=paths["mask"],
        brain_mask=paths["brain_mask"],
    )


def _check(modalities: tuple[str, ...], lesion_ml: float | None, randomise: float, seed: int) -> None:
    check_modalities(modalities)
    if not modalities:
        raise InputError(f"No modality was asked for. Choose some of {', '.join(MODALITIES)}.")
    if seed < 0:
        raise InputError(f"seed is {seed}; 0 or more is expected.")
    if not 0 <= randomise <= 1:
        raise InputError(f"randomise is {randomise:g}; 0 (usual contrasts) to 1 (strong) is expected.")
    if lesion_ml is not None and not 0 <= lesion_ml <= LOAD_ML[1]:
        raise InputError(f"lesion_ml is {lesion_ml:g}; 0 to {LOAD_ML[1]:g} ml is expected. Choose within.")


def _extent(grid: Grid) -> tuple[float, float, float]:
    return tuple(side * step for side, step in zip(grid.shape, grid.spacing, strict=True))


def _fine_box(grid: Grid, head: Head, sections: tuple[int, int, int]) -> tuple[np.ndarray, Grid]:
    """First voxel of the brain's box in the scan's grid, and the box with its voxels cut into sections."""
    low, high = find_brain(grid, head)
    box = grid.moved(tuple(low), tuple(high - low))
    return low, respaced(box, tuple(np.array(grid.spacing) / sections))


def _settle(
    anatomy: Anatomy, lesions: Lesions, brain: np.ndarray, scanner: Scanner, wanted_ml: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lesion fraction on the fine lattice, and the mask on the scan's: where the fraction is >= 0.5.

    Borders are shifted until the mask has the wanted volume, for slice thickness swallows small lesions.
    """
    voxel_ml = float(np.prod(scanner.spacing)) / 1000
    if wanted_ml == 0:
        return np.zeros(anatomy.brain.shape, np.float32), np.zeros(brain.shape, bool)
    low, high = -_FURTHEST, _FURTHEST
    for _ in range(9):
        shift = (low + high) / 2
        mask = brain & (average_sections(lesions.fraction(anatomy, shift=shift), scanner.sections) >= 0.5)
        low, high = (shift, high) if mask.sum() * voxel_ml < wanted_ml else (low, shift)
    fraction = lesions.fraction(anatomy, shift=high)
    share = np.where(brain, average_sections(fraction, scanner.sections), 0)
    return fraction, (share > 0) & (share >= min(0.5, float(share.max())))


def _embed(data: np.ndarray, grid: Grid, low: np.ndarray) -> Volume:
    """The data of the brain's box on the whole grid, 0 around."""
    whole = np.zeros(grid.shape, data.dtype, order="F")
    whole[tuple(slice(a, a + n) for a, n in zip(low, data.shape, strict=True))] = data
    return Volume(whole, grid.affine)
