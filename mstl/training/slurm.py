"""The tasks of a Slurm step and where they run, by the variables that `srun` sets; Slurm's programs are not needed.

TensorFlow's own resolver sorts the names of nodes as text, so that from ten nodes on (n1, n10, n2) ranks and hosts do
not agree, and wants NVIDIA's tools.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mstl.errors import InputError

FIRST_PORT, JOBS_OF_A_NODE, TASKS_OF_A_NODE = 12000, 1000, 16  # below the ports that systems give out at random
REMEDY = "Run within srun, with --distribution=block, or set TF_CONFIG."


def slurm_tasks(environment: Mapping[str, str]) -> tuple[list[str], int] | None:
    """Addresses "host:port" of all tasks, numbered node by node, and which one this is; None where there is but one.

    Raises `InputError` for variables that cannot be understood.
    """
    nodes = environment.get("SLURM_STEP_NODELIST", environment.get("SLURM_JOB_NODELIST"))
    tasks = environment.get("SLURM_STEP_NUM_TASKS", environment.get("SLURM_NTASKS", "1"))
    if not nodes or "SLURM_PROCID" not in environment or tasks == "1":
        return None
    try:
        index, job = int(environment["SLURM_PROCID"]), int(environment.get("SLURM_JOB_ID", "0"))
        hosts, count = list(_hosts(nodes)), int(tasks)
        text = environment.get("SLURM_STEP_TASKS_PER_NODE", environment.get("SLURM_TASKS_PER_NODE"))
        of_nodes = list(_counts(text)) if text else [count // len(hosts)] * len(hosts)
    except ValueError as error:
        raise InputError(f"Slurm's nodes '{nodes}', {tasks} tasks, are not understood ({error}). {REMEDY}") from error
    if len(of_nodes) != len(hosts) or sum(of_nodes) != count or not 0 <= index < count:
        raise InputError(
            f"Slurm tells of task {index} of {count}, {of_nodes} on {len(hosts)} nodes, which does not agree. {REMEDY}"
        )
    port = FIRST_PORT + job % JOBS_OF_A_NODE * TASKS_OF_A_NODE  # two jobs may share a node
    places = [f"{host}:{port + task}" for host, of_node in zip(hosts, of_nodes, strict=True) for task in range(of_node)]
    return places, index


def _hosts(nodes: str) -> Iterator[str]:
    """Names in a list such as "n[1-2,07],m5", in its order."""
    for name in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", nodes):
        yield from _expanded(name)


def _expanded(name: str) -> Iterator[str]:
    """A name for each number in the first brackets, and of those the same for the next."""
    head, bracket, rest = name.partition("[")
    if not bracket:
        yield name
        return
    numbers, _, tail = rest.partition("]")
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield from _expanded(f"{head}{number:0{len(first)}}{tail}")


def _counts(text: str) -> Iterator[int]:
    """Tasks of each node in a list such as "3(x2),1"."""
    for part in text.split(","):
        count, _, times = part.partition("(x")
        yield from [int(count)] * int(times.rstrip(")") or 1)
