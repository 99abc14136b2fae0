"""The callback that stops a training where numbers are no longer finite, before anything of them is kept."""
from __future__ import annotations

import math

from mstl._keras import keras, tf
from mstl.data.sequences import SliceSequence
from mstl.errors import TrainingError


class FiniteGuard(keras.callbacks.Callback):
    """Raises `TrainingError` at the first batch whose loss is not finite, and names its cases.

    A loss is computed before its batch changes the weights: those of the last batch are checked at the end of the
    epoch, and the losses of validation with them. Put this before the callbacks that write.
    """

    def __init__(self, sequence: SliceSequence) -> None:
        super().__init__()
        self.sequence = sequence
        self.epoch = self.batch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop where a loss is not finite."""
        self.batch = batch
        self._check_losses(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stop where a weight or a loss of validation is not finite."""
        if not all(map(_is_finite, self.model.weights)):
            self._stop("A weight is not finite behind")
        self._check_losses(logs)

    def _check_losses(self, logs: dict | None) -> None:
        for name, loss in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(loss):
                self._stop(f"{name.capitalize().replace('_', ' ')} is {loss} at")

    def _stop(self, what: str) -> None:
        cases = ", ".join(self.sequence.sampler.batch_cases(self.epoch, self.batch))
        rate = float(self.model.optimizer.learning_rate.numpy())
        raise TrainingError(
            f"{what} epoch {self.epoch + 1}, batch {self.batch + 1} with cases {cases}. Look at these cases, or lower "
            f"learning_rate ({rate:g}); earlier epochs are kept."
        )


def _is_finite(variable: tf.Variable) -> bool:
    return not variable.dtype.is_floating or bool(tf.reduce_all(tf.math.is_finite(variable)))
