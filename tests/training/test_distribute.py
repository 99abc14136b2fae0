"""Several devices and several machines train as one device does; a worker that is lost ends in one line."""
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mstl.config import Experiment
from mstl.errors import InputError
from mstl.models.recipes import BUILDERS
from mstl.training import distribute
from mstl.training.distribute import (
    agree,
    check_batch,
    describe_strategy,
    own_folder,
    pick_strategy,
    share_of,
    workers_of,
)
from mstl.training.experiment import train_experiment
from mstl.training.run import Run
from tests.training.replicas import register, weights_of

ROOT = Path(__file__).parents[2]
SCRIPT = "from tests.training.replicas import register; register(); from mstl.cli import main; main()"
COMMAND = [sys.executable, "-c", SCRIPT, "train"]
SETTINGS = {
    "model": "tiny", "loss": "bce_dice", "augment": "none", "keep": "lesion", "batch_size": 4, "epochs": 8,
    "batch_norm_momentum": 0.9, "learning_rate": 1e-2,
    "train_subjects": ["s0", "s1", "s2"], "validation_subjects": ["s3"],
}  # fmt: skip


@pytest.fixture(scope="module")
def found(prepared, gan_prepared, tmp_path_factory):
    """Of each kind of training on one device and on two: how far weights are apart, and histories."""
    out = tmp_path_factory.mktemp("replicas")
    command = [sys.executable, "-m", "tests.training.replicas", prepared.folder, gan_prepared.folder, out]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((out / "found.json").read_text())


@pytest.mark.parametrize("kind", ["slices", "heads", "volumes", "prior", "gan"])
def test_two_devices_train_as_one_does_with_the_same_batch(found, kind):
    assert max(found[kind]["differences"].values()) < 1e-5
    one, two = found[kind]["histories"]
    assert one.keys() == two.keys()
    for name, values in one.items():  # the GAN's norm looks at the batch in validation too, which is cut otherwise
        np.testing.assert_allclose(two[name], values, rtol=1e-4, atol=1e-4, err_msg=name)


def test_a_run_notes_its_strategy_and_whose_batch_is_whose(found):
    devices = found["slices"]["distribution"].pop("devices")
    assert (devices["kind"], devices["count"], devices["chosen_by"]) == ("CPU", 2, "strategy")
    assert found["slices"]["distribution"] == {
        "strategy": "MirroredStrategy", "replicas": 2, "workers": 1, "global_batch_size": 4, "replica_batch_size": 2,
        "precision": "float32",
    }  # fmt: skip


def start_worker(index, addresses, *arguments):
    """A worker of `mstl train`; its output is one text."""
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    environment = {**os.environ, "TF_CONFIG": json.dumps(config), "MSTL_PEER_SECONDS": "120", "COLUMNS": "400"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([*COMMAND, *map(str, arguments)], cwd=ROOT, env=environment, **pipes)


def free_addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def test_two_workers_of_which_one_is_killed_end_after_resume_with_the_weights_of_one_process(
    prepared, tmp_path, monkeypatch
):
    monkeypatch.setitem(BUILDERS, "tiny", None)  # and nothing of it stays
    register()
    experiment = Experiment(**SETTINGS, prepared=str(prepared.folder))
    experiment.save(tmp_path / "experiment.yaml")
    arguments = [tmp_path / "experiment.yaml", "--out", tmp_path / "run"]
    addresses = free_addresses(2)
    chief, other = (start_worker(index, addresses, *arguments) for index in range(2))
    while not (tmp_path / "run" / "history.csv").exists():
        assert chief.poll() is None, chief.communicate()[0]
        time.sleep(0.02)
    other.send_signal(signal.SIGKILL)
    alone = train_experiment(experiment, out=tmp_path / "alone")  # while TensorFlow takes its time to leave
    said = chief.communicate(timeout=60)[0]
    other.communicate()
    assert chief.returncode == 1
    assert f"Error: Worker 1 ({addresses[1]}) does not answer any more" in said
    assert "--resume" in said
    assert "Traceback" not in said
    assert len(Run(tmp_path / "run").history) < experiment.epochs

    addresses = free_addresses(2)
    workers = [start_worker(index, addresses, *arguments, "--resume") for index in range(2)]
    said = [worker.communicate(timeout=120)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert f"Trained {tmp_path / 'run'}: 8 epochs" in said[0]
    assert said[1] == ""
    first, second = weights_of(alone.folder), weights_of(tmp_path / "run")
    assert max(float(np.abs(first[name] - second[name]).max()) for name in first) < 1e-5
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["distribution"]["workers"] == 2


def test_one_device_needs_no_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    strategy = pick_strategy()
    assert strategy.num_replicas_in_sync == workers_of(strategy) == 1
    assert share_of("sampler", strategy, full=True) == "sampler"
    assert describe_strategy(strategy, batch_size=3, precision="float32")["strategy"] is None
    agree(strategy, "run", "whatever")


def test_a_strategy_that_is_open_stays():
    from mstl._keras import tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        assert pick_strategy() is strategy


def test_a_device_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(InputError, match=r"Device GPU:7 does not exist\. There are .*CPU:0"):
        pick_strategy(devices=["CPU:0", "GPU:7"])


@pytest.mark.parametrize(("batch_size", "fitting"), [(7, "4 or 8"), (3, "4")])
def test_a_batch_that_replicas_cannot_share_evenly_is_refused_with_one_that_they_can(batch_size, fitting):
    with pytest.raises(InputError, match=rf"batch_size is {batch_size}, .* multiple of 4 .* Give {fitting}\."):
        check_batch(SimpleNamespace(num_replicas_in_sync=4), batch_size)
    check_batch(SimpleNamespace(num_replicas_in_sync=4), 8)


@pytest.mark.parametrize(("theirs", "told"), [(0, False), (1, True)])
def test_workers_that_were_not_started_alike_are_told(theirs, told, monkeypatch):
    monkeypatch.setattr(distribute, "workers_of", lambda strategy: 2)
    monkeypatch.setattr(distribute, "_sum_over_workers", lambda strategy, ours: 2 * ours + theirs)
    strategy = SimpleNamespace(num_replicas_in_sync=2)
    if not told:
        agree(strategy, "runs/a", {"epochs": 3}, 1)
        return
    with pytest.raises(InputError, match="not started alike, or do not all see run runs/a"):
        agree(strategy, "runs/a", {"epochs": 3}, 1)


def test_a_worker_that_is_not_the_chief_writes_where_nothing_stays(tmp_path, monkeypatch):
    out = tmp_path / "run"
    (out / "state").mkdir(parents=True)
    (out / "state" / "state.h5").write_bytes(b"state")
    (out / "best.h5").write_bytes(b"weights")
    with own_folder(out, resume=False) as folder:
        assert folder == out
    config = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    with own_folder(out, resume=False) as folder:
        assert not folder.exists()
    with own_folder(out, resume=True) as folder:
        assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.h5")] == ["state/state.h5"]
    assert not folder.exists()
