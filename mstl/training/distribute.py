"""Data-parallel training: which devices share a batch, who writes, and how the workers of a training agree.

An experiment's `batch_size` is that of all replicas together, and its learning rate is used as it stands: nothing is
scaled by the number of devices, so that a training means the same on any of them.
"""
from __future__ import annotations

import functools
import json
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mstl._keras import tf
from mstl.data.prepared import PREPARATION
from mstl.data.shares import Share
from mstl.data.workers import Sampler
from mstl.errors import InputError, TrainingError
from mstl.training.cluster import Cluster, await_peers, current_cluster, is_chief
from mstl.training.devices import devices_of
from mstl.training.run import ENVIRONMENT, EXPERIMENT, FREEZE, STATE, TRANSFER

LOST = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.AbortedError, tf.errors.CancelledError)
BEGUN = (EXPERIMENT, PREPARATION, ENVIRONMENT, FREEZE, TRANSFER, STATE)  # what a training is resumed from


def pick_strategy(*, devices: Sequence[str] = (), seconds: float | None = None) -> tf.distribute.Strategy:
    """The strategy for the devices at hand; build the model within its `scope()`, and `mstl.fit` trains under it.

    One that is open already stays. Where `TF_CONFIG` or Slurm tells of several workers it is
    `MultiWorkerMirroredStrategy` over them, each with its GPUs or its CPU; else `MirroredStrategy` over `devices`, by
    default the GPUs present; of one device TensorFlow's default, which does nothing. seconds: how long to wait for
    other workers to start, see `mstl.training.cluster.await_peers`.

    Raises `InputError` for a `TF_CONFIG` that cannot be understood and a device that does not exist, `TrainingError`
    where a worker cannot be reached.
    """
    if tf.distribute.has_strategy():
        return tf.distribute.get_strategy()
    cluster = None if devices else current_cluster()
    if cluster is not None:
        return _workers(cluster, seconds)
    devices = devices or [device.name for device in tf.config.list_logical_devices("GPU")]
    return tf.distribute.get_strategy() if len(devices) < 2 else _mirrored(tuple(devices))


@functools.cache  # a second one would number its sums over the same devices as the first, and TensorFlow mix them up
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    known = [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices()]
    strange = [device for device in devices if device.removeprefix("/device:").upper() not in known]
    if strange:
        raise InputError(f"Device {strange[0]} does not exist. There are {', '.join(known)}.")
    return _without_empty_batches(tf.distribute.MirroredStrategy(list(devices)))


@functools.cache  # TensorFlow joins a cluster once
def _workers(cluster: Cluster, seconds: float | None) -> tf.distribute.Strategy:
    await_peers(cluster, seconds=seconds)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": cluster.addresses}),
        task_type="worker",
        task_id=cluster.index,
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return _without_empty_batches(tf.distribute.MultiWorkerMirroredStrategy(resolver))
    except RuntimeError as error:
        raise InputError(
            f"This process cannot join the other workers ({error}). Pick the strategy before anything else that uses "
            "TensorFlow."
        ) from error
    except tf.errors.OpError as error:
        raise TrainingError(f"The workers did not come together ({error.message}). Start all of them anew.") from error


def _without_empty_batches(strategy: tf.distribute.Strategy) -> tf.distribute.Strategy:
    """Spare every step the question whether each replica has an image: ours always have."""
    strategy.extended.experimental_enable_get_next_as_optional = False
    return strategy


def workers_of(strategy: tf.distribute.Strategy) -> int:
    """How many processes train together."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return len(strategy.cluster_resolver.cluster_spec().job_tasks("worker")) if several else 1


def describe_strategy(strategy: tf.distribute.Strategy, *, batch_size: int, precision: str) -> dict:
    """What a run notes of its strategy: name, replicas, workers, batch of all and of each, precision, devices."""
    replicas = strategy.num_replicas_in_sync
    return {
        "strategy": type(strategy).__name__ if replicas > 1 else None,
        "replicas": replicas,
        "workers": workers_of(strategy),
        "global_batch_size": batch_size,
        "replica_batch_size": batch_size // replicas,
        "precision": precision,
        "devices": devices_of(strategy).to_dict(),
    }


def check_batch(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Raise `InputError` where the batch of all replicas cannot be split evenly; it says what can."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        below, above = batch_size // replicas * replicas, -(-batch_size // replicas) * replicas
        fitting = f"{below} or {above}" if below else str(above)
        raise InputError(
            f"batch_size is {batch_size}, the batch of {replicas} replicas together; a multiple of {replicas} is "
            f"expected. Give {fitting}."
        )


def share_of(sampler: Sampler, strategy: tf.distribute.Strategy, *, full: bool) -> Sampler:
    """What this process reads of a sampler's batches: all of them where there is one replica. See `Share`."""
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return sampler
    count = replicas // workers_of(strategy)
    first = strategy.cluster_resolver.task_id * count if workers_of(strategy) > 1 else 0
    return Share(sampler, replicas=replicas, first=first, count=count, full=full)


@contextmanager
def own_folder(out: str | Path, *, resume: bool) -> Iterator[Path]:
    """The folder to train in: `out` for the chief, for other workers one that is removed at the end.

    That one has what the chief's training is resumed from.
    """
    if is_chief():
        yield Path(out)
        return
    with tempfile.TemporaryDirectory(prefix="mstl-") as temporary:
        folder = Path(temporary) / Path(out).name
        for name in BEGUN if resume else ():
            if (Path(out) / name).exists():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(out) / name, folder / name)
        yield folder


def agree(strategy: tf.distribute.Strategy, out: str | Path, *facts: object) -> None:
    """Raise `InputError` where the workers' `facts`, as JSON, are not the same: settings, cases, epochs done."""
    if workers_of(strategy) == 1:
        return
    ours = zlib.crc32(json.dumps(facts, sort_keys=True, default=str).encode())
    found = _sum_over_workers(strategy, ours)
    if found != ours * strategy.num_replicas_in_sync:
        raise InputError(
            f"The workers were not started alike, or do not all see run {out} as it is. Start each with the same "
            "command, cases and version, on a file system that all of them share."
        )


def _sum_over_workers(strategy: tf.distribute.Strategy, number: int) -> int:
    @tf.function
    def add(value: tf.Tensor) -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(lambda: value), axis=None)

    with lost_workers_told(strategy):
        return int(add(tf.constant(number, tf.float64)).numpy())


@contextmanager
def lost_workers_told(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Raise `TrainingError` where the block ends because another worker does not answer any more."""
    try:
        yield
    except LOST as error:
        if workers_of(strategy) == 1:
            raise
        raise TrainingError(
            f"{_lost(strategy, str(error.message))} does not answer any more: it has ended, or the network failed. "
            "See its own output, and start all workers again with --resume; epochs that are done are kept."
        ) from error


def _lost(strategy: tf.distribute.Strategy, message: str) -> str:
    """Which worker TensorFlow's message blames."""
    resolver = strategy.cluster_resolver
    addresses = resolver.cluster_spec().job_tasks("worker")
    blamed = [int(number) for number in re.findall(r"/task:(\d+)", message)]
    others = [number for number in blamed if number != resolver.task_id and number < len(addresses)]
    return f"Worker {others[0]} ({addresses[others[0]]})" if others else "Another worker"
