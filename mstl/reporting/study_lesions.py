"""The section of a study's page on lesion sizes: which share of small and of large lesions each strategy finds."""
from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mstl.data.cohort import Case, Cohort
from mstl.errors import InputError
from mstl.evaluation.lesion_sizes import LIMITS_ML, TABLE, detection_summary, kept_lesion_table
from mstl.evaluation.scores import PICTURE_RULE, PIXELS_A_ML, read_scores
from mstl.files import read_json
from mstl.reporting.folder import as_rows
from mstl.reporting.study_files import StudyFiles, StudyJob


def lesion_section(
    files: StudyFiles, strategies: Sequence[str], *, size: int, cohort: Cohort | None = None
) -> dict | None:
    """Strata in words, and a row a strategy with a cell a stratum, at one size; None where nothing is known.

    A row has the `false` lesions of a case too: who marks everything finds everything. What `lesions.csv` of a job has
    is taken; else it is computed from predictions and the masks of `cohort`, and kept there. Raises `InputError` where
    those do not fit together.
    """
    known = {} if cohort is None else {case.name: case for case in cohort}
    rows, totals = [], None
    for name in strategies:
        jobs = [job for job in files.jobs if (job.name, job.size) == (name, size) and job.done]
        tables = [found for job in jobs if (found := _table(job, known)) is not None]
        if not tables:
            continue
        summary = as_rows(detection_summary(tables))
        rows.append({"strategy": name, "cells": summary, "false": false_lesions(files.scores, name, size)})
        totals = totals or summary
    if not rows:
        return None
    return {"strata": _words(flat=PICTURE_RULE in files.conventions), "totals": totals, "rows": rows, "size": size}


def false_lesions(frame: pd.DataFrame, strategy: str, size: int) -> float | None:
    """Predicted lesions of a case that share no voxel with the reference, mean over cases and trainings."""
    rows = frame[(frame["strategy"] == strategy) & (frame["size"] == size)]
    if rows.empty or not {"predicted_lesions", "lesion_false_discovery"} <= set(rows.columns):
        return None
    return float((rows["predicted_lesions"] * rows["lesion_false_discovery"].fillna(0)).mean())


def _table(job: StudyJob, known: dict[str, Case]):
    """The lesions of a job's tested cases; None where they are not known and cannot be."""
    if not job.scores.exists():
        return None
    if not (job.folder / TABLE).exists() and not (known and job.predictions.is_dir()):
        return None
    names = read_scores(job.scores)["case"]
    absent = [name for name in names if name not in known]
    if known and absent:
        raise InputError(f"Case {absent[0]} of {job.scores} is not in the cohort. Give the cohort that was compared.")
    path = job.run / "preparation.json"
    preparation = read_json(path) if path.exists() else {}
    options = {key: bool(preparation.get(key)) for key in ("binarise_masks", "resample_masks")}
    return kept_lesion_table(job.scores, job.predictions, [known[name] for name in names if name in known], **options)


def _words(*, flat: bool) -> list[str]:
    """The strata as people call them."""
    low, high = (f"{limit * PIXELS_A_ML:g}" if flat else f"{limit:g}" for limit in LIMITS_ML)
    unit = "pixels" if flat else "ml"
    return [f"below {low} {unit}", f"{low} to {high} {unit}", f"{high} {unit} and more"]
