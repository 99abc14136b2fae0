"""Synthetic cohorts: brains with MS lesions or a tumour whose masks are exact, written as NIfTI."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import joblib
import numpy as np

from mstl.data.case import MR_MODALITIES, Case, check_modalities
from mstl.data.cohort import Cohort
from mstl.data.heads.acquisition import acquire
from mstl.data.heads.patient import DISEASES, draw_patient
from mstl.data.heads.raw import reference_of, scan_session
from mstl.data.heads.scan import embed, modality_stream, scan_head
from mstl.data.heads.scanner import SCANNERS, SKULL, RawScanner, Scanner, find_scanner
from mstl.data.jobs import check_jobs
from mstl.data.volume import Volume, write_volume
from mstl.errors import InputError
from mstl.files import new_folder, write_json

MIXED = "mixed"
USUAL_MODALITIES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ms": ("flair", "t1", "t2"),
    "tumour": ("flair", "t1", "t1ce", "t2"),
})
TRANSFORMS = "transforms.json"  # beside the scans of a raw case


@dataclass(frozen=True, eq=False)
class Phantom:
    """A synthetic case: int16 scans, uint8 masks of lesions and brain, all on one grid unless the case is raw.

    The mask of MS lesions holds 0 and 1, that of a tumour BraTS' labels: 1 necrosis, 2 oedema, 4 enhancing rim.
    Without skull scans are 0 outside the brain. In a raw case masks lie on the grid of the reference (flair,
    else the first modality); `transforms` by modality `(4, 4)` lead from the reference's world mm to where the
    same tissue lies in that modality's; empty for other cases, in which nobody moved.
    """

    images: dict[str, Volume]
    mask: Volume
    brain_mask: Volume
    transforms: dict[str, np.ndarray] = field(default_factory=dict)


def make_phantom(
    *,
    seed: int,
    disease: str = "ms",
    modalities: Iterable[str] | None = None,
    scanner: str | Scanner | RawScanner = "research",
    lesion_ml: float | None = None,
    randomise: float = 0.0,
) -> Phantom:
    """Make one case; equal arguments give equal voxels, whichever other modalities are asked for.

    `disease` is "ms" or "tumour"; without `modalities` flair, t1 and t2 are made, of a tumour t1ce as well.
    `scanner` is a name of `SCANNERS` or a profile; "quick-skull" is "quick" with the head left around the brain,
    noise in the air and a field of view of its own; "clinical-raw" and "quick-raw" also give each modality its
    own grid, thick slices and position. `lesion_ml` is the volume of all lesions, 0 to 60 (None: log-normal, 0.1
    to 60), or of the whole tumour, 5 to 180 (None: log-normal); `randomise` 0 (usual contrasts, slight jitter) to
    1 (strong domain randomisation). Raises `InputError` for an unknown name or a value out of range.
    """
    modalities = _check(modalities, seed, disease, lesion_ml, randomise)
    ill = {"seed": seed, "disease": disease, "lesion_ml": lesion_ml, "randomise": randomise}
    profile = find_scanner(scanner) if isinstance(scanner, str) else scanner
    if isinstance(profile, RawScanner):
        return Phantom(*scan_session(profile, modalities=modalities, **ill))
    patient = draw_patient(profile.grid(), profile.sections, **ill)
    if profile.skull:
        return Phantom(*scan_head(patient, profile, modalities=modalities, seed=seed, randomise=randomise))
    images = {}
    for name in modalities:
        stream = modality_stream(seed, name)
        scan = acquire(patient.scene, profile, modality=name, rng=stream, randomise=randomise)
        data = np.where(patient.brain, np.maximum(scan, 1), 0).astype(np.int16)
        images[name] = embed(data, patient.grid, patient.low)
    masks = (embed(part.astype(np.uint8), patient.grid, patient.low) for part in (patient.mask, patient.brain))
    return Phantom(images, *masks)


def write_phantoms(
    out: str | Path,
    *,
    subjects: int,
    modalities: Iterable[str] | None = None,
    scanner: str = "research",
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[str], object] | None = None,
    **patient: str | float | None,
) -> Cohort:
    """Write `subjects` cases below `out` as NIfTI, with `cohort.csv`; equal arguments give equal bytes.

    Subjects are phantom-001 and so on; each keeps its voxels however many are made. `scanner` is a name as
    in `make_phantom`, or "mixed" or "mixed-skull" (all in turn); `patient` holds `disease`, `lesion_ml` and
    `randomise` as there; `progress` is called with the subject's name after each case. The transforms of a raw
    case lie in `transforms.json` beside its scans. Raises `InputError` as `make_phantom`, and where
    `out` is not empty or `subjects` is below 1.
    """
    modalities = _check(modalities, seed, **patient)
    if subjects < 1:
        raise InputError(f"{subjects} subjects were asked for, at least 1 is expected. Raise the number.")
    check_jobs(jobs)
    names = _scanner_names(scanner)
    folder = new_folder(out)
    seeds = [int(s.generate_state(1)[0]) for s in np.random.SeedSequence(seed).spawn(subjects)]
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(_write_case)(
            folder,
            f"phantom-{number + 1:03d}",
            seeds[number],
            modalities,
            names[number % len(names)],
            patient,
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


def _scanner_names(scanner: str) -> list[str]:
    """The profiles that subjects get in turn."""
    skull = SKULL if scanner.endswith(SKULL) else ""
    if scanner.removesuffix(SKULL) == MIXED:
        return [name + skull for name in SCANNERS]
    find_scanner(scanner)
    return [scanner]


def _write_case(
    folder: Path, subject: str, seed: int, modalities: tuple[str, ...], scanner: str, patient: dict
) -> Case:
    phantom = make_phantom(seed=seed, modalities=modalities, scanner=scanner, **patient)
    volumes = {**phantom.images, "mask": phantom.mask, "brain_mask": phantom.brain_mask}
    paths = {name: folder / subject / f"{subject}_{name}.nii.gz" for name in volumes}
    for name, volume in volumes.items():
        write_volume(paths[name], volume.data, volume.affine)
    if phantom.transforms:
        found = {name: matrix.tolist() for name, matrix in phantom.transforms.items()}
        write_json(folder / subject / TRANSFORMS, {"reference": reference_of(modalities), "transforms": found})
    return Case(
        subject=subject,
        dataset="phantom",
        images={name: paths[name] for name in modalities},
        mask=paths["mask"],
        brain_mask=paths["brain_mask"],
    )


def _check(
    modalities: Iterable[str] | None,
    seed: int,
    disease: str = "ms",
    lesion_ml: float | None = None,
    randomise: float = 0.0,
) -> tuple[str, ...]:
    """The modalities to make; raises `InputError` where an argument is not possible."""
    if disease not in DISEASES:
        raise InputError(f"Disease {disease!r} is not known. Choose {' or '.join(DISEASES)}.")
    modalities = USUAL_MODALITIES[disease] if modalities is None else tuple(modalities)
    check_modalities(modalities, known=MR_MODALITIES)
    if not modalities:
        raise InputError(f"No modality was asked for. Choose some of {', '.join(MR_MODALITIES)}.")
    if seed < 0:
        raise InputError(f"seed is {seed}; 0 or more is expected.")
    if not 0 <= randomise <= 1:
        raise InputError(f"randomise is {randomise:g}; 0 (usual contrasts) to 1 (strong) is expected.")
    low, high = DISEASES[disease]
    if lesion_ml is not None and not low <= lesion_ml <= high:
        raise InputError(f"lesion_ml is {lesion_ml:g}; {low:g} to {high:g} ml is expected. Choose within.")
    return modalities
