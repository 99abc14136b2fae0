"""The callback that makes a run: schedule, history, checkpoints, the state to resume from."""
from __future__ import annotations

import time
from pathlib import Path

import pandas as pd

from mstl._keras import keras
from mstl.config import Training
from mstl.files import whole_file
from mstl.training.run import HISTORY, LAST, STATE, THRESHOLD, minimum_file
from mstl.training.schedule import MONITORED, has_ended, is_best, learning_rate, minimum, monitored
from mstl.training.state import reseed, save_state, save_weights
from mstl.training.variational import Variational
from mstl.transfer.source import BEST


class RunRecorder(keras.callbacks.Callback):
    """Writes a run's files at the end of each epoch, the state last: whatever is killed is done again alike.

    `history` holds the rows of the epochs that are done; it grows in place.
    """

    def __init__(self, folder: Path, settings: Training, history: list[dict]) -> None:
        super().__init__()
        self.folder, self.settings, self.history = folder, settings, history
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the epoch's learning rate and the layers' random generators."""
        self.started = time.monotonic()
        self.set_rate(epoch)
        reseed(self.model, seed=self.settings.seed, epoch=epoch)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Write weights, history and state; end the training where the schedule says so."""
        rate = float(self.model.optimizer.learning_rate.numpy())
        values = {name: float(value) for name, value in (logs or {}).items() if name != "lr"}
        seconds = round(time.monotonic() - self.started, 3)
        self.history.append({"epoch": epoch + 1, "learning_rate": rate, **values, "seconds": seconds})
        self._save_weights(LAST)
        if not values.keys() & MONITORED.keys() or is_best(monitored(self.history)):
            self._save_weights(BEST)
            (self.folder / THRESHOLD).unlink(missing_ok=True)  # it was chosen for other weights
        if number := minimum(self.settings, epoch=epoch):
            self._save_weights(minimum_file(number))
        with whole_file(self.folder / HISTORY) as temporary:
            pd.DataFrame(self.history).to_csv(temporary, index=False)
        save_state(self.folder / STATE, self.model, self.history)
        self.model.stop_training = has_ended(self.settings, monitored(self.history))

    def set_rate(self, epoch: int) -> None:
        """Set the learning rate that the schedule has for `epoch`."""
        rate = learning_rate(self.settings, epoch=epoch, monitored=monitored(self.history))
        self.model.optimizer.learning_rate.assign(rate)

    def network(self) -> keras.Model:
        """The model whose weights the run keeps: of a variational training the network, without the prior."""
        return self.model.network if isinstance(self.model, Variational) else self.model

    def _save_weights(self, name: str) -> None:
        save_weights(self.folder / name, self.network())
