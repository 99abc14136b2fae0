"""The doctor: every file of a cohort is read once, and all that is wrong or odd is said at once."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import joblib

from mstl.data.case import Case
from mstl.data.checks import (
    alignment,
    contrast,
    duplicates,
    grids,
    intensity,
    labels,
    masks,
    outliers,
    pictures,
    placement,
)
from mstl.data.checks.finding import Finding, by_case
from mstl.data.checks.measures import CaseMeasures, measure_case
from mstl.data.checks.sides import shared_subjects
from mstl.data.jobs import check_jobs

CASE_RULES = (
    grids.modality_grids, grids.mask_grids, grids.oblique_scans, grids.thick_slices,
    masks.empty_masks, masks.large_masks, masks.masks_outside, masks.brain_masks_outside, masks.specks,
    alignment.mirrored_scans, alignment.foreign_scans, alignment.shifted_scans,
    placement.displaced_masks, placement.foreign_masks, contrast.exchanged_modalities,
    intensity.clipped_scans, intensity.few_levels, intensity.normalised_scans, intensity.skulls, intensity.cut_scans,
    intensity.volumes,
)  # fmt: skip
PICTURE_RULES = (
    pictures.several_kinds, pictures.different_sizes, pictures.large_masks, pictures.empty_masks, masks.specks,
)  # fmt: skip


def check_cohort(
    cohort: Iterable[Case],
    *,
    sides: Mapping[str, Sequence[Case]] | None = None,
    binarise_masks: bool = False,
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[Finding]:
    """Read every scan and mask of `cohort` and return what is found, the worst case first; [] where all is well.

    An error cannot be used or is surely wrong, a warning is worth a look, a note is good to know: `Finding.level`.
    `sides` are the parts of a split by name, whose cases are of the cohort: nobody may stand on two of them.
    Masks with several labels are sound, and a note says which they hold; `binarise_masks` lets soft masks pass. `jobs`
    cases are read at a time (joblib). `progress` is called with a case's name when it is done. A file that cannot be
    read is a finding; nothing is raised. Of pictures sizes, values and doubles are judged, nothing that is of heads.
    """
    check_jobs(jobs)
    cases = {_key(case): case for case in [*cohort, *(case for side in (sides or {}).values() for case in side)]}
    tasks = (joblib.delayed(measure_case)(case) for case in cases.values())
    measured = []
    for measures in joblib.Parallel(n_jobs=jobs, return_as="generator")(tasks):
        measured.append(measures)
        if progress is not None:
            progress(measures.name)
    return judge(measured, sides=sides, binarise_masks=binarise_masks)


def judge(
    measured: Sequence[CaseMeasures],
    *,
    sides: Mapping[str, Sequence[Case]] | None = None,
    binarise_masks: bool = False,
) -> list[Finding]:
    """What all rules find in cases that were measured, the worst case first; arguments as of `check_cohort`."""
    known = labels.cohort_labels(measured)
    findings = [finding for case in measured for finding in _of_case(case, binarise_masks, known)]
    findings += [*_of_cohort(measured, sides or {}), *shared_subjects(sides or {})]
    return [finding for found in by_case(findings).values() for finding in found]


def _key(case: Case) -> tuple:
    """Two sides may list one case, or give one name to two."""
    return case.name, *sorted((role, str(path)) for role, path in case.files.items())


def _of_case(case: CaseMeasures, binarise_masks: bool, known: Sequence[int]) -> Iterator[Finding]:
    yield from case.findings
    if not labels.holds_labels(case, known):
        yield from masks.mask_values(case, binarise=binarise_masks)
    for rule in PICTURE_RULES if pictures.shows_pictures(case) else CASE_RULES:
        yield from rule(case)


def _of_cohort(cases: Sequence[CaseMeasures], sides: Mapping[str, Sequence[Case]]) -> Iterator[Finding]:
    where = partial(_sides_of, {name: {case.name for case in side} for name, side in sides.items()})
    yield from duplicates.same_voxels(cases, sides=where)
    yield from duplicates.alike_scans(cases, sides=where)
    heads = [case for case in cases if not pictures.shows_pictures(case)]
    yield from outliers.odd_spacing(heads)
    yield from outliers.odd_view(heads)
    yield from pictures.mixed_sizes(cases)
    yield from labels.labelled_masks(cases)
    yield from labels.rare_labels(cases)
    yield from labels.mixed_conventions(heads)


def _sides_of(sides: Mapping[str, set[str]], case: str) -> frozenset[str]:
    return frozenset(name for name, cases in sides.items() if case in cases)
