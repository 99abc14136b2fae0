"""The cases that a run learned from, in numbers: how many, their voxels, their lesions; nobody by name."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mstl.data.grid import oriented
from mstl.data.preparation import Preparation
from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.scores import PIXELS_A_ML
from mstl.reporting.anonymous import sides_of
from mstl.reporting.held_out import volume_range
from mstl.training.run import Run

MOST_SPACINGS = 4  # that are named one by one


def sides_in_numbers(run: Run) -> dict[str, dict]:
    """What is known of the run's sides, "train", "validation" and "test", see `cases_in_numbers`.

    Only the number of subjects is where the prepared cases are gone, or are prepared in another way now.
    """
    return {side: _side(run, side, len(names)) for side, names in sides_of(run.experiment).items()}


def are_pictures(side: Mapping, preparation: Preparation) -> bool:
    """Whether cases in numbers are of pictures; where the cases are gone, whether they are OCT, as far as is known."""
    return side["unit"] == "pixels" if "unit" in side else "oct" in preparation.modalities


def _side(run: Run, side: str, subjects: int) -> dict:
    try:
        cases = run.prepared(side)
    except InputError:
        return {"subjects": subjects}
    return cases_in_numbers(cases) if cases.preparation == run.preparation else {"subjects": subjects}


def cases_in_numbers(cases: PreparedCohort) -> dict:
    """Subjects, cases, datasets, spacings of the scans, lesion volumes, cases without lesion, ways to find the brain.

    `spacing_mm` are those of the first modality along R, A and S with the number of their cases, or, of more than four
    kinds, the smallest and the largest along each axis. `lesions` as of `volume_range`, a mean a subject, in `unit`.
    """
    flat = all(case.is_picture for case in cases)
    return {
        "subjects": len(cases.subjects),
        "cases": len(cases),
        "datasets": sorted({case.record.get("dataset", "") for case in cases} - {""}),
        "spacing_mm": None if flat else _spacings([_native_spacing(case) for case in cases]),
        "shapes": sorted({case.native_grid.shape[:2] for case in cases})[:MOST_SPACINGS] if flat else None,
        "unit": "pixels" if flat else "ml",
        "lesions": volume_range(_mean_volumes(cases, scale=PIXELS_A_ML if flat else 1)),
        "without_lesion": sum(case.has_mask and not case.lesion_ml for case in cases),
        "brain": sorted({_brain_method(case) for case in cases} - {""}),
    }


def _mean_volumes(cases: PreparedCohort, *, scale: float) -> list[float]:
    """The mean lesion volume of every subject with lesions, over the cases that have some."""
    volumes: dict[str, list[float]] = {}
    for case in cases:
        if case.lesion_ml:
            volumes.setdefault(case.subject, []).append(case.lesion_ml * scale)
    return [sum(each) / len(each) for each in volumes.values()]


def _native_spacing(case: PreparedCase) -> tuple[float, ...]:
    return tuple(round(float(side), 2) for side in oriented(case.native_grid, axes="RAS").spacing)


def _spacings(found: list[tuple[float, ...]]) -> dict:
    counts = Counter(found).most_common()
    if len(counts) <= MOST_SPACINGS:
        return {"kinds": [{"mm": list(mm), "cases": count} for mm, count in counts]}
    axes = list(zip(*found, strict=True))
    return {"low": [min(axis) for axis in axes], "high": [max(axis) for axis in axes]}


def _brain_method(case: PreparedCase) -> str:
    steps = case.record.get("steps", ())
    return next((str(step.get("method", "")) for step in steps if step["name"] == "brain"), "")
