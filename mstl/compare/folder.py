"""The folder of a study: its settings, who is on which side, where the jobs and their results lie."""
from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pandas as pd
import yaml

from mstl.compare.divisions import Division, divide, rows_of
from mstl.compare.jobs import RUN, SCORES, Job, is_done, jobs_of, needed_jobs, source_stages
from mstl.compare.leakage import check_leakage, learns_from_target
from mstl.compare.study import Study
from mstl.data.cohort import Cohort
from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.files import new_folder, read_json, write_text
from mstl.reporting.study_files import COSTS, RECORD, SPLITS, STUDY, TABLE
from mstl.settings import read_yaml

GROWING = ("strategies", "seeds", "sources", "twins")  # settings that a study may have more of when it goes on


class StudyFolder:
    """A study that has begun. `divisions` and `stages` of jobs follow from its settings and the prepared cases."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / STUDY).exists():
            raise InputError(f"{folder} is no study (no {STUDY}). Begin one: mstl compare STUDY.yaml --out {folder}")
        self.study = Study.load(self.folder / STUDY)
        self.prepared = PreparedCohort.open(self.study.prepared)
        self.divisions = divide(self.prepared, self.study)

    @classmethod
    def begin(cls, study: Study, folder: str | Path, *, resume: bool = False) -> StudyFolder:
        """Check a study, its subjects and sources, and open a new folder for it, or with `resume` the one that it has.

        Raises `InputError` where scans leak from one side to another, the cohort lacks a case, the folder is not empty
        or, with `resume`, holds another study.
        """
        folder = Path(folder)
        prepared = PreparedCohort.open(study.prepared)
        check_leakage(study, prepared)
        source_stages(study)
        divisions = divide(prepared, study)
        _check_cohort(study, prepared)
        if not (resume and (folder / STUDY).exists()):
            new_folder(folder)
        else:
            _check_same(read_yaml(folder / STUDY), yaml.safe_load(yaml.safe_dump(study.to_dict())), folder)
        study.save(folder / STUDY)
        _write_splits(folder / SPLITS, pd.DataFrame(rows_of(divisions)).to_csv(index=False, lineterminator="\n"))
        _warn_of_budgets(study)
        return cls(folder)

    @cached_property
    def cohort(self) -> Cohort:
        """The scans as they came, on whose grids masks are scored."""
        return Cohort.from_csv(self.study.cohort)

    @cached_property
    def stages(self) -> list[list[Job]]:
        """All jobs, see `jobs_of`."""
        return jobs_of(self.study, self.divisions)

    @property
    def twins(self) -> dict[str, str | None]:
        """What each strategy is compared with, see `Study.twin_of`."""
        return {name: self.study.twin_of(name) for name in self.study.strategies}

    @property
    def jobs(self) -> list[Job]:
        """All jobs in the order of their numbers."""
        return [job for stage in self.stages for job in stage]

    def done(self, job: Job) -> bool:
        """Whether a job is finished."""
        return is_done(job, self.folder)

    def run_of(self, job: Job) -> Path:
        """The run's folder of a job."""
        return self.folder / job.label / RUN

    def division(self, job: Job) -> Division:
        """The subjects of a strategy's job."""
        return next(one for one in self.divisions if (one.fold, one.size) == (job.fold, job.size))

    def sides_of_source(self, job: Job) -> dict:
        """The subjects of a source that learns from the target's scans; of another one what its own settings say."""
        if not learns_from_target(self.study.sources[job.name], self.study):
            return {}
        fold = next(one for one in self.divisions if one.fold == job.fold)
        train = [name for name in fold.pool if name not in fold.validation]
        return {**fold.sides(), "train_subjects": train}

    def scores(self) -> pd.DataFrame:
        """A row a tested case of each finished job, those of `study.csv`."""
        found = list(self._scored())
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()

    def _scored(self) -> Iterator[pd.DataFrame]:
        for job in sorted(self.stages[-1], key=lambda job: (job.name, job.size, job.fold, job.seed)):
            if self._is_recorded(job):
                rows = pd.read_csv(self.folder / job.label / SCORES, comment="#", dtype={"case": str, "subject": str})
                yield pd.DataFrame([job.key()] * len(rows)).join(rows)

    def costs(self) -> pd.DataFrame:
        """A row a finished job: seconds, memory, parameters, and those of the sources that it began with."""
        costs = pd.DataFrame([self._cost(job) for job in self.jobs if self._is_recorded(job)])
        return costs.astype({name: "Int64" for name in ("size", "fold") if name in costs})

    def _is_recorded(self, job: Job) -> bool:
        return (self.folder / job.label / RECORD).exists()

    def _cost(self, job: Job) -> dict:
        record = {key: value for key, value in read_json(self.folder / job.label / RECORD).items() if key != "files"}
        begun = ", ".join(one.label for one in needed_jobs(job, self.study))
        return {"kind": job.kind, **job.key(), **record, "begins_with": begun}

    def write_tables(self) -> None:
        """Write study.csv and costs.csv of what is finished."""
        for name, table in ((TABLE, self.scores()), (COSTS, self.costs())):
            write_text(self.folder / name, table.to_csv(index=False, na_rep="nan", lineterminator="\n"))


def _check_cohort(study: Study, prepared: PreparedCohort) -> None:
    known = {case.name for case in Cohort.from_csv(study.cohort)}
    absent = [case.name for case in prepared if case.name not in known]
    if absent:
        raise InputError(
            f"{study.cohort} lacks case {absent[0]} of {prepared.folder}. Give the cohort that was prepared."
        )


def _write_splits(path: Path, table: str) -> None:
    """Write who is on which side; raises `InputError` where a study that goes on would have others there."""
    if path.exists() and path.read_text(encoding="utf-8") != table:
        raise InputError(
            f"{path} has other sides than the prepared cases give now: subjects came, went or have other masks. "
            "Prepare them as they were, or give the study another --out."
        )
    write_text(path, table)


def _warn_of_budgets(study: Study) -> None:
    budgets = study.budgets()
    if len(set(budgets.values())) > 1:
        said = "; ".join(f"{name} {' x '.join(map(str, budget))}" for name, budget in budgets.items())
        warnings.warn(f"Strategies differ in epochs x steps x batch size, so also in budget: {said}.", stacklevel=3)


def _check_same(begun: dict, given: dict, folder: Path) -> None:
    """Raise `InputError` where a study that goes on would do another thing than before."""
    for key, value in given.items():
        before = begun.get(key)
        if value == before or (key in GROWING and _holds(value, before)):
            continue
        raise InputError(
            f"{key} was {before} when the study in {folder} began, now it is {value}. Put it back, or give the changed "
            f"study another --out; {', '.join(GROWING)} may grow."
        )


def _holds(value: object, before: object) -> bool:
    """Whether a mapping or list has all that it had before, unchanged."""
    if isinstance(value, dict) and isinstance(before, dict):
        return all(name in value and value[name] == one for name, one in before.items())
    return isinstance(value, list) and isinstance(before, list) and value[: len(before)] == before

