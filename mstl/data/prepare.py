"""Preparation of a cohort: every case into its folder, several at a time, unchanged ones kept."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import joblib

from mstl.data.cohort import Cohort
from mstl.data.jobs import check_jobs
from mstl.data.preparation import Preparation
from mstl.data.prepare_case import prepare_case
from mstl.data.prepared import COHORT, PREPARATION, PreparedCohort
from mstl.files import new_folder, write_json


def prepare(
    cohort: Cohort,
    out: str | Path,
    *,
    modalities: tuple[str, ...] | None = None,
    jobs: int = 1,
    progress: Callable[[str], None] | None = None,
    **parameters,
) -> PreparedCohort:
    """Prepare every case of `cohort` into the folder `out` and return it opened.

    modalities: channels in order; None takes those that every case has. parameters: see `Preparation`.
    jobs: cases at a time (joblib). progress: called with a case's name when it is done.
    A case whose files and parameters have not changed since an earlier run is kept as it is. Raises
    `InputError` for a file that cannot be used; the cases done before it stay.
    """
    preparation = Preparation(modalities=modalities or cohort.modalities, **parameters)
    cohort.require(preparation.modalities)
    check_jobs(jobs)
    out = _output_folder(Path(out))
    if not (out / PREPARATION).exists():
        write_json(out / PREPARATION, asdict(preparation))
    tasks = (joblib.delayed(prepare_case)(case, out / case.name, preparation=preparation) for case in cohort)
    for folder in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks):
        if progress is not None:
            progress(folder.name)
    write_json(out / PREPARATION, asdict(preparation))
    cohort.to_csv(out / COHORT)
    return PreparedCohort.open(out)


def _output_folder(out: Path) -> Path:
    """A new folder, or one that an earlier `prepare` began."""
    return out if (out / PREPARATION).exists() else new_folder(out)
