"""Metrics of segmentations with several classes: voxels are counted over the whole epoch, ratios formed afterwards."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.errors import InputError


class ClassScores(keras.metrics.Metric):
    """Overlap of the likeliest class with the mask, over all voxels since the last reset.

    Masks `(N, ..., 1)` hold class numbers, probabilities are `(N, ..., K)`, K at least 2. The result is a dictionary:
    `dice`, `iou`, `precision`, `sensitivity` and `specificity`, each the mean over the classes but background, and
    `dice_NAME` of each, `names` being those of the classes 1, 2, ... A ratio of 0 / 0 is 1 where neither masks nor
    predictions had the class, else 0. Counts are float64. Raises `InputError` for another number of classes than names.
    """

    def __init__(self, names: Sequence[str | int], *, name: str = "classes", dtype: str = "float64") -> None:
        super().__init__(name=name, dtype=dtype)
        self.names = [str(one) for one in names]
        classes = len(self.names) + 1
        self.counts = self.add_weight("counts", shape=(classes, classes), initializer="zeros", dtype="float64")

    @tf.autograph.experimental.do_not_convert  # autograph would turn InputError into an error of its own
    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: None = None) -> None:
        """Count one batch."""
        if sample_weight is not None:
            raise InputError(f"Metric {self.name} got sample weights; it counts voxels. Leave weights out.")
        classes = len(self.names) + 1
        if y_pred.shape[-1] != classes:
            raise InputError(
                f"Probabilities have {y_pred.shape[-1]} channels, {classes} are expected: background and "
                f"{', '.join(self.names)}. Build the model with num_classes={classes}."
            )
        truth = tf.reshape(tf.cast(y_true, tf.int32), (-1,))
        predicted = tf.reshape(tf.argmax(y_pred, -1, output_type=tf.int32), (-1,))
        self.counts.assign_add(tf.math.confusion_matrix(truth, predicted, classes, dtype=tf.float64))

    def result(self) -> dict[str, tf.Tensor]:
        """The ratios by name, float64 scalars in [0, 1]."""
        tp = tf.linalg.diag_part(self.counts)[1:]
        fn, fp = tf.reduce_sum(self.counts, 1)[1:] - tp, tf.reduce_sum(self.counts, 0)[1:] - tp
        tn, absent = tf.reduce_sum(self.counts) - tp - fn - fp, tf.equal(tp + fn + fp, 0.0)
        dice = _ratio(2.0 * tp, 2.0 * tp + fp + fn, absent)
        others = {
            "iou": _ratio(tp, tp + fp + fn, absent),
            "precision": _ratio(tp, tp + fp, absent),
            "sensitivity": _ratio(tp, tp + fn, absent),
            "specificity": _ratio(tn, tn + fp, absent),
        }
        means = {name: tf.reduce_mean(values) for name, values in ({"dice": dice} | others).items()}
        return means | {f"dice_{name}": dice[index] for index, name in enumerate(self.names)}

    def reset_state(self) -> None:
        """Forget all counts."""
        self.counts.assign(tf.zeros_like(self.counts))

    def get_config(self) -> dict:
        """Arguments that build the metric again."""
        return {**super().get_config(), "names": self.names}


def _ratio(part: tf.Tensor, whole: tf.Tensor, absent: tf.Tensor) -> tf.Tensor:
    undefined = tf.cast(absent, tf.float64)
    return tf.where(tf.equal(whole, 0.0), undefined, tf.math.divide_no_nan(part, whole))
