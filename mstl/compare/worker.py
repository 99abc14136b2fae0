"""A job in a process of its own, which ends with the one that began it: `python -m mstl.compare.worker STUDY JOB`."""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import joblib

from mstl.compare.folder import StudyFolder
from mstl.compare.jobs import Job
from mstl.compare.run_job import run_job
from mstl.data.attempt import attempt
from mstl.errors import InputError
from mstl.files import write_text
from mstl.reporting.study_files import FAILURE

ENDED = "Its process was ended from outside, most often for want of memory. Run fewer jobs at a time."
LOG, MEASURED = "log.txt", "measured.json"
PULSE = 1.0  # seconds between two looks at whether the owner lives
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class InProcess:
    """Calls a job's process and waits for it; picklable, for joblib and Dask.

    `at_once` is how many share this machine; 1 leaves all of it to the job, and what the environment says of threads
    is respected. `owner` is the process with which jobs end; None for that which calls.
    """

    folder: Path
    at_once: int = 1
    owner: int | None = None

    def __call__(self, job: Job) -> None:
        """Run the job; raises `InputError` with the reason where it fails."""
        self.run(self.folder / job.label, job.label)

    def run(self, place: Path, *arguments: str) -> None:
        """Run this module with `arguments`, its output into `place`; raises `InputError` where it fails."""
        place.mkdir(parents=True, exist_ok=True)
        (place / FAILURE).unlink(missing_ok=True)
        owner = str(self.owner or os.getpid())
        command = [sys.executable, "-m", __name__, str(self.folder.resolve()), *arguments, "--owner", owner]
        with (place / LOG).open("w", encoding="utf-8") as log:
            done = subprocess.run(command, stdout=log, stderr=log, env=self._environment(), check=False)
        if done.returncode:
            path = place / FAILURE
            raise InputError(path.read_text(encoding="utf-8").strip() if path.exists() else ENDED)

    def _environment(self) -> dict[str, str]:
        if self.at_once == 1:
            return dict(os.environ)
        return {**dict.fromkeys(THREADS, str(max(1, joblib.cpu_count() // self.at_once))), **os.environ}


def main() -> None:
    """Do the job, or the measurement, that the command line names; its failure is written into its folder."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("label", help="of a job; of a measurement the file to write")
    parser.add_argument("--measure", help="a strategy")
    parser.add_argument("--owner", type=int, required=True)
    options = parser.parse_args()
    threading.Thread(target=_end_with, args=(options.owner,), daemon=True).start()
    study = StudyFolder(options.folder)
    reason = attempt(partial(_work, study, measured=options.measure, began=began), options.label)
    if reason is not None:
        write_text(study.folder / options.label / FAILURE, reason + "\n")
        sys.exit(1)


def _work(study: StudyFolder, label: str, *, measured: str | None, began: float) -> None:
    """Do the job of that label, or write into the folder of that name what the strategy `measured` takes."""
    if measured is None:
        run_job(next(job for job in study.jobs if job.label == label), study)
        return
    from mstl.compare.measure import write_measured

    write_measured(study, measured, study.folder / label / MEASURED, began=began)


def _end_with(owner: int) -> None:
    """End this process, which holds the job's lock, soon after the one that began it."""
    while True:
        time.sleep(PULSE)
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os._exit(1)


if __name__ == "__main__":
    main()
