"""Batches for the replicas of a strategy: each gets its rows of a batch, in order."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np

from mstl._keras import tf
from mstl.data.sequences import BatchSequence


class Feed:
    """The batches of `sequence`, whose sampler is a `Share`, as a dataset for the replicas of this process.

    Keras would have every worker read whole batches, and leave replicas without an image at the end of an epoch. With
    the sequence's `advance` epoch follows upon epoch without an end; else there is one. `steps` are those of an epoch.
    """

    def __init__(self, strategy: tf.distribute.Strategy, sequence: BatchSequence) -> None:
        self.sequence, self.steps = sequence, len(sequence)
        self._open = True
        signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in sequence[0])
        parts = tf.data.Dataset.from_generator(self._parts, output_signature=signature)
        self.dataset = strategy.distribute_datasets_from_function(lambda context: parts)

    def close(self) -> None:
        """Make no more batches."""
        self._open = False

    def _parts(self) -> Iterator[tuple[np.ndarray, ...]]:
        """What each replica gets, in their order, batch after batch."""
        first = self.sequence.epoch
        for epoch in count(first) if self.sequence.advance else (first,):
            for index in range(self.steps):
                if not self._open:
                    return
                self.sequence.epoch = epoch
                arrays = self.sequence[index]
                cuts = np.cumsum(self.sequence.sampler.sizes(index))[:-1]
                yield from zip(*(np.split(array, cuts) for array in arrays), strict=True)


@contextmanager
def fed(
    strategy: tf.distribute.Strategy, batches: BatchSequence, validation: BatchSequence | None
) -> Iterator[dict[str, object]]:
    """What Keras' `fit` is given to train on `batches` and validate on `validation` under `strategy`, by keyword."""
    if strategy.num_replicas_in_sync == 1:
        yield {"x": batches, "validation_data": validation}
        return
    train, held_out = Feed(strategy, batches), validation and Feed(strategy, validation)
    data = {"x": train.dataset, "steps_per_epoch": train.steps}
    if held_out:
        data |= {"validation_data": held_out.dataset, "validation_steps": held_out.steps}
    try:
        yield data
    finally:
        train.close()
