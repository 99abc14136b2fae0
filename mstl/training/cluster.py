"""The worker processes of one training: who they are, by `TF_CONFIG` or a Slurm allocation, and whether all are there.

Nothing here starts TensorFlow.
"""
from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mstl.errors import InputError, TrainingError
from mstl.training.slurm import slurm_tasks

TIME_LIMIT = "MSTL_PEER_SECONDS"  # environment variable: how long a worker waits for the others to start
SECONDS = 120.0
JOBS = ("chief", "worker")
ATTEMPT, PAUSE = 2.0, 0.2  # seconds
EXAMPLE = (
    'Expected is such as {"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": '
    "0}}, the index another for each worker."
)


@dataclass(frozen=True)
class Cluster:
    """Addresses "host:port" of all workers, the chief's first, and which of them this process is."""

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run."""
        return self.index == 0


def current_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The workers that the environment tells of; None where there is but this process.

    `TF_CONFIG` says it, with jobs "chief" and "worker", or else Slurm, within `srun`. Raises `InputError` for values
    that cannot be understood.
    """
    if "TF_CONFIG" in environment:
        cluster = _from_tf_config(environment["TF_CONFIG"])
    else:
        tasks = slurm_tasks(environment)
        cluster = None if tasks is None else _cluster(*tasks, source="Slurm")
    return cluster if cluster is not None and len(cluster.addresses) > 1 else None


def is_chief() -> bool:
    """Whether this process writes the runs of trainings: it is the first of the workers, or there are no others."""
    cluster = current_cluster()
    return cluster is None or cluster.is_chief


def await_peers(cluster: Cluster, *, seconds: float | None = None) -> None:
    """Wait until every other worker has started, for so many seconds at most (`MSTL_PEER_SECONDS`, else 120).

    Raises `TrainingError` that names one that cannot be reached, and `InputError` where this worker's port is taken.
    """
    seconds = _time_limit() if seconds is None else seconds
    missing = {address: "" for index, address in enumerate(cluster.addresses) if index != cluster.index}
    end = time.monotonic() + seconds
    with _listening(cluster.addresses[cluster.index]):
        while missing:
            for address in list(missing):
                missing[address] = _refusal(address, seconds=min(ATTEMPT, seconds))
            missing = {address: reason for address, reason in missing.items() if reason}
            if missing and time.monotonic() > end:
                address, reason = next(iter(missing.items()))
                raise TrainingError(
                    f"Worker {cluster.addresses.index(address)} ({address}) could not be reached within {seconds:g} s "
                    f"({reason}). Start every worker, check TF_CONFIG or the allocation, and that no firewall lies "
                    f"between; {TIME_LIMIT} sets the time limit."
                )
            time.sleep(PAUSE if missing else 0)


def _time_limit() -> float:
    text = os.environ.get(TIME_LIMIT, str(SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise InputError(f"{TIME_LIMIT} is '{text}'; a number of seconds is expected, as {SECONDS:g}.")
    return seconds


def _listening(address: str) -> socket.socket:
    """A socket at which others see that this worker has started; TensorFlow takes its place."""
    host, port = _parts(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"Port {port} of this worker ({address}) cannot be used ({error.strerror}). Choose another in TF_CONFIG, "
            "or end what uses it."
        ) from error
    return listener


def _refusal(address: str, *, seconds: float) -> str:
    """Why nobody answers at that address; empty where somebody does."""
    try:
        socket.create_connection(_parts(address), timeout=seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _from_tf_config(text: str) -> Cluster | None:
    lists, job, index = _read_tf_config(text)
    if not lists:
        return None
    strange = [name for name in lists if name not in JOBS]
    if strange:
        raise InputError(f"TF_CONFIG has a job '{strange[0]}'; only {' and '.join(JOBS)} are expected. {EXAMPLE}")
    if not 0 <= index < len(lists.get(job, ())):
        raise InputError(f"TF_CONFIG's task is {job} {index}, which its cluster does not have. {EXAMPLE}")
    before = len(lists.get("chief", ())) if job == "worker" else 0
    return _cluster([address for name in JOBS for address in lists.get(name, ())], before + index, source="TF_CONFIG")


def _read_tf_config(text: str) -> tuple[dict[str, list[str]], str, int]:
    """Addresses by job, and which job and number this process has."""
    try:
        config = json.loads(text or "{}")
        jobs, task = config.get("cluster") or {}, config.get("task") or {}
        lists = {job: [str(address) for address in jobs[job]] for job in jobs}
        return lists, str(task.get("type")), int(task.get("index", -1))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"TF_CONFIG cannot be understood ({error}). {EXAMPLE}") from error


def _cluster(addresses: Sequence[str], index: int, *, source: str) -> Cluster:
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not (host and port.isdigit() and 0 < int(port) < 65536):
            raise InputError(f"{source} has the address '{address}'; host:port is expected, as host1:12345.")
    if len(set(addresses)) < len(addresses):
        raise InputError(f"{source} names an address twice: {', '.join(addresses)}. Give each worker its own.")
    return Cluster(tuple(addresses), index)
