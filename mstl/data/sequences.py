"""Batches for Keras: the same for any number of worker processes, and after a resume."""
from __future__ import annotations

import numpy as np

from mstl._keras import keras
from mstl.data.workers import BatchPool, Sampler
from mstl.errors import InputError


class BatchSequence(keras.utils.Sequence):
    """The batches of a sampler in the current `epoch`, which `on_epoch_end` moves on.

    Arrays are those of the sampler. With `workers` > 1 that many processes compute the batches
    that follow. To resume, set `epoch`. Without `advance` every epoch is the same: for
    validation. Give it to `fit` with `shuffle=False`: the sampler shuffles, and Keras would shuffle again by
    a seed that nobody records.

    `failure` is the error by which a batch could not be made: `fit` tells of it in TensorFlow's words.

    Raises `InputError` for fewer than one worker or an epoch below 0.
    """

    def __init__(self, sampler: Sampler, *, workers: int = 1, epoch: int = 0, advance: bool = True) -> None:
        if workers < 1 or epoch < 0:
            raise InputError(f"workers is {workers}, epoch {epoch}, expected at least 1 and 0.")
        self.sampler = sampler
        self.workers = workers
        self.epoch = epoch
        self.advance = advance
        self.failure: InputError | OSError | None = None
        self._pool = BatchPool(sampler, workers=workers, advance=advance) if workers > 1 else None

    def __len__(self) -> int:
        return self.sampler.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        try:
            return (self._pool or self.sampler).batch(self.epoch, index)
        except (InputError, OSError) as error:
            self.failure = error
            raise

    def on_epoch_end(self) -> None:
        """Go to the next epoch, unless `advance` is off."""
        self.epoch += self.advance

    def batch_cases(self, index: int) -> list[str]:
        """Names of the cases in a batch of the current epoch."""
        return self.sampler.batch_cases(self.epoch, index)

    def close(self) -> None:
        """End the worker processes; later batches are computed in this one."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.close()

    def __enter__(self) -> BatchSequence:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class SliceSequence(BatchSequence):
    """The batches of a `SliceSampler` or `RestorationSampler`: images `(N, H, W, C)`, masks `(N, H, W, 1)`, float32."""


class PatchSequence(BatchSequence):
    """The batches of a `PatchSampler` or `GridSampler`: images `(N, D, H, W, C)`, masks `(N, D, H, W, 1)`, float32."""
