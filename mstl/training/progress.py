"""A progress bar for trainings: epoch, step, loss, what validation found, and an estimate of what remains."""
from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mstl._keras import keras
from mstl.training.devices import devices_of

SHOWN = {"val_dice": "validation Dice", "val_hidden_mae": "validation error"}  # of one training, one of these


class TrainingProgress(keras.callbacks.Callback):
    """Show a bar for each training over all its epochs, in a terminal or a notebook, to `console` (None: rich's own).

    A line before the first says which devices train, and who chose them. `title` stands before the epochs; it may be
    changed between two trainings. Use it as a context manager around them: `with TrainingProgress() as bar: fit(...,
    callbacks=[bar])`.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[seen]}"), console=console,
        )  # fmt: skip
        self.title = ""
        self._task, self._validation = None, ""
        self._devices = ""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Tell the devices, unless they are those of the training before, and begin another bar."""
        devices = str(devices_of(self.model.distribute_strategy))
        if devices != self._devices:
            self._bar.console.print(escape(devices), highlight=False, soft_wrap=True)
            self._devices = devices
        self._task, self._validation = None, ""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Move the bar to the epoch; the first one, of a resumed training too, starts it."""
        steps, epochs = self.params["steps"], self.params["epochs"]
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task("", total=steps * epochs, completed=steps * epoch, seen="")
        description = f"{self.title} epoch {epoch + 1}/{epochs}".strip()
        self._bar.update(self._task, description=description, completed=steps * epoch)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Advance by one step."""
        seen = f"loss {logs['loss']:.3f}{self._validation}"
        self._bar.update(self._task, advance=1, seen=seen)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show what the epoch's validation found from now on."""
        for name in SHOWN.keys() & (logs or {}).keys():
            self._validation = f", {SHOWN[name]} {logs[name]:.3f}"

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(self, *error: object) -> None:
        """Give the terminal back, also where the training ended by an error."""
        self._bar.stop()
