"""Preparation of a cohort: every case into its folder, several at a time, unchanged ones kept, failures listed."""
from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from mstl.data.attempt import Attempts
from mstl.data.cohort import Case, Cohort
from mstl.data.cohort_scale import learned, with_stored_scale
from mstl.data.jobs import attempts
from mstl.data.pictures import check_one_size
from mstl.data.preparation import Preparation
from mstl.data.prepare_case import prepare_case
from mstl.data.prepared import COHORT, PREPARATION, RECORD, PreparedCohort
from mstl.errors import PreparationError
from mstl.files import new_folder, remove_leftover_folders, remove_leftovers, write_json, write_text

FAILURES = "failures.csv"
NAMED = 3  # failures in the message; the file lists all


def prepare(
    cohort: Cohort,
    out: str | Path,
    *,
    modalities: tuple[str, ...] | None = None,
    jobs: int = 1,
    backend: str = "loky",
    scheduler: str | None = None,
    progress: Callable[[str], None] | None = None,
    **parameters,
) -> PreparedCohort:
    """Prepare every case of `cohort` into the folder `out` and return it opened.

    modalities: channels in order; None takes those that every case has. parameters: see `Preparation`.
    jobs: cases at a time on this machine, which share its cores ("loky"). With backend "dask" the cluster at
    `scheduler` ("tcp://host:8786"; None: the Dask client that is open) takes as many cases at a time as its
    workers have threads; scans and `out` must have the same paths there. progress: called with a case's name when
    it is done or has failed.
    With `normalise="nyul"` and no `landmarks` the scale is learned from all cases that are ready, kept in
    `preparation.json`, and used by every later run into `out`: a case that is added does not change the others.
    Pictures of several sizes need a shape, to which they are stretched; of a picture all counts as brain.
    The prepared box holds the brain, and the lesions of a mask that reach beyond it.
    A case whose files and parameters have not changed since an earlier run is kept as it is, so a second run takes
    up what is missing; one run at a time may write into a folder. A case that fails does not stop the others: at
    the end `failures.csv` lists it, `cohort.csv` only those that are ready, and `PreparationError` is raised; for a
    single case, its own reason. Raises `InputError` at once for parameters that no case can meet.
    """
    preparation = Preparation(modalities=modalities or cohort.modalities, **parameters)
    cohort.require(preparation.modalities)
    check_one_size(cohort, preparation)
    with attempts(jobs=jobs, backend=backend, scheduler=scheduler) as attempt_each:
        out = _output_folder(Path(out), cohort)
        preparation = with_stored_scale(preparation, out)
        if not (out / PREPARATION).exists():
            write_json(out / PREPARATION, preparation.to_record())
        cases = [_absolute(case) for case in cohort]
        failures = _failures(attempt_each(_work(out, preparation), cases), progress)
        failures |= _unseen(cohort, out, failures)
        ready = [case for case in cases if case.name not in failures]
        if preparation.learns_scale and ready:
            preparation = learned(preparation, [out / case.name for case in ready])
            write_json(out / PREPARATION, preparation.to_record())  # now: a run that is stopped goes on with this scale
            failures |= _failures(attempt_each(_work(out, preparation), ready), None)
    write_json(out / PREPARATION, preparation.to_record())
    _list(cohort, out, failures)
    return PreparedCohort.open(out)


def _work(out: Path, preparation: Preparation) -> Callable[[Case], None]:
    return partial(_prepare_into, out.absolute(), preparation)


def _failures(attempted: Attempts, progress: Callable[[str], None] | None) -> dict[str, str]:
    """Reasons of the cases that failed; `progress` hears of every case."""
    failures = {}
    for case, reason in attempted:
        if reason is not None:
            failures[case.name] = reason
        if progress is not None:
            progress(case.name)
    return failures


def _output_folder(out: Path, cohort: Cohort) -> Path:
    """A new folder, or one that an earlier `prepare` began, without what it left half done."""
    if not (out / PREPARATION).exists():
        return new_folder(out)
    remove_leftover_folders(out, (case.name for case in cohort))
    remove_leftovers(out)
    return out


def _absolute(case: Case) -> Case:
    """The case with paths that mean the same in every process."""
    return Case.of_files(
        {role: path.absolute() for role, path in case.files.items()},
        subject=case.subject, session=case.session, dataset=case.dataset,
    )  # fmt: skip


def _prepare_into(out: Path, preparation: Preparation, case: Case) -> None:
    prepare_case(case, out / case.name, preparation=preparation)


def _unseen(cohort: Cohort, out: Path, failures: Mapping[str, str]) -> dict[str, str]:
    """Cases that another machine prepared into a folder of its own."""
    reason = f"It was prepared where {out.resolve()} is another folder. Choose one that all workers share."
    names = (case.name for case in cohort if case.name not in failures)
    return {name: reason for name in names if not (out / name / RECORD).exists()}


def _list(cohort: Cohort, out: Path, failures: Mapping[str, str]) -> None:
    """Write which cases are ready and which failed; raises `PreparationError` where any did."""
    ready = Cohort(case for case in cohort if case.name not in failures)
    if ready:
        ready.to_csv(out / COHORT)
    else:
        (out / COHORT).unlink(missing_ok=True)
    if not failures:
        (out / FAILURES).unlink(missing_ok=True)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    failed = [case.name for case in cohort if case.name in failures]
    writer.writerows([("case", "reason"), *((name, failures[name]) for name in failed)])
    write_text(out / FAILURES, text.getvalue())
    raise PreparationError(_message([f"{name}: {failures[name]}" for name in failed], len(cohort), out), failures)


def _message(failed: list[str], cases: int, out: Path) -> str:
    if cases == 1:
        return failed[0].partition(": ")[2]
    more = f" And {len(failed) - NAMED} more." if len(failed) > NAMED else ""
    rest = cases - len(failed)
    ready = f"The other {rest} {'is' if rest == 1 else 'are'} ready" if rest else "None is ready"
    return (
        f"{len(failed)} of {cases} cases could not be prepared. {' '.join(failed[:NAMED])}{more} All are listed in "
        f"{out / FAILURES}. {ready} in {out}. Mend what the reasons say, then run the command again: it takes up "
        "what is missing."
    )
