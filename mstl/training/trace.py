"""What a profiler's trace tells: the time that each operation took, and the time spent waiting for input."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mstl._keras import xplane_pb2
from mstl.errors import InputError

NAMED = re.compile(r"([\w./>-]+):([A-Za-z_]\w*)")  # an operation's event: its name in the graph, and its kind
WAITING = re.compile(r"Iterator\w*GetNext\w*::DoCompute")
FEEDING = ("tf_data", "IteratorGetNext")  # threads and kinds that bring the batch
PICOSECONDS_A_MS = 1e9

Interval = tuple[int, int]  # begin and end, picoseconds


@dataclass(frozen=True)
class Operation:
    """All that ran under one name: its kind ("Conv3D"), how often, and its own time in ms over all threads."""

    name: str
    kind: str
    count: int
    own_ms: float


def read_trace(folder: str | Path) -> xplane_pb2.XSpace:
    """The last trace that TensorFlow's profiler wrote into `folder`; raises `InputError` where there is none."""
    files = sorted(Path(folder).glob("plugins/profile/*/*.xplane.pb"))
    if not files:
        raise InputError(f"{folder} holds no trace of the profiler. Profile a training: mstl train --profile STEPS.")
    return xplane_pb2.XSpace.FromString(files[-1].read_bytes())


def operations(trace: xplane_pb2.XSpace) -> list[Operation]:
    """Every operation of the traced steps, the longest first; on GPUs where there are any, else on the processor.

    An operation's own time is without that of others that ran inside it. What brings the batch is left out.
    """
    own, count = Counter(), Counter()
    for events in _lines(trace):
        for key, time in _own_times(events):
            own[key] += time
            count[key] += 1
    return [Operation(*key, count[key], time / PICOSECONDS_A_MS) for key, time in own.most_common()]


def input_wait_ms(trace: xplane_pb2.XSpace) -> float:
    """How long the training waited for batches, in ms; replicas that wait at the same time count once."""
    waits = [
        (line.timestamp_ns * 1000 + event.offset_ps, line.timestamp_ns * 1000 + event.offset_ps + event.duration_ps)
        for plane in trace.planes
        for line in plane.lines
        for event in line.events
        if WAITING.search(plane.event_metadata[event.metadata_id].name)
    ]
    return _covered(waits) / PICOSECONDS_A_MS


def _lines(trace: xplane_pb2.XSpace) -> Iterator[list[tuple[Interval, tuple[str, str]]]]:
    """The operations of each thread, or of each stream of a GPU."""
    gpus = [plane for plane in trace.planes if plane.name.startswith("/device:GPU") and plane.lines]
    for plane in gpus or trace.planes:
        for line in plane.lines:
            if not line.name.startswith(FEEDING):
                yield [
                    ((event.offset_ps, event.offset_ps + event.duration_ps), key)
                    for event in line.events
                    if (key := _operation_of(event, plane)) and not key[1].startswith(FEEDING)
                ]


def _operation_of(event: xplane_pb2.XEvent, plane: xplane_pb2.XPlane) -> tuple[str, str] | None:
    """Name and kind of what an event is about; a GPU's kernel tells in `tf_op` whose work it does."""
    told = [stat for stat in event.stats if plane.stat_metadata[stat.metadata_id].name == "tf_op"]
    name = plane.event_metadata[event.metadata_id].name
    if told:
        name = told[0].str_value or plane.stat_metadata[told[0].ref_value].name
        name = name.split("#")[0]
    match = NAMED.fullmatch(name)
    return match.groups() if match else None


def _own_times(events: Iterable[tuple[Interval, tuple[str, str]]]) -> Iterator[tuple[tuple[str, str], int]]:
    """What an operation was, and its time without that of operations inside it, for each event of a thread."""
    ended, running = [], []  # of [key, end, own time]
    for (begin, end), key in sorted(events, key=lambda event: (event[0][0], -event[0][1])):
        while running and running[-1][1] <= begin:
            ended.append(running.pop())
        if running:
            running[-1][2] -= min(end, running[-1][1]) - begin
        running.append([key, end, end - begin])
    return ((key, time) for key, _, time in (*ended, *running))


def _covered(intervals: Iterable[Interval]) -> int:
    """Length of the union."""
    covered, reached = 0, 0
    for begin, end in sorted(intervals):
        covered += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return covered
