"""Many items at a time: each ends with its own reason, whatever happens to the process it was in."""
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from mstl.data.jobs import ENDED, attempts, check_jobs
from mstl.errors import InputError


def found(work, items, **options) -> dict:
    with attempts(**options) as attempt_each:
        return dict(attempt_each(work, items))


def refuse_odd(item: int) -> None:
    if item == 1:
        raise InputError(f"Item {item} is odd.\nGive another.")
    if item == 3:
        raise RuntimeError("library\nfell over")


def end_process(item: int, *, at: int, folder: Path) -> None:
    if item == at:
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / str(item)).touch()


def count_threads(item: int, *, folder: Path) -> None:
    import SimpleITK as sitk

    (folder / str(item)).write_text(str(sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()))


def test_no_jobs_are_refused():
    with pytest.raises(InputError, match="jobs is 0"):
        check_jobs(0)
    with pytest.raises(InputError, match="jobs is 0"), attempts(jobs=0):
        pass


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_numbers_that_joblib_takes_pass(jobs):
    assert check_jobs(jobs) is None


def test_an_unknown_backend_and_a_scheduler_that_nothing_uses_are_errors():
    with pytest.raises(InputError, match=r"'ray' is unknown\. Choose one of loky, dask"), attempts(backend="ray"):
        pass
    with pytest.raises(InputError, match=r"Scheduler tcp://a:1 .*Choose backend 'dask'"), attempts(scheduler="tcp://a:1"):
        pass


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_is_attempted_and_failures_have_reasons_of_one_line(jobs):
    seen = found(refuse_odd, range(6), jobs=jobs)
    assert seen.pop(1) == "Item 1 is odd. Give another."
    reason = seen.pop(3)
    assert reason.startswith("RuntimeError: library fell over (test_jobs.py, line ")
    assert seen == dict.fromkeys([0, 2, 4, 5])


def test_an_item_that_ends_its_process_fails_alone(tmp_path):
    seen = found(partial(end_process, at=3, folder=tmp_path), range(8), jobs=2)
    assert seen.pop(3) == ENDED
    assert seen == dict.fromkeys([0, 1, 2, 4, 5, 6, 7])
    assert len(list(tmp_path.iterdir())) == 7


def test_processes_share_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    found(partial(count_threads, folder=tmp_path), range(3), jobs=2)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"3"}


def test_nothing_to_do_is_done():
    assert found(refuse_odd, [], jobs=2) == {}
