"""Training with an auxiliary head: a second segmentation, from inside the network, that has a loss of its own."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mstl._keras import keras, tf
from mstl.config import Training
from mstl.errors import InputError
from mstl.models.auxiliary import auxiliary_output
from mstl.models.replicas import replicas

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
Batch = tuple[tf.Tensor, tf.Tensor]


def check_auxiliary(model: keras.Model, training: Training) -> None:
    """Raise `InputError` for an `auxiliary_weight` of a model without an auxiliary head."""
    weight = training.auxiliary_weight
    if weight not in (0, Training().auxiliary_weight) and auxiliary_output(model) is None:
        raise InputError(
            f"auxiliary_weight is {weight}, but model '{model.name}' has no auxiliary head. Leave it out, or build the "
            "model with one."
        )


@contextmanager
def auxiliary_loss(model: keras.Model, loss: Loss, *, weight: float) -> Iterator[None]:
    """Train `model`, compiled with `loss`, in the block by that of its output and `weight` times its auxiliary head's.

    A model without such a head trains as ever. What a training logs, `loss` and metrics, is of the output alone, as in
    validation; only gradients and the update have the other part. Every step computes both heads in one pass.
    Source: Zhao et al. 2017, arXiv 1612.01105, with a weight of 0.4.
    """
    second = auxiliary_output(model)
    if second is None:
        yield
        return
    heads = keras.Model(model.inputs, [model.output, second])

    def step(data: Batch) -> dict[str, tf.Tensor]:
        """Update the model on one batch."""
        images, masks, weights = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            probability, auxiliary = heads(images, training=True)
            total = model.compute_loss(images, masks, probability, weights)  # over replicas, as Keras has it
            total += weight * tf.reduce_mean(loss(masks, auxiliary)) / replicas()
        model.optimizer.minimize(total, model.trainable_variables, tape=tape)
        return model.compute_metrics(images, masks, probability, weights)

    model.train_step = step
    try:
        yield
    finally:
        del model.train_step
        model.train_function = None  # it was traced with both
