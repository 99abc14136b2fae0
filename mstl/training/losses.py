"""Losses of one-channel segmentation, from probabilities, computed in float32 whatever comes in.

Each takes masks and probabilities of one shape `(N, ..., 1)`: masks 0/1 of any dtype, probabilities in [0, 1]
(a sigmoid's output). `bce`, `weighted_bce` and `focal` return the mean over voxels of each sample, `(N,)`; `dice` and
`combo` look at the flattened batch and return a scalar; `bce_dice` adds both kinds, `(N,)`. All raise `InputError`
where the shapes differ or there is more than one channel. They are plain functions of TensorFlow operations
and go into `model.compile(loss=...)`, inside or outside a `tf.distribute` strategy.
"""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mstl._keras import keras, tf
from mstl.config import AUTO
from mstl.errors import InputError
from mstl.models.replicas import summed
from mstl.training.class_losses import CLASS_LOSSES

EPSILON = 1e-7  # probabilities are cut to [EPSILON, 1 - EPSILON] before a logarithm
SMOOTH = 1.0  # of Dice, as in the 2021 thesis work
COMBO_WEIGHT = 0.5  # share of cross-entropy in the combo loss, 2021 thesis work
COMBO_A = 0.5  # weight a of its cross-entropy, 2021 thesis work
POS_WEIGHT = 25.0  # of a lesion's voxel in the weighted cross-entropy, as the brain tumours' SegNet has it
FOCAL_GAMMA, FOCAL_ALPHA = 2.0, 0.25  # Lin et al. 2017, section 4.1


def bce(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy, the mean over each sample's voxels, `(N,)`.

    Keras computes it from the logits where the probabilities come from a sigmoid in the same graph, as in training:
    a voxel that is wrong for certain keeps its gradient, which a logarithm of cut probabilities would lose.
    """
    return _sample_mean(keras.backend.binary_crossentropy(*_float32(y_true, y_pred)))


def weighted_bce(y_true: tf.Tensor, y_pred: tf.Tensor, *, pos_weight: float = POS_WEIGHT) -> tf.Tensor:
    """Binary cross-entropy in which a lesion's voxel counts `pos_weight` times, the mean over each sample, `(N,)`.

    `-(pos_weight t log p + (1 - t) log(1 - p))`, divided by the number of voxels, not by the sum of their weights: what
    PyTorch's `BCEWithLogitsLoss(pos_weight=...)` computes from logits, as Keras does here where they are found, see
    `bce`.
    """
    truth, probability = _float32(y_true, y_pred)
    weight = 1.0 + (pos_weight - 1.0) * truth
    return _sample_mean(weight * keras.backend.binary_crossentropy(truth, probability))


def dice(y_true: tf.Tensor, y_pred: tf.Tensor, *, smooth: float = SMOOTH) -> tf.Tensor:
    """Soft Dice loss of the flattened batch, a scalar in [0, 1).

    `1 - (2 sum(p t) + smooth) / (sum p + sum t + smooth)`. The batch is one set of voxels: none is left out
    because its mask is empty, so a false positive on an empty mask always raises the loss.
    Milletari et al. 2016, arXiv 1606.04797, with plain sums in the denominator.
    """
    truth, probability = _float32(y_true, y_pred)
    return 1.0 - _soft_dice(truth, probability, smooth)


def bce_dice(y_true: tf.Tensor, y_pred: tf.Tensor, *, ce_weight: float = 1.0) -> tf.Tensor:
    """Sum of `ce_weight` times `bce` and of `dice`, `(N,)`; the batch's Dice loss is added to every sample."""
    return ce_weight * bce(y_true, y_pred) + dice(y_true, y_pred)


def combo(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    *,
    weight: float = COMBO_WEIGHT,
    a: float = COMBO_A,
    smooth: float = SMOOTH,
) -> tf.Tensor:
    """Combo loss `weight * WCE - (1 - weight) * Dice` of the flattened batch, a scalar >= `weight - 1`.

    `WCE = -mean(a * (t log p + (1 - a) (1 - t) log(1 - p)))`: `a` multiplies both terms, as in the 2021
    thesis work, so at a = 0.5 background weighs half of lesion. Perfect is -0.5 with the defaults, not 0.
    Taghanaki et al. 2019, arXiv 1805.02798.
    """
    truth, probability = _float32(y_true, y_pred)
    cut = _cut(probability)
    likelihood = truth * tf.math.log(cut) + (1.0 - a) * (1.0 - truth) * tf.math.log(1.0 - cut)
    return -weight * tf.reduce_mean(a * likelihood) - (1.0 - weight) * _soft_dice(truth, probability, smooth)


def focal(
    y_true: tf.Tensor, y_pred: tf.Tensor, *, gamma: float = FOCAL_GAMMA, alpha: float = FOCAL_ALPHA
) -> tf.Tensor:
    """Focal loss `-alpha_t (1 - p_t)^gamma log p_t`, the mean over each sample's voxels, `(N,)`.

    `alpha` weighs lesion, `1 - alpha` background. Lin et al. 2017, arXiv 1708.02002; there the sum is
    divided by the number of objects, here by the number of voxels.
    """
    truth, probability = _float32(y_true, y_pred)
    cut = _cut(probability)
    right = truth * cut + (1.0 - truth) * (1.0 - cut)
    balance = alpha * truth + (1.0 - alpha) * (1.0 - truth)
    return -_sample_mean(balance * (1.0 - right) ** gamma * tf.math.log(right))


LOSSES: dict[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "bce": bce,
    "weighted_bce": weighted_bce,
    "dice": dice,
    "bce_dice": bce_dice,
    "combo": combo,
    "focal": focal,
}
WITH_DICE = ("bce_dice", "ce_dice")  # have a `ce_weight`
POSITIVELY_WEIGHTED = ("weighted_bce",)  # have a `pos_weight`


def get_loss(
    name: str, *, num_classes: int = 1, ce_weight: float = 1.0, pos_weight: float | None = None
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """The loss of that name, for a model with `num_classes` output channels; "auto" is the usual one.

    `ce_weight` is that of the cross-entropy beside Dice, `pos_weight` that of a lesion's voxel in "weighted_bce".
    Raises `InputError` with the names that fit for one that is unknown, or for another number of channels, and for a
    weight that the loss does not have.
    """
    fitting, others = (LOSSES, CLASS_LOSSES) if num_classes == 1 else (CLASS_LOSSES, LOSSES)
    name = ("bce_dice" if num_classes == 1 else "ce_dice") if name == AUTO else name
    given = {"ce_weight": (ce_weight, 1, WITH_DICE), "pos_weight": (pos_weight, None, POSITIVELY_WEIGHTED)}
    options = {option: value for option, (value, default, _) in given.items() if value != default}
    for option, value in options.items():
        if name not in given[option][-1]:
            meant = " and ".join(given[option][-1])
            raise InputError(f"{option} is {value}, but the loss is '{name}'; it is for {meant}. Leave it out.")
    if name in fitting:
        return partial(fitting[name], **options) if options else fitting[name]
    wrong = f"is not for a model with {num_classes} output channels" if name in others else "is unknown"
    raise InputError(f"Loss {name!r} {wrong}. Choose one of: {', '.join(fitting)}.")


def _float32(y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    truth, probability = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
    channels = probability.shape[-1] if probability.shape.rank else None
    if not truth.shape.is_compatible_with(probability.shape) or channels not in (1, None):
        raise InputError(
            f"Masks have shape {truth.shape}, probabilities {probability.shape}; both must be (N, ..., 1), "
            "one channel. Add the channel axis to the masks, or build the model with one output channel."
        )
    return tf.cast(truth, tf.float32), tf.cast(probability, tf.float32)


def _cut(probability: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(probability, EPSILON, 1.0 - EPSILON)


def _sample_mean(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)


def _soft_dice(truth: tf.Tensor, probability: tf.Tensor, smooth: float) -> tf.Tensor:
    sums = [tf.reduce_sum(values) for values in (truth * probability, truth, probability)]
    overlap, lesion, predicted = tf.unstack(summed(tf.stack(sums)))
    return (2.0 * overlap + smooth) / (lesion + predicted + smooth)
