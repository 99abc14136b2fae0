"""Measuring a training before a study: twenty steps of it, its validation, and the prediction of a case."""
from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mstl._keras import keras
from mstl.compare.folder import StudyFolder
from mstl.compare.run_job import peak_memory
from mstl.config import GAUSSIAN_PRIOR, RANDOM, Experiment
from mstl.data.prepared import PreparedCohort
from mstl.evaluation.predictor import Predictor
from mstl.files import write_json
from mstl.training.experiment import train_experiment

if TYPE_CHECKING:
    from mstl.training.run import Run

EPOCHS, STEPS = 2, 10


@dataclass(frozen=True)
class Measured:
    """What a training takes: seconds until its first step is over, of a further step, of what follows the steps of an
    epoch (validation, saving), of a case's prediction; and the most memory, in bytes."""

    start: float
    step: float
    epoch: float
    case: float
    memory: int


class Watch(keras.callbacks.Callback):
    """Notes when steps and epochs end."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[float]] = []
        self.epochs: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Begin another list of steps."""
        self.steps.append([])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Note the time."""
        self.steps[-1].append(time.monotonic())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Note the time, which is after validation."""
        self.epochs.append(time.monotonic())


def measure(study: StudyFolder, name: str, *, began: float) -> Measured:
    """Measure a strategy of the study at its largest size, from random weights; `began` is when its process started.

    What it would begin with is not there yet, and weights do not change how long a step takes; a learned prior counts
    as a Gaussian one.
    """
    job = max((job for job in study.stages[-1] if job.name == name), key=lambda job: job.size)
    experiment = _unbegun(study.study.experiment_of(name))
    sides = study.division(job).sides() | {"seed": job.seed, "epochs": EPOCHS, "steps_per_epoch": STEPS}
    short = Experiment.from_dict({**experiment.to_dict(), **sides})
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        run = train_experiment(short, out=Path(folder) / "run", callbacks=[watch])
        ended = time.monotonic()
        case = _seconds_of_case(run, study.division(job).test)
    gaps = [after - before for steps in watch.steps for before, after in itertools.pairwise(steps)]
    last = watch.epochs[-1] - watch.steps[-1][-1]
    return Measured(
        start=watch.steps[0][0] - began + max(0.0, ended - watch.epochs[-1]),
        step=statistics.median(gaps),
        epoch=last,
        case=case,
        memory=peak_memory(),
    )


def write_measured(study: StudyFolder, name: str, path: Path, *, began: float) -> None:
    """Measure a strategy and write what was found as JSON."""
    write_json(path, asdict(measure(study, name, began=began)))


def _unbegun(experiment: Experiment) -> Experiment:
    prior = GAUSSIAN_PRIOR if experiment.has_learned_prior else experiment.prior
    return replace(experiment, init=RANDOM, prior=prior, restarts=0, unfreeze_epochs=(), freeze=_plain(experiment))


def _plain(experiment: Experiment) -> tuple[str, ...]:
    """What is frozen, where that does not change with the epochs."""
    return () if experiment.unfreeze_epochs else experiment.freeze


def _seconds_of_case(run: Run, subjects: tuple[str, ...]) -> float:
    """Of the second case, since the first one's has the tracing in it; of the first where there is no other."""
    predictor, seconds = Predictor.of_run(run), 0.0
    for case in list(PreparedCohort.open(run.experiment.prepared).select(subjects))[:2]:
        began = time.monotonic()
        predictor(case)
        seconds = time.monotonic() - began
    return seconds
