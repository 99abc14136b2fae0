"""Doing the jobs of a study: stage by stage, several at a time, here or on a cluster; failed ones stop nobody."""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import joblib

from mstl.compare.folder import StudyFolder
from mstl.compare.jobs import Job
from mstl.compare.worker import InProcess
from mstl.data.jobs import attempts

PAUSE = 30.0  # seconds between two writings of the tables
Progress = Callable[[Job, "str | None"], None]


def run_study(
    study: StudyFolder,
    *,
    jobs: int = 1,
    backend: str = "loky",
    scheduler: str | None = None,
    progress: Progress = lambda job, reason: None,
) -> dict[Job, str]:
    """Do what of a study is not done, `jobs` at a time; the jobs that failed, each with its reason.

    Each job has a process of its own, so that one that is killed takes no other with it. backend, scheduler: as of
    `mstl.data.jobs.attempts`, whose Dask workers see the study's folder and the prepared scans under the same paths.
    progress: called with a job and None, or why it failed, as soon as it is over; at once for those done before.
    study.csv and costs.csv grow as jobs are done. Raises `InputError` where the backend cannot be used.
    """
    failed: dict[Job, str] = {}
    written = time.monotonic()
    here = backend == "loky"
    at_once, owner = (joblib.effective_n_jobs(jobs), os.getpid()) if here else (1, None)
    work = InProcess(Path(study.folder), at_once=at_once, owner=owner)
    with attempts(jobs=jobs, backend=backend, scheduler=scheduler) as run:
        for stage in study.stages:
            done = {job for job in stage if study.done(job)}
            for job in done:
                progress(job, None)
            for job, reason in run(work, [job for job in stage if job not in done]):
                if reason is not None:
                    failed[job] = reason
                if time.monotonic() - written > PAUSE:
                    study.write_tables()
                    written = time.monotonic()
                progress(job, reason)
    study.write_tables()
    return failed
