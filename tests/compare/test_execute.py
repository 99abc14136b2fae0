"""A study as its users run it: jobs in processes of their own, several at a time, killed and gone on with."""
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from mstl.compare.execute import run_study
from mstl.compare.folder import StudyFolder
from mstl.reporting.study_files import StudyFiles

TWO = {"scratch": {}, "broken": {"init": "no-such-weights.h5"}}
ONCE = {"sources": {}, "sizes": [1], "folds": None, "repeats": 1, "test": 2}  # every process costs seconds


@pytest.fixture
def study(study_of, tmp_path):
    """A study of one strategy that trains and one that cannot."""
    return StudyFolder.begin(study_of(strategies=TWO, **ONCE), tmp_path / "study")


def test_a_failed_job_is_listed_with_its_reason_and_stops_no_other(study):
    over = []
    failed = run_study(study, jobs=2, progress=lambda job, reason: over.append(job.label))
    assert sorted(over) == sorted(job.label for job in study.jobs)
    assert {job.name for job in failed} == {"broken"}
    assert all("no-such-weights.h5" in reason for reason in failed.values())
    assert {job.name: job.failure is None for job in StudyFiles.open(study.folder).jobs} == {
        "scratch": True, "broken": False,
    }  # fmt: skip
    assert set(pd.read_csv(study.folder / "study.csv").strategy) == {"scratch"}


PROGRAM = """
import sys
from mstl.compare.execute import run_study
from mstl.compare.folder import StudyFolder
study = StudyFolder(sys.argv[1])
print("ready", flush=True)
run_study(study)
"""


def test_a_study_killed_at_any_moment_ends_with_the_same_scores(study_of, tmp_path):
    strategies = {"scratch": {}, "patient": {"epochs": 3, "freeze": "none"}}  # both from scratch
    undisturbed, killed = (
        StudyFolder.begin(study_of(strategies=strategies, **ONCE), tmp_path / name)
        for name in ("undisturbed", "killed")
    )
    assert not run_study(undisturbed)
    for seconds in (7, 10):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(killed.folder)], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not run_study(killed)
    assert (killed.folder / "study.csv").read_bytes() == (undisturbed.folder / "study.csv").read_bytes()
