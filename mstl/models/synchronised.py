"""Batch norm over the replicas of a `tf.distribute` strategy: statistics of the whole batch, not of each one's part."""
from __future__ import annotations

from mstl._keras import keras, tf
from mstl.models.replicas import summed


def batch_moments(inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel over the images of all replicas, and the variance to remember; float32 `(C,)`.

    The last is the unbiased one (Bessel's correction), as TensorFlow's fused batch norm remembers it. Inputs
    `(N, ..., C)` of any rank from 2.
    """
    values, axes = tf.cast(inputs, tf.float32), list(range(inputs.shape.rank - 1))
    per_channel = tf.cast(tf.size(values) // inputs.shape[-1], tf.float32)
    *sums, count = tf.split(summed(tf.concat([tf.reduce_sum(values, axes), [per_channel]], 0)), [inputs.shape[-1], 1])
    mean = sums[0] / count
    variance = summed(tf.reduce_sum(tf.math.squared_difference(values, mean), axes)) / count
    return mean, variance, variance * count / tf.maximum(count - 1.0, 1.0)


@keras.utils.register_keras_serializable("mstl")
class SynchronisedNormalization(keras.layers.BatchNormalization):
    """Batch normalisation that trains with the statistics of the batch of all replicas, in float32.

    With one replica it computes what `BatchNormalization` computes; weights, their order and names are the same.
    Channels come last.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Normalise; while training with the batch's statistics, which are remembered."""
        if not training or not self.trainable:
            return super().call(inputs, training=False, mask=mask)
        mean, variance, remembered = batch_moments(inputs)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, remembered)):
            moving.assign_sub((moving - batch) * (1.0 - self.momentum))
        output = tf.nn.batch_normalization(
            tf.cast(inputs, tf.float32), mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(output, inputs.dtype)


def synchronise(model: keras.Model) -> None:
    """Let every ordinary batch norm of `model` train with the statistics of all replicas, nested models entered.

    The layers keep their weights and change their class, before the model is compiled. Those that normalise groups of
    their own choice (`renorm`, `virtual_batch_size`) and channels that come first stay as they are.
    """
    for layer in model.submodules:
        plain = type(layer) is keras.layers.BatchNormalization and not (layer.renorm or layer.virtual_batch_size)
        if plain and layer.built and list(layer.axis) == [layer.input_spec.ndim - 1]:
            layer.__class__ = SynchronisedNormalization
