"""The loop that every training shares: batches, a stop where numbers are not finite, the recorder, TensorBoard."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.data.sequences import BatchSequence
from mstl.data.workers import Sampler
from mstl.training.finite import FiniteGuard
from mstl.training.recorder import RunRecorder

Callbacks = Sequence[keras.callbacks.Callback]


def run_epochs(
    model: keras.Model,
    sampler: Sampler,
    validation: BatchSequence | None,
    recorder: RunRecorder,
    *,
    before: Callbacks = (),
    after: Callbacks = (),
) -> None:
    """Train a compiled model on the epochs of the recorder's settings that its history does not hold yet.

    Callbacks `before` come before the recorder, so that the state is saved when they are done; `after` behind it.
    Raises `TrainingError` as `FiniteGuard` does, and by what a batch could not be made, such as an `InputError`.
    """
    settings, done = recorder.settings, len(recorder.history)
    batches = BatchSequence(sampler, workers=settings.workers, epoch=done)
    board = keras.callbacks.TensorBoard(str(recorder.folder / "tensorboard"), write_graph=False)
    try:
        model.fit(
            batches,
            validation_data=validation,
            epochs=settings.epochs,
            initial_epoch=done,
            shuffle=False,
            verbose=0,
            callbacks=[FiniteGuard(batches), *before, recorder, board, *after],
        )
    except tf.errors.OpError as error:  # Keras reads batches by way of TensorFlow, which tells of theirs as its own
        failures = [sequence.failure for sequence in (batches, validation) if sequence is not None]
        raise next(filter(None, failures), error) from None
    finally:
        batches.close()
