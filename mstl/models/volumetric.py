"""Layers of networks for volumes `(N, D, H, W, C)` that Keras does not have: instance norm, trilinear doubling."""
from __future__ import annotations

from mstl._keras import keras, tf

EPSILON = 1e-5


@keras.utils.register_keras_serializable("mstl")
class InstanceNormalization(keras.layers.Layer):
    """Every channel of every sample brought to mean 0 and variance 1 over its own voxels; no weights.

    Input and output `(N, ..., C)` of any rank from 3; under mixed precision statistics are float32. What a window of a
    volume gives depends on what else is in the window. Source: Ulyanov et al. 2016, arXiv 1607.08022.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Normalise."""
        shape = tf.shape(inputs)
        flat = tf.reshape(inputs, (shape[0], -1, inputs.shape[-1]))
        return tf.reshape(_normalised(flat), shape)


@tf.custom_gradient
def _normalised(flat: tf.Tensor) -> tf.Tensor:
    """`(N, V, C)` normalised over V. The gradient in closed form takes fewer passes than what TensorFlow derives."""
    values = tf.cast(flat, tf.float32)
    mean = tf.reduce_mean(values, axis=1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(values, mean), axis=1, keepdims=True)
    scale = tf.math.rsqrt(variance + EPSILON)
    normalised = (values - mean) * scale

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        up = tf.cast(upstream, tf.float32)
        along = tf.reduce_mean(up * normalised, axis=1, keepdims=True)
        return tf.cast(scale * (up - tf.reduce_mean(up, axis=1, keepdims=True) - normalised * along), flat.dtype)

    return tf.cast(normalised, flat.dtype), gradient


@keras.utils.register_keras_serializable("mstl")
class TrilinearUpSampling(keras.layers.Layer):
    """Twice the sides by trilinear interpolation between voxel centres; the border is repeated.

    `(N, D, H, W, C)` to `(N, 2D, 2H, 2W, C)`; PyTorch calls it `interpolate(mode="trilinear", align_corners=False)`.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Double each side in turn."""
        for axis in (1, 2, 3):
            inputs = _doubled(inputs, axis)
        return inputs

    def compute_output_shape(self, input_shape: tuple) -> tf.TensorShape:
        """`input_shape` with doubled sides."""
        sides = [None if side is None else 2 * side for side in input_shape[1:4]]
        return tf.TensorShape([input_shape[0], *sides, input_shape[4]])


def _doubled(values: tf.Tensor, axis: int) -> tf.Tensor:
    """One side doubled: each voxel becomes two, a quarter of the way to its neighbours."""
    first, last = tf.gather(values, [0], axis=axis), tf.gather(values, [-1 + tf.shape(values)[axis]], axis=axis)
    inner = [slice(None)] * 5
    before, after = list(inner), list(inner)
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    left = tf.concat([first, values[tuple(before)]], axis)
    right = tf.concat([values[tuple(after)], last], axis)
    pairs = tf.stack([0.75 * values + 0.25 * left, 0.75 * values + 0.25 * right], axis + 1)
    shape = tf.unstack(tf.shape(values))
    shape[axis] *= 2
    doubled = tf.reshape(pairs, shape)
    static = values.shape.as_list()
    static[axis] = None if static[axis] is None else 2 * static[axis]
    return tf.ensure_shape(doubled, static)
