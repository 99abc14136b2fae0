"""Who the workers of a training are, and that they wait for each other, but not for ever."""
import json
import socket
import threading
import time

import pytest

from mstl.errors import InputError, TrainingError
from mstl.training.cluster import Cluster, await_peers, current_cluster, is_chief


def tf_config(index, job="worker", **cluster):
    cluster = cluster or {"worker": ["a:1", "b:2"]}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})}


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def loopback(count=2):
    return tuple(f"127.0.0.1:{port}" for port in free_ports(count))


def test_tf_config_names_the_workers_and_which_one_this_is():
    assert current_cluster(tf_config(1)) == Cluster(("a:1", "b:2"), 1)
    assert not current_cluster(tf_config(1)).is_chief
    assert current_cluster(tf_config(0)).is_chief


def test_a_chief_stands_before_the_workers():
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    assert current_cluster(tf_config(1, **jobs)) == Cluster(("a:1", "b:2", "c:3"), 2)
    assert current_cluster(tf_config(0, job="chief", **jobs)).is_chief


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, tf_config(0, worker=["a:1"])])
def test_one_process_is_no_cluster_and_is_chief(environment, monkeypatch):
    assert current_cluster(environment) is None
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_chief()


def test_slurm_is_asked_where_there_is_no_tf_config():
    step = {"SLURM_STEP_NODELIST": "n[1-2]", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"}
    assert current_cluster(step) == Cluster(("n1:12000", "n2:12000"), 0)
    assert current_cluster({**step, **tf_config(1)}).addresses == ("a:1", "b:2")


@pytest.mark.parametrize(
    "environment",
    [
        {"TF_CONFIG": "{cluster"},
        {"TF_CONFIG": "[1]"},
        {"TF_CONFIG": '{"cluster": ["a:1"]}'},
        tf_config(2),
        tf_config(0, job="chief"),
        tf_config("one"),
        tf_config(0, worker=["a:1"], ps=["b:2"]),
        tf_config(0, worker=["a:1", "b"]),
        tf_config(0, worker=["a:1", "b:99999"]),
        tf_config(0, worker=["a:1", "a:1"]),
    ],
)
def test_a_tf_config_that_is_amiss_is_refused_in_one_line(environment):
    with pytest.raises(InputError, match=r"^TF_CONFIG[^\n]*$"):
        current_cluster(environment)


def test_workers_that_start_one_after_the_other_find_each_other():
    addresses, failures = loopback(3), []

    def start(index):
        time.sleep(0.2 * index)
        try:
            await_peers(Cluster(addresses, index), seconds=20)
        except TrainingError as error:
            failures.append(error)
        with socket.create_server(("127.0.0.1", int(addresses[index].rpartition(":")[2]))):  # as TensorFlow does now
            time.sleep(1.5)

    workers = [threading.Thread(target=start, args=[index]) for index in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []


@pytest.mark.parametrize("absent", ["127.0.0.1:{}", "nowhere.invalid:{}"])
def test_a_worker_that_never_starts_is_named_after_the_time_limit(absent, monkeypatch):
    ports = free_ports(2)
    addresses = (f"127.0.0.1:{ports[0]}", absent.format(ports[1]))
    monkeypatch.setenv("MSTL_PEER_SECONDS", "0.5")
    begun = time.monotonic()
    with pytest.raises(TrainingError, match=rf"^Worker 1 \({addresses[1]}\) could not be reached within 0\.5 s \("):
        await_peers(Cluster(addresses, 0))
    assert time.monotonic() - begun < 8


def test_a_port_that_is_taken_is_told():
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=rf"Port {port} of this worker .* cannot be used"):
            await_peers(Cluster((f"127.0.0.1:{port}", "127.0.0.1:1"), 0), seconds=0.1)


@pytest.mark.parametrize("text", ["soon", "-1", "nan"])
def test_a_time_limit_that_is_no_number_is_refused(text, monkeypatch):
    monkeypatch.setenv("MSTL_PEER_SECONDS", text)
    with pytest.raises(InputError, match="MSTL_PEER_SECONDS is '"):
        await_peers(Cluster(loopback(), 0))
