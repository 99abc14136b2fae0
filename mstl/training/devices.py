"""What a training computes on, and who chose it."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mstl._keras import tf
from mstl.training.cluster import current_cluster

VISIBLE = "CUDA_VISIBLE_DEVICES"  # environment variable: which GPUs CUDA's programs see
ITSELF, STRATEGY = "mstl", "strategy"
WHY = {
    ("CPU", ITSELF): "no GPU was found",
    ("CPU", VISIBLE): f"{VISIBLE} leaves no GPU",
    ("GPU", ITSELF): "no other was found",
    ("GPU", VISIBLE): f"chosen by {VISIBLE}",
}


@dataclass(frozen=True)
class Devices:
    """Devices that share a batch: their `kind` "CPU" or "GPU", `count`, `names` of GPUs, `cores` of this machine.

    `chosen_by` is "mstl", which takes every GPU that it sees and else the CPU; the variables that tell which,
    "CUDA_VISIBLE_DEVICES", "TF_CONFIG", or those of "Slurm"; or the "strategy" that the model was built under.
    `workers` are the processes that train together.
    """

    kind: str
    count: int
    names: tuple[str, ...]
    cores: int
    chosen_by: str
    workers: int = 1

    def __str__(self) -> str:
        number = f"{self.count} {self.kind}{'s' * (self.count > 1)}"
        if self.kind == "CPU":
            where = f"{'the CPU' if self.count == 1 else number} ({self.cores} core{'s' * (self.cores > 1)})"
        else:
            where = f"{number} ({', '.join(dict.fromkeys(self.names))})"
        if self.workers > 1:
            return f"Training with {self.workers} workers, by {self.chosen_by}; this one is on {where}."
        return f"Training on {where}; {WHY.get((self.kind, self.chosen_by), 'chosen by the strategy')}."

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {**asdict(self), "names": list(self.names)}


def devices_of(strategy: tf.distribute.Strategy, *, environment: Mapping[str, str] = os.environ) -> Devices:
    """The devices of this machine that train under `strategy`."""
    places = [tf.DeviceSpec.from_string(name) for name in _places(strategy)]
    kind, gpus, cluster = places[0].device_type, tf.config.list_physical_devices("GPU"), current_cluster(environment)
    chosen_by = VISIBLE if VISIBLE in environment else ITSELF
    if cluster is not None:
        chosen_by = "TF_CONFIG" if "TF_CONFIG" in environment else "Slurm"
    elif len(places) != (len(gpus) or 1) or (kind == "CPU" and gpus):
        chosen_by = STRATEGY
    return Devices(
        kind=kind,
        count=len(places),
        names=tuple(_name_of(gpus[place.device_index]) for place in places if kind == "GPU"),
        cores=_cores(),
        chosen_by=chosen_by,
        workers=1 if cluster is None else len(cluster.addresses),
    )


def _places(strategy: tf.distribute.Strategy) -> Sequence[str]:
    """Full names of the devices; of TensorFlow's default strategy the one that it puts everything on."""
    try:
        return strategy.extended.worker_devices
    except RuntimeError:  # the default strategy knows none
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return [devices[0].name]


def _name_of(gpu: tf.config.PhysicalDevice) -> str:
    return tf.config.experimental.get_device_details(gpu).get("device_name", "of unknown name")


def _cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
