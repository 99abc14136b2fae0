"""A real Dask scheduler and two workers on loopback: the same bytes, dead workers survived, absent schedulers named."""
import os
import signal
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from mstl.data.cluster import ENDED
from mstl.data.cohort import Cohort
from mstl.data.jobs import attempts
from mstl.data.prepare import prepare
from mstl.errors import InputError, PreparationError

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with two workers, each a process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture
def scheduler(cluster) -> str:
    """Its address."""
    return cluster.scheduler_address


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix == ".npy" or path.name in ("cohort.csv", "preparation.json")
    }


def on_cluster(scheduler: str, work, items) -> dict:
    with attempts(backend="dask", scheduler=scheduler) as attempt_each:
        return dict(attempt_each(work, items))


def end_worker(item: int, *, folder: Path, always: bool) -> None:
    """End the process at item 1, the first time or always; leave a file at the others."""
    first = folder / "first"
    if item == 1 and (always or not first.exists()):
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / str(item)).touch()


def test_a_cluster_writes_the_same_bytes_as_this_machine(tmp_path, scheduler, tiny_cohort):
    seen = []
    prepare(tiny_cohort, tmp_path / "here")
    prepare(tiny_cohort, tmp_path / "there", backend="dask", scheduler=scheduler, progress=seen.append)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert sorted(seen) == sorted(case.name for case in tiny_cohort)


def test_the_command_line_takes_the_address_and_lists_what_failed(
    tmp_path, scheduler, make_case, monkeypatch, capsys
):
    from mstl.cli import main

    cases = [make_case(tmp_path, "good"), make_case(tmp_path, "bad")]
    Cohort(cases).to_csv(tmp_path / "cohort.csv")
    cases[1].mask.write_bytes(b"no scan")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["mstl", "prepare", "cohort.csv", "out", "--backend", "dask", "--scheduler", scheduler]
    )
    with pytest.raises(SystemExit, match="1"):
        main()
    told = capsys.readouterr()
    assert told.err.startswith("Error: 1 of 2 cases could not be prepared. bad: ")
    assert told.err.count("\n") == 1
    assert (tmp_path / "out" / "good" / "image.npy").exists()


def test_an_open_client_needs_no_address(tmp_path, scheduler, tiny_cohort):
    with distributed.Client(scheduler):
        assert len(prepare(tiny_cohort, tmp_path / "out", backend="dask")) == 3
    with pytest.raises(InputError, match=r"address of a scheduler\. Give it, as in --scheduler tcp://HOST:8786"):
        prepare(tiny_cohort, tmp_path / "again", backend="dask")
    assert not (tmp_path / "again").exists()


def test_what_a_dead_worker_had_begun_is_done_by_another(tmp_path, scheduler):
    found = on_cluster(scheduler, partial(end_worker, folder=tmp_path, always=False), range(5))
    assert found == dict.fromkeys(range(5))
    assert len(list(tmp_path.glob("[0-9]"))) == 5


def test_a_case_that_ends_too_many_workers_does_not_stop_the_others(tmp_path, cluster, scheduler, monkeypatch):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    found = on_cluster(scheduler, partial(end_worker, folder=tmp_path, always=True), range(5))
    assert found.pop(1) == ENDED
    assert found == dict.fromkeys([0, 2, 3, 4])


def test_workers_without_the_files_are_a_failure_of_each_case(tmp_path, scheduler, tiny_cohort, monkeypatch):
    monkeypatch.setattr("mstl.data.prepare.prepare_case", lambda *_, **__: None)  # as if on another disk
    monkeypatch.setattr("mstl.data.prepare.attempts", lambda **_: attempts())
    with pytest.raises(PreparationError, match=r"3 of 3 .*out is another folder\. Choose one that all workers share"):
        prepare(tiny_cohort, tmp_path / "out", backend="dask", scheduler=scheduler)


def silent_server(answer: bytes) -> str:
    """Address of a server that accepts, says `answer`, and then nothing more."""
    server, kept = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            connection.sendall(answer)
            kept.append(connection)

    threading.Thread(target=serve, daemon=True).start()
    return f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("what", ["nobody", "silence", "a web server", "no address", "another protocol"])
def test_a_scheduler_that_does_not_answer_is_one_line_within_seconds(tmp_path, tiny_cohort, what, monkeypatch):
    monkeypatch.setattr("mstl.data.cluster.PATIENCE", 1)
    address = {
        "nobody": "tcp://127.0.0.1:9",
        "silence": silent_server(b""),
        "a web server": silent_server(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n"),
        "no address": "cluster",
        "another protocol": "http://127.0.0.1:8786",
    }[what]
    start = time.monotonic()
    with pytest.raises(InputError, match=r"^Scheduler \S+ cannot be reached \(.+\)\. Start it") as caught:
        prepare(tiny_cohort, tmp_path / "out", backend="dask", scheduler=address)
    assert time.monotonic() - start < 4
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_is_named_as_such(tmp_path, tiny_cohort, monkeypatch):
    monkeypatch.setattr("mstl.data.cluster.WORKERS_PATIENCE", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", processes=False) as cluster,
        pytest.raises(InputError, match=r"has no worker\. Start one .*: dask worker tcp|inproc"),
    ):
        prepare(tiny_cohort, tmp_path / "out", backend="dask", scheduler=cluster.scheduler_address)


def test_a_scheduler_that_ends_is_one_line(tmp_path, monkeypatch):
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", processes=False, protocol="tcp"
        ) as cluster,
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(InputError, match=r"connection to the Dask scheduler was lost\. What is done stays"),
        attempts(backend="dask", scheduler=cluster.scheduler_address) as attempt_each,
    ):
        for _ in attempt_each(time.sleep, [0, 1, 1, 1]):
            cluster.close()


def test_dask_that_is_not_installed_is_answered_with_the_command(tmp_path, tiny_cohort, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"not installed\. Run: pip install 'dask\[distributed\]'"):
        prepare(tiny_cohort, tmp_path / "out", backend="dask", scheduler="tcp://127.0.0.1:8786")
