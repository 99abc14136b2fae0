"""The loop that every training shares: batches, a stop where numbers are not finite, the recorder, TensorBoard."""
from __future__ import annotations

import re
from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.config import Training
from mstl.config_gan import GanTraining
from mstl.data.sequences import BatchSequence
from mstl.data.workers import Sampler
from mstl.errors import TrainingError
from mstl.training.distribute import lost_workers_told, share_of
from mstl.training.feed import fed
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
    Several replicas share each batch, where the model was built under such a strategy. Raises `TrainingError` as
    `FiniteGuard` does, where memory does not suffice or another worker is lost, and by what a batch could not be made,
    such as an `InputError`.
    """
    settings, done, strategy = recorder.settings, len(recorder.history), model.distribute_strategy
    batches = BatchSequence(share_of(sampler, strategy, full=True), workers=settings.workers, epoch=done)
    if validation is not None and strategy.num_replicas_in_sync > 1:
        validation = BatchSequence(share_of(validation.sampler, strategy, full=False), advance=False)
    board = keras.callbacks.TensorBoard(str(recorder.folder / "tensorboard"), write_graph=False)
    try:
        with lost_workers_told(strategy), fed(strategy, batches, validation) as data:
            model.fit(
                **data,
                epochs=settings.epochs,
                initial_epoch=done,
                shuffle=False,
                verbose=0,
                callbacks=[FiniteGuard(batches), *before, recorder, board, *after],
            )
    except (tf.errors.OpError, TrainingError) as error:  # Keras reads batches by way of TensorFlow
        failures = [sequence.failure for sequence in (batches, validation) if sequence is not None]
        raise next(filter(None, failures), _explained(error, settings)) from None
    finally:
        batches.close()


def _explained(error: Exception, settings: Training | GanTraining) -> Exception:
    """An error that says what to lower where memory does not suffice; others as they are."""
    if not isinstance(error, tf.errors.ResourceExhaustedError):
        return error
    what = (re.search(r"OOM when [^\n]*", error.message) or re.search("[^\n]*", error.message)).group()[:200]
    return TrainingError(
        f"Memory does not suffice for a batch ({what}). Lower batch_size ({settings.batch_size}), the sides of crop or "
        "patch, or the model's width, or compute in precision mixed_bfloat16; then go on with --resume or in a new run."
    )
