"""The folder of one training: what `mstl train` leaves behind and prediction, threshold and report read."""
from __future__ import annotations

from pathlib import Path

import pandas as pd

from mstl._keras import keras
from mstl.config import TWIN, Experiment
from mstl.data.prepared import PREPARATION, PreparedCohort
from mstl.errors import InputError
from mstl.files import read_json
from mstl.settings import PRETRAINING, Settings, command_of, read_yaml
from mstl.training.build import build_for
from mstl.training.pos_weight import even_cut
from mstl.transfer.checksums import check_whole
from mstl.transfer.plan import transfer_weights
from mstl.transfer.source import BEST

EXPERIMENT, HISTORY, ENVIRONMENT, THRESHOLD = "experiment.yaml", "history.csv", "environment.json", "threshold.json"
LAST, STATE, FREEZE, TRANSFER = "last.h5", "state/state.h5", "freeze.json", "transfer.json"
CUSTOM_MODEL = "custom"  # stands in an experiment for a model that none of our builders made
DEFAULT_THRESHOLD = 0.5
CLEAN_UP = ("minimum_ml", "largest_only")  # of threshold.json; an older mstl chose none


def minimum_file(number: int) -> str:
    """Name of the weights at the end of cycle `number` (from 1) of a learning rate with restarts."""
    return f"minimum{number}.h5"


class RunFolder:
    """What the folders of `mstl train` and `mstl pretrain` have in common."""

    settings: type[Settings] = Settings

    def __init__(self, folder: str | Path) -> None:
        self.folder, command = Path(folder), command_of(self.settings.KIND)
        if not (self.folder / EXPERIMENT).exists():
            raise InputError(f"{folder} is not a run (no {EXPERIMENT}). Make one with '{command}'.")
        kind = read_yaml(self.folder / EXPERIMENT).get(PRETRAINING, "")
        if kind != self.settings.KIND:
            key = "prior" if kind == "kernel-prior" else "init"
            remedy = f"Train one with {key}: {folder}." if kind else "Give such a folder."
            raise InputError(f"{folder} is a run of '{command_of(kind)}'; one of '{command}' is expected. {remedy}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder)!r})"

    @property
    def experiment(self) -> Settings:
        """The settings of the training, its subjects by name."""
        return self.settings.load(self.folder / EXPERIMENT)

    @property
    def preparation(self) -> dict:
        """Parameters of `mstl.prepare` that the training data were prepared with."""
        return read_json(self.folder / PREPARATION)

    @property
    def history(self) -> pd.DataFrame:
        """A row an epoch: epoch (from 1), learning_rate, loss and metrics, those of validation with `val_`, seconds."""
        if not (self.folder / HISTORY).exists():
            raise InputError(f"Run {self.folder} has no finished epoch. Train it further with --resume.")
        return pd.read_csv(self.folder / HISTORY)

    def weights(self, which: str = "best") -> Path:
        """Path of the "best" or "last" weights; raises `InputError` where there are none yet."""
        names = {"best": BEST, "last": LAST}
        if which not in names:
            raise InputError(f"Weights '{which}' are unknown. Choose best or last.")
        path = self.folder / names[which]
        if not path.exists():
            raise InputError(f"Run {self.folder} has no {path.name}. Train it further with --resume.")
        return path

    def prepared(self, side: str) -> PreparedCohort:
        """Prepared cases of the side "train", "validation" or "test" of the training's split."""
        experiment = self.experiment
        subjects = getattr(experiment, f"{side}_subjects")
        if not subjects:
            raise InputError(f"Run {self.folder} has no {side} subjects. Train with {side}_subjects or other ratios.")
        return PreparedCohort.open(experiment.prepared).select(subjects)


class Run(RunFolder):
    """A finished or interrupted training. `model` is the trained model where it is still in memory."""

    settings = Experiment

    def __init__(self, folder: str | Path, *, model: keras.Model | None = None) -> None:
        super().__init__(folder)
        self._model = model

    @property
    def threshold(self) -> float | None:
        """Probability from which a voxel is lesion: chosen by `mstl threshold`, 0.5 before that.

        Where lesions counted more in the loss it is the `even_cut` of their weight before that. None where there are
        several classes, of which the most probable one is taken.
        """
        return self._chosen().get("threshold", even_cut(self._environment().get("pos_weight")))

    @property
    def clean_up(self) -> dict:
        """Arguments of `mstl.evaluation.cleanup.CleanUp` that `mstl threshold` has chosen; none before that."""
        return {name: value for name, value in self._chosen().items() if name in CLEAN_UP}

    def _chosen(self) -> dict:
        return self._read(THRESHOLD)

    def _environment(self) -> dict:
        return self._read(ENVIRONMENT)

    def _read(self, name: str) -> dict:
        path = self.folder / name
        return read_json(path) if path.exists() else {}

    @property
    def minima(self) -> tuple[Path, ...]:
        """Paths of the weights at each minimum of a learning rate with `restarts` so far; empty without them."""
        paths = (self.folder / minimum_file(number) for number in range(1, self.experiment.restarts + 2))
        return tuple(path for path in paths if path.exists())

    def model(self, which: str = "best") -> keras.Model:
        """The model with its "best" or "last" weights.

        A model that mstl built is built again; one of the user's own is available only in the process that
        trained it, else `InputError`, as where a file of an exported run is not as it was exported.
        """
        path = self.weights(which)
        check_whole(self.folder)
        if self._model is None:
            self._model = self._rebuilt()
        transfer_weights(path, self._model)
        return self._model

    @property
    def twin(self) -> Run | None:
        """The same training from scratch, where the experiment asked for one and it has begun."""
        folder = self.folder / TWIN
        return Run(folder) if (folder / EXPERIMENT).exists() else None

    def _rebuilt(self) -> keras.Model:
        experiment = self.experiment
        if experiment.model == CUSTOM_MODEL:
            raise InputError(
                f"Run {self.folder} trained a model that mstl did not build. Pass it: Run(folder, model=model)."
            )
        return build_for(experiment, self.preparation)
