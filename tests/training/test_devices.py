"""One line says what a training computes on, and who chose it."""
import json
from types import SimpleNamespace

import pytest

from mstl._keras import tf
from mstl.training import devices
from mstl.training.devices import devices_of

HERE = "/job:localhost/replica:0/task:0/device:"
CLUSTER = {"cluster": {"worker": ["a:1", "b:1", "c:1"]}, "task": {"type": "worker", "index": 1}}


def mirrored(*names):
    return SimpleNamespace(extended=SimpleNamespace(worker_devices=tuple(HERE + name for name in names)))


@pytest.fixture
def machine(monkeypatch):
    """A machine with two cores and as many GPUs as are asked for."""
    monkeypatch.setattr(devices, "_cores", lambda: 2)

    def with_gpus(count):
        gpus = [SimpleNamespace(name=f"/device:GPU:{number}") for number in range(count)]
        cpus = [SimpleNamespace(name="/device:CPU:0")]
        lists = {"GPU": gpus, "CPU": cpus}
        monkeypatch.setattr(tf.config, "list_physical_devices", lists.get)
        monkeypatch.setattr(tf.config, "list_logical_devices", lists.get)
        details = {"device_name": "NVIDIA A100"}
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)

    return with_gpus


def said(strategy, **environment):
    return str(devices_of(strategy, environment=environment))


def test_a_machine_without_gpu_trains_on_its_cpu(machine):
    machine(0)
    default = tf.distribute.get_strategy()
    assert said(default) == "Training on the CPU (2 cores); no GPU was found."
    hidden = "Training on the CPU (2 cores); CUDA_VISIBLE_DEVICES leaves no GPU."
    assert said(default, CUDA_VISIBLE_DEVICES="-1") == hidden


def test_one_gpu_and_several_are_told_by_their_names(machine):
    machine(1)
    default = tf.distribute.get_strategy()
    assert said(default) == "Training on 1 GPU (NVIDIA A100); no other was found."
    assert said(default, CUDA_VISIBLE_DEVICES="3").endswith("(NVIDIA A100); chosen by CUDA_VISIBLE_DEVICES.")
    machine(2)
    assert said(mirrored("GPU:0", "GPU:1")) == "Training on 2 GPUs (NVIDIA A100); no other was found."


def test_devices_that_a_strategy_leaves_idle_were_chosen_by_it(machine):
    machine(2)
    assert said(mirrored("GPU:1")) == "Training on 1 GPU (NVIDIA A100); chosen by the strategy."
    assert said(mirrored("CPU:0")) == "Training on the CPU (2 cores); chosen by the strategy."
    machine(0)
    assert said(mirrored("CPU:0", "CPU:1")) == "Training on 2 CPUs (2 cores); chosen by the strategy."


def test_workers_are_counted(machine):
    machine(0)
    told = said(mirrored("CPU:0"), TF_CONFIG=json.dumps(CLUSTER))
    assert told == "Training with 3 workers, by TF_CONFIG; this one is on the CPU (2 cores)."


def test_the_facts_of_this_machine_go_into_json():
    facts = devices_of(tf.distribute.get_strategy(), environment={}).to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["cores"] >= 1
    assert facts["workers"] == 1
