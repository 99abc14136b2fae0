"""The callback that stops a training where numbers are no longer finite, before anything of them is kept."""
from __future__ import annotations

import math

from mstl._keras import keras, tf
from mstl.data.sequences import BatchSequence
from mstl.errors import TrainingError

TERMS = {"data": "The data term", "kl": "The KL divergence"}  # of a `Variational`, whose loss is their sum


class FiniteGuard(keras.callbacks.Callback):
    """Raises `TrainingError` at the first batch whose loss is not finite, and names its cases.

    Of a loss that is a sum of terms it names the term. A loss is computed before its batch changes the weights: those
    of the last batch are checked at the end of the epoch, and the losses of validation with them. Put this before the
    callbacks that write.
    """

    def __init__(self, sequence: BatchSequence) -> None:
        super().__init__()
        self.sequence = sequence
        self.epoch = self.batch = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note which epoch it is."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop where a loss is not finite."""
        self.batch = batch
        for name, loss in _not_finite(logs):
            self._stop(f"{name} is {loss} at", self._in_batch())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Stop where a weight or a loss of validation is not finite."""
        if not all(map(_is_finite, self.model.weights)):
            self._stop("A weight is not finite after", self._in_batch())
        for name, loss in _not_finite(logs):
            self._stop(f"{name} is {loss} after", ", while all weights are finite. Look at the validation cases")

    def _in_batch(self) -> str:
        cases = ", ".join(self.sequence.sampler.batch_cases(self.epoch, self.batch))
        return f", batch {self.batch + 1} with cases {cases}. Look at these cases"

    def _stop(self, what: str, where: str) -> None:
        rate = float(self.model.optimizer.learning_rate.numpy())
        raise TrainingError(
            f"{what} epoch {self.epoch + 1}{where}, or lower learning_rate ({rate:g}); earlier epochs are kept."
        )


def _not_finite(logs: dict | None) -> list[tuple[str, float]]:
    """Losses that are not finite, by their names in words; the terms of a sum before it."""
    logs = logs or {}
    terms = [(words, logs[name]) for name, words in TERMS.items() if name in logs]
    losses = [(name.capitalize().replace("_", " "), value) for name, value in logs.items() if name.endswith("loss")]
    return [(name, value) for name, value in terms + losses if not math.isfinite(value)]


def _is_finite(variable: tf.Variable) -> bool:
    return not variable.dtype.is_floating or bool(tf.reduce_all(tf.math.is_finite(variable)))
