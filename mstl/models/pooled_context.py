"""Layers that see a map as a whole: averages over a grid of bins, and their return to the map's size."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.errors import InputError


@keras.utils.register_keras_serializable("mstl")
class BinAveragePooling2D(keras.layers.Layer):
    """Averages over `bins` x `bins` parts of a map of any size, `(N, H, W, C)` to `(N, bins, bins, C)`.

    Bin i of a side of n pixels is from floor(i * n / bins) to ceil((i + 1) * n / bins), so that neighbours share a
    pixel where n is no multiple, and a map smaller than `bins` repeats pixels; PyTorch calls it
    `adaptive_avg_pool2d`. Sums are float32 in half precision too. Raises `InputError` for fewer than one bin.
    """

    def __init__(self, bins: int, **options) -> None:
        super().__init__(**options)
        if bins < 1:
            raise InputError(f"bins is {bins}; at least 1 is expected, as 6 for averages over 6 x 6 parts.")
        self.bins = bins

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Average."""
        count, height, width, _ = tf.unstack(tf.shape(inputs))
        channels, bins = inputs.shape[-1], self.bins
        values = tf.reshape(tf.cast(inputs, tf.float32), (count, height, width * channels))
        rows = tf.reshape(tf.matmul(_shares(height, bins), values), (count * bins, width, channels))
        averages = tf.reshape(tf.matmul(_shares(width, bins), rows), (count, bins, bins, channels))
        return tf.cast(averages, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tf.TensorShape:
        """The bins' number in place of both sides."""
        return tf.TensorShape([input_shape[0], self.bins, self.bins, input_shape[3]])

    def get_config(self) -> dict:
        """Arguments from which the layer can be built again."""
        return {**super().get_config(), "bins": self.bins}


def _shares(side: tf.Tensor, bins: int) -> tf.Tensor:
    """Weight `(bins, side)` of every pixel in every bin's average."""
    number, pixel = tf.range(bins)[:, None], tf.range(side)[None]
    inside = (pixel >= number * side // bins) & (pixel < -(-(number + 1) * side // bins))
    weights = tf.cast(inside, tf.float32)
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


@keras.utils.register_keras_serializable("mstl")
class ResizeLike(keras.layers.Layer):
    """A map brought to the sides of another by bilinear interpolation between pixel centres.

    Inputs `[(N, h, w, C), (N, H, W, D)]`, output `(N, H, W, C)` of the first one's type; PyTorch calls it
    `interpolate(mode="bilinear", align_corners=False)`.
    """

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Resize the first to the sides of the second."""
        maps, like = inputs
        resized = tf.image.resize(maps, tf.shape(like)[1:3], method="bilinear")
        return tf.ensure_shape(tf.cast(resized, maps.dtype), [*resized.shape[:1], *like.shape[1:3], maps.shape[3]])

    def compute_output_shape(self, input_shape: Sequence[tuple]) -> tf.TensorShape:
        """Channels of the first, sides of the second."""
        maps, like = input_shape
        return tf.TensorShape([maps[0], *like[1:3], maps[3]])
