"""How much memory a model takes to predict a volume, and how large a volume the machine's memory allows."""
from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.resolution import Step, steps_of

WORKSPACE = 2.0  # convolutions reorder what they read and write
SHARE = 0.5  # of the available memory that a prediction may take
SMALLEST = 32  # side of a window, voxels: below it a network sees too little around each voxel
OWN_GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
CONTROL_GROUPS = (  # controller, its files of the limit and of what is used, and of that the cache, which is given up
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
UNKNOWN = 4 * 2**30  # bytes that are counted on where the system does not tell


def largest_window(
    model: keras.Model, shape: Sequence[int], *, multiple: int, memory: float
) -> tuple[int, int, int] | None:
    """Sides (d, h, w), multiples of `multiple`, of the largest window that fits into `memory` bytes.

    None where the whole volume of `shape` fits. The longest side is cut first; none is cut below 32 voxels. A model
    without a graph, whose need is not known, gets the whole volume.
    """
    try:
        voxels = SHARE * memory / bytes_per_voxel(model)
    except InputError:
        return None
    sides = [-(-side // multiple) * multiple for side in shape]
    if math.prod(sides) <= voxels:
        return None
    least = -(-SMALLEST // multiple) * multiple
    while math.prod(sides) > voxels and max(sides) > least:
        sides[sides.index(max(sides))] -= multiple
    return tuple(sides)


def smaller_window(window: Sequence[int], *, multiple: int) -> tuple[int, int, int] | None:
    """The window with its longest side halved to a multiple of `multiple`, at least 32; None where it is that."""
    sides = list(window)
    longest = sides.index(max(sides))
    sides[longest] = -(-max(SMALLEST, sides[longest] // 2) // multiple) * multiple
    return tuple(sides) if sides[longest] < window[longest] else None


def bytes_per_voxel(model: keras.Model) -> float:
    """Most bytes that maps take at a time, for each voxel of the image, when a model of volumes predicts one.

    An estimate: each map lives until its last reader is done, nothing is computed in place, and convolutions
    take as much again. Raises `InputError` where the model has no graph.
    """
    steps = steps_of(model)
    image = steps[0].parents[0] if steps else None
    if image is None:
        return 0.0
    last = {id(parent): number for number, step in enumerate(steps) for parent in step.parents}
    alive, most = {id(image): _size(image)}, 0.0
    for number, step in enumerate(steps):
        alive[id(step)] = _size(step)
        most = max(most, sum(alive.values()) + (WORKSPACE - 1) * sum(map(_size, (step, *step.parents))))
        done = [key for key in alive if last.get(key, len(steps)) <= number]
        for key in done:
            del alive[key]
    return most / math.prod(image.shape[1:-1])


def _size(step: Step) -> float:
    """Bytes of a map in float32."""
    return 4.0 * math.prod(side or 1 for side in step.shape)


def available_bytes() -> int:
    """Memory that this process may still take, the limit of its control group (as of a Slurm job) regarded."""
    return min([*_free_by_system(), *_free_by_group()], default=UNKNOWN)


def _free_by_system() -> Iterator[int]:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        yield next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # not Linux
        if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _free_by_group() -> Iterator[int]:
    """What control groups of version 1 or 2 leave to this process; each is within the limits of its parents too."""
    try:
        groups = [line.split(":", 2) for line in OWN_GROUPS.read_text().splitlines()]
    except OSError:
        return
    for _, controllers, path in groups:
        for controller, *names in CONTROL_GROUPS:
            if controller in controllers.split(","):
                root = MOUNT / controller
                own = root / path.lstrip("/")
                for folder in (own, *own.parents[: len(own.parts) - len(root.parts)]):
                    yield from _free_in(folder, *names)


def _free_in(folder: Path, limit: str, used: str, cache: str) -> Iterator[int]:
    """What one group leaves, where it has a limit. Files that were read stay in its memory until others need it."""
    try:
        most, taken, lines = ((folder / name).read_text().strip() for name in (limit, used, "memory.stat"))
    except OSError:
        return
    if most.isdigit():
        cached = dict(line.split() for line in lines.splitlines()).get(cache, 0)
        yield max(0, int(most) - int(taken) + int(cached))
