"""A callback that profiles a few steps of a training: a trace for TensorBoard, and the summary of it."""
from __future__ import annotations

import os
import platform
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.files import whole_folder, write_json
from mstl.training.trace import Operation, input_wait_ms, operations, read_trace
from mstl.transfer.freeze_report import describe_frozen

PROFILE, SUMMARY = "profile", "summary.json"  # in a run
STEPS = 20
WARM_UP = 5  # steps in which graphs are traced and memory is taken
SHOWN = 12  # operations, and kinds of them
PACKAGES = ("mstl", "tensorflow", "tf-keras")


class Profiler(keras.callbacks.Callback):
    """Profiles `steps` steps of a training, after some to warm up, into the new folder `folder`.

    The folder holds `plugins/profile`, which TensorBoard shows where its plugin for profiles is installed, and
    `summary.json`: how long a step took and how much of that it waited for input, the longest operations, what is
    frozen. Steps of one epoch are profiled: of a later one where the first has no room for them, and fewer where no
    epoch has as many; the summary says which. Raises `InputError` for `steps` below 1.
    """

    def __init__(self, folder: str | Path, *, steps: int = STEPS) -> None:
        super().__init__()
        self.folder, self.steps = Path(folder), check_steps(steps)
        self.on_train_begin()

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Begin anew: nothing is warm, nothing profiled."""
        self._fresh, self._done, self._epoch = True, False, 0
        self._window, self._times, self._begun = range(0), [], 0.0
        self._trace: tempfile.TemporaryDirectory | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Choose steps of this epoch, if it is the one to profile."""
        if not self._done:
            steps, last = self.params["steps"] or WARM_UP + self.steps, epoch + 1 == self.params["epochs"]
            self._window = steps_to_profile(self.steps, of=steps, warm=not self._fresh, last=last)
        self._fresh, self._epoch = False, epoch + 1

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Start the trace where its first step begins."""
        if batch in self._window:
            if self._trace is None:
                self._start()
            self._begun = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Note the step's time; write all after the last."""
        if batch in self._window:
            self._times.append(1000 * (time.perf_counter() - self._begun))
            if batch == self._window[-1]:
                self._write()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write what there is where the epoch ended early."""
        if self._trace is not None:
            self._write()

    def _start(self) -> None:
        with suppress(tf.errors.UnavailableError):
            tf.profiler.experimental.stop(save=False)  # that of a training that was interrupted
        self._trace = tempfile.TemporaryDirectory()
        tf.profiler.experimental.start(self._trace.name)

    def _write(self) -> None:
        tf.profiler.experimental.stop()
        trace = read_trace(self._trace.name)
        asked = {"epoch": self._epoch, "first_step": self._window[0] + 1, "steps_asked": self.steps}
        with whole_folder(self.folder) as folder:
            shutil.copytree(self._trace.name, folder, dirs_exist_ok=True)
            numbers = summarise(operations(trace), self._times, wait_ms=input_wait_ms(trace))
            write_json(folder / SUMMARY, asked | numbers | describe(self.model))
        self._trace.cleanup()
        self._trace, self._window, self._done = None, range(0), True


def check_steps(steps: int) -> int:
    """`steps`; raises `InputError` where that is no number of steps."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise InputError(f"{steps!r} steps cannot be profiled; a whole number from 1 on is expected, such as {STEPS}.")
    return steps


def steps_to_profile(wanted: int, *, of: int, warm: bool, last: bool) -> range:
    """Which of an epoch's `of` steps to profile; none where those of a later epoch serve better.

    warm: steps were done before. last: no epoch follows. The very first step, which traces the graph, is left out
    unless there is no other.
    """
    first = min(WARM_UP, max(of - wanted, 0 if warm else min(1, of - 1)))
    if not warm and not last and (first < WARM_UP or first + wanted > of):
        return range(0)
    return range(first, min(first + wanted, of))


def summarise(found: Sequence[Operation], times: Sequence[float], *, wait_ms: float) -> dict:
    """Numbers of steps that took `times` ms each and waited `wait_ms` in all for their batches.

    Times are ms; those of operations are per step, and their shares of the time of all operations.
    """
    whole = sum(operation.own_ms for operation in found) or 1.0
    kinds = Counter()
    for operation in found:
        kinds[operation.kind] += operation.own_ms

    def entry(own_ms: float, **names: object) -> dict:
        return {**names, "ms": own_ms / len(times), "share": own_ms / whole}

    return {
        "steps": len(times),
        "step_ms": statistics.median(times),
        "step_ms_range": [min(times), max(times)],
        "input_wait_ms": wait_ms / len(times),
        "input_share": min(wait_ms / sum(times), 1.0),
        "kinds": [entry(time, kind=kind) for kind, time in kinds.most_common(SHOWN)],
        "operations": [entry(one.own_ms, name=one.name, kind=one.kind) for one in found[:SHOWN]],
    }


def describe(model: keras.Model) -> dict:
    """What was trained and on what: parameters, precision, devices, versions."""
    report = describe_frozen(model)
    return {
        "model": model.name,
        "trainable": report.trainable,
        "frozen": report.frozen,
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "precision": str(model.compute_dtype),
        "devices": _gpus() or [f"{platform.machine()} processor, {os.cpu_count()} cores"],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def _gpus() -> list[str]:
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [about.get("device_name", "GPU") for about in details]
