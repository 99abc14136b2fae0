"""Losses of segmentations with several classes, from a softmax's probabilities, in float32 whatever comes in.

Each takes masks `(N, ..., 1)` of class numbers 0 (background) to K - 1, of any dtype, and probabilities `(N, ..., K)`,
K at least 2. `ce` returns the mean over voxels of each sample, `(N,)`; `class_dice` looks at the flattened batch and
returns a scalar; `ce_dice` adds both, `(N,)`. All raise `InputError` where the shapes do not belong together. They go
into `model.compile(loss=...)`, inside or outside a `tf.distribute` strategy.
"""
from __future__ import annotations

from collections.abc import Callable

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.replicas import summed

SMOOTH = 1.0  # of Dice, as in the losses of one channel


def ce(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Categorical cross-entropy, the mean over each sample's voxels, `(N,)`.

    Keras computes it from the logits where the probabilities come from a softmax in the same graph, as in training:
    a voxel that is wrong for certain keeps its gradient, which a logarithm of cut probabilities would lose.
    """
    truth, probability = _one_hot(y_true, y_pred)
    loss = keras.backend.categorical_crossentropy(truth, probability)
    return tf.reduce_mean(tf.reshape(loss, (tf.shape(loss)[0], -1)), axis=1)


def class_dice(y_true: tf.Tensor, y_pred: tf.Tensor, *, smooth: float = SMOOTH) -> tf.Tensor:
    """Soft Dice loss of the flattened batch, the mean over the classes but background, a scalar in [0, 1).

    Of each class `1 - (2 sum(p t) + smooth) / (sum p + sum t + smooth)`. A class that the batch lacks is not left out,
    so that what is falsely called so always costs. Milletari et al. 2016, arXiv 1606.04797, with plain sums in the
    denominator.
    """
    truth, probability = (values[..., 1:] for values in _one_hot(y_true, y_pred))
    axes = list(range(truth.shape.rank - 1))
    sums = [tf.reduce_sum(values, axes) for values in (truth * probability, truth, probability)]
    overlap, labelled, predicted = tf.unstack(summed(tf.stack(sums)))
    return 1.0 - tf.reduce_mean((2.0 * overlap + smooth) / (labelled + predicted + smooth))


def ce_dice(y_true: tf.Tensor, y_pred: tf.Tensor, *, ce_weight: float = 1.0) -> tf.Tensor:
    """Sum of `ce_weight` times `ce` and of `class_dice`, `(N,)`; the batch's Dice loss is added to every sample.

    Kuzina et al. 2019, doi 10.3389/fnins.2019.00844, have a `ce_weight` of 0.01.
    """
    return ce_weight * ce(y_true, y_pred) + class_dice(y_true, y_pred)


CLASS_LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "ce": ce,
    "class_dice": class_dice,
    "ce_dice": ce_dice,
}


def _one_hot(y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    truth, probability = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
    classes = probability.shape[-1] if probability.shape.rank else None
    wanted = tf.TensorShape([*probability.shape[:-1], 1])
    if classes is None or classes < 2 or not truth.shape.is_compatible_with(wanted):
        raise InputError(
            f"Masks have shape {truth.shape}, probabilities {probability.shape}; (N, ..., 1) and (N, ..., K) of the "
            "same sides with at least two classes are expected. Build the model with num_classes of at least 2."
        )
    return tf.one_hot(tf.cast(truth[..., 0], tf.int32), classes), tf.cast(probability, tf.float32)
