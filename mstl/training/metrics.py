"""Metrics watched while training: voxels are counted over the whole epoch, ratios are formed afterwards.

The counts are float64: exact up to 2^53 voxels, where float32 stops counting at 2^24 (two volumes of 192^3).
They describe the pooled voxels of an epoch; scores of patients are in `mstl.evaluation.scores`.
"""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.class_metrics import ClassScores

THRESHOLD = 0.5


class VoxelRatio(keras.metrics.Metric):
    """Ratio of counts of true and false positives and negatives since the last reset.

    Masks 0/1 and probabilities have one shape `(N, ..., 1)` and any dtype; `probability >= threshold`, in
    float32, is positive, as in `mstl.evaluation.threshold`. Subclasses state a ratio in `_fraction`. A ratio
    of 0 / 0 is 1 if mask and prediction were both empty all along, else 0: callbacks never compare with nan.
    Raises `InputError` for a threshold outside (0, 1], shapes that differ, or sample weights.
    """

    def __init__(self, threshold: float = THRESHOLD, *, name: str | None = None, dtype: str = "float64"):
        super().__init__(name=name or type(self).__name__.lower(), dtype=dtype)
        if not 0.0 < threshold <= 1.0:
            raise InputError(f"Threshold is {threshold}; a probability above 0, at most 1, is expected.")
        self.threshold = threshold
        self.counts = self.add_weight("counts", shape=(4,), initializer="zeros", dtype="float64")

    @tf.autograph.experimental.do_not_convert  # autograph would turn InputError into an error of its own
    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> None:
        """Count one batch."""
        if sample_weight is not None:
            raise InputError(f"Metric {self.name} got sample weights; it counts voxels. Leave weights out.")
        truth, probability = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
        if not truth.shape.is_compatible_with(probability.shape):
            raise InputError(
                f"Masks have shape {truth.shape}, probabilities {probability.shape}; they must be equal. "
                "Give both the shape (N, ..., 1)."
            )
        truth = tf.cast(truth, tf.float32) >= 0.5
        positive = tf.cast(probability, tf.float32) >= self.threshold
        tp, total = _count(truth & positive), tf.size(truth, out_type=tf.int64)
        fp, fn = _count(positive) - tp, _count(truth) - tp
        self.counts.assign_add(tf.cast(tf.stack([tp, fp, fn, total - tp - fp - fn]), tf.float64))

    def result(self) -> tf.Tensor:
        """The ratio, a float64 scalar in [0, 1]."""
        tp, fp, fn, _ = tf.unstack(self.counts)
        numerator, denominator = self._fraction(tp, fp, fn)
        undefined = tf.cast(tf.equal(tp + fp + fn, 0.0), tf.float64)
        return tf.where(tf.equal(denominator, 0.0), undefined, tf.math.divide_no_nan(numerator, denominator))

    def reset_state(self) -> None:
        """Forget all counts."""
        self.counts.assign(tf.zeros(4, tf.float64))

    def get_config(self) -> dict:
        """Arguments that build the metric again."""
        return {**super().get_config(), "threshold": self.threshold}

    def _fraction(self, tp: tf.Tensor, fp: tf.Tensor, fn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Numerator and denominator."""
        raise TypeError(f"{type(self).__name__} states no ratio; use Dice, IoU, Precision or Sensitivity.")


class Dice(VoxelRatio):
    """`2 TP / (2 TP + FP + FN)` of the epoch's voxels."""

    def _fraction(self, tp, fp, fn):
        return 2.0 * tp, 2.0 * tp + fp + fn


class IoU(VoxelRatio):
    """`TP / (TP + FP + FN)` of the epoch's voxels."""

    def _fraction(self, tp, fp, fn):
        return tp, tp + fp + fn


class Precision(VoxelRatio):
    """`TP / (TP + FP)` of the epoch's voxels."""

    def _fraction(self, tp, fp, fn):
        return tp, tp + fp


class Sensitivity(VoxelRatio):
    """`TP / (TP + FN)` of the epoch's voxels."""

    def _fraction(self, tp, fp, fn):
        return tp, tp + fn


def training_metrics(
    *, num_classes: int = 1, labels: Sequence[int] = (), threshold: float = THRESHOLD
) -> list[keras.metrics.Metric]:
    """Fresh metrics for `model.compile(metrics=...)` of a model with `num_classes` output channels.

    One channel: `dice`, `precision` and `sensitivity` at `threshold`. More: those of `ClassScores`, each class named
    by its value in `labels`, else by its number.
    """
    if num_classes == 1:
        return [Dice(threshold), Precision(threshold), Sensitivity(threshold)]
    return [ClassScores(labels or range(1, num_classes))]


def _count(mask: tf.Tensor) -> tf.Tensor:
    return tf.math.count_nonzero(mask, dtype=tf.int64)
