"""Losses of segmentations with several classes, from a softmax's probabilities, in float32 whatever comes in.

Each takes masks `(N, ..., 1)` of class numbers 0 (background) to K - 1, of any dtype, and probabilities `(N, ..., K)`,
K at least 2. `ce` and `class_focal` return the mean over voxels of each sample, `(N,)`; `class_dice` looks at the
flattened batch and returns a scalar; `ce_dice` adds cross-entropy and Dice, `(N,)`. All raise `InputError` where the
shapes do not belong together. They go into `model.compile(loss=...)`, inside or outside a `tf.distribute` strategy.
"""
from __future__ import annotations

from collections.abc import Callable

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.replicas import summed

SMOOTH = 1.0  # of Dice, as in the losses of one channel
FOCAL_GAMMA = 2.0  # Lin et al. 2017, section 4.1


def ce(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Categorical cross-entropy, the mean over each sample's voxels, `(N,)`.

    Keras computes it from the logits where the probabilities come from a softmax in the same graph, as in training:
    a voxel that is wrong for certain keeps its gradient, which a logarithm of cut probabilities would lose.
    """
    return _sample_mean(keras.backend.categorical_crossentropy(*_one_hot(y_true, y_pred)))


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


def class_focal(y_true: tf.Tensor, y_pred: tf.Tensor, *, gamma: float = FOCAL_GAMMA) -> tf.Tensor:
    """Focal loss `-(1 - p_t)^gamma log p_t` of each voxel's true class t, the mean over each sample's voxels, `(N,)`.

    No class is weighted. The logarithm is computed from the logits as that of `ce`. Lin et al. 2017, arXiv 1708.02002,
    with a softmax in place of sigmoids.
    """
    truth, probability = _one_hot(y_true, y_pred)
    wrong = tf.nn.relu(1.0 - tf.reduce_sum(truth * probability, axis=-1))  # no negative number by rounding
    return _sample_mean(wrong**gamma * keras.backend.categorical_crossentropy(truth, probability))


CLASS_LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "ce": ce,
    "class_dice": class_dice,
    "ce_dice": ce_dice,
    "class_focal": class_focal,
}


def _sample_mean(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)


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
