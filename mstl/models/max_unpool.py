"""Max-pooling that remembers where each maximum stood, and unpooling that puts values back there."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras, tf
from mstl.errors import InputError

WINDOW = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1], "padding": "VALID"}
RANK = 4  # (N, H, W, C)


@keras.utils.register_keras_serializable("mstl")
class MaxPoolWithIndices(keras.layers.Layer):
    """The maximum of every 2x2 window of maps `(N, H, W, C)`, and where it stood: `(N, H//2, W//2, C)`, twice.

    The second output, int32, counts the places of one image in the order of memory, `(row * W + column) * C + channel`;
    of equal maxima the first is taken. An odd side's last row or column is in no window. `MaxUnpool` reads the places.
    Raises `InputError` for maps that are no images, and for sides below 2.
    """

    def call(self, inputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Pool."""
        shape = inputs.shape
        if shape.rank != RANK or any(side is not None and side < 2 for side in shape[1:3]):
            raise InputError(
                f"Layer {self.name} is given maps of shape {tuple(shape)}; (N, H, W, C) with sides of at least 2 are "
                "expected. Give the network larger images: SegNet takes sides from 32."
            )
        return _pooled(inputs)


@keras.utils.register_keras_serializable("mstl")
class MaxUnpool(keras.layers.Layer):
    """Values put back to where the maxima of a pooling stood, zeros elsewhere: the partner of `MaxPoolWithIndices`.

    Called with a list of three: maps `(N, H//2, W//2, C)`, the places that the pooling gave, and the maps
    `(N, H, W, C)` that it pooled, of which only the shape is used: so odd sides come back exactly. Output
    `(N, H, W, C)`. Raises `InputError` for shapes that do not belong together, and
    `tf.errors.InvalidArgumentError` for places outside of their window, as those of another pooling are.

    Source: Badrinarayanan, Kendall and Cipolla 2017, arXiv 1511.00561.
    """

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Unpool."""
        if not isinstance(inputs, Sequence) or len(inputs) != 3:
            raise InputError(
                f"Layer {self.name} is called with a list [maps, places, pooled maps]: what is to be unpooled, the "
                "second output of a MaxPoolWithIndices, and what went into that."
            )
        maps, places, like = inputs
        self._check_shapes(maps, places, like)
        message = f"The places given to layer {self.name} are those of another pooling. Give those of its own"
        with tf.control_dependencies([tf.debugging.Assert(_belong(maps, places, like), [message])]):
            places = tf.identity(places)
        return _unpooled(maps, places, like)

    def compute_output_shape(self, input_shape: Sequence) -> tf.TensorShape:
        """The shape of what was pooled."""
        return tf.TensorShape(input_shape[2])

    def _check_shapes(self, maps: tf.Tensor, places: tf.Tensor, like: tf.Tensor) -> None:
        """Raise what can be said before there are images: sides may still be unknown."""
        batch, *sides, channels = like.shape if like.shape.rank == RANK else [None] * RANK
        expected = tf.TensorShape([batch, *(side if side is None else side // 2 for side in sides), channels])
        fits = expected.is_compatible_with(maps.shape) and expected.is_compatible_with(places.shape)
        if like.shape.rank != RANK or not fits or places.dtype != tf.int32:
            raise InputError(
                f"Layer {self.name} is given maps {tuple(maps.shape)} and places {tuple(places.shape)} of type "
                f"{places.dtype.name} to restore {tuple(like.shape)}, whose pooling gives {tuple(expected)} and int32. "
                "Give it the places of the pooling that is to be undone."
            )


def _belong(maps: tf.Tensor, places: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Whether all shapes are those of one pooling and every place is in its window; else a kernel ends the process."""
    images, rows, columns, channels = tf.unstack(tf.shape(like))
    expected = tf.stack([images, rows // 2, columns // 2, channels])
    alike = tf.reduce_all((tf.shape(maps) == expected) & (tf.shape(places) == expected))

    def in_windows() -> tf.Tensor:
        down, right = columns * channels, channels
        row, column, channel = map(tf.range, tf.unstack(expected[1:]))
        step = places - (2 * down * row[:, None, None] + 2 * right * column[:, None] + channel)
        return tf.reduce_all((step == 0) | (step == right) | (step == down) | (step == down + right))

    return tf.cond(alike, in_windows, lambda: False)


@tf.custom_gradient
def _pooled(maps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Maxima and places. Half precision goes through float32, for which alone TensorFlow's kernel is quick."""
    values = maps if maps.dtype == tf.float64 else tf.cast(maps, tf.float32)
    highest, places = tf.nn.max_pool_with_argmax(values, 2, 2, "VALID", output_dtype=tf.int32)

    def gradient(upstream: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        """Of the maxima; places have none."""
        return _put(upstream, places, maps)

    return (tf.cast(highest, maps.dtype), places), gradient


def _unpooled(maps: tf.Tensor, places: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    @tf.custom_gradient
    def put(maps: tf.Tensor) -> tf.Tensor:
        """Each value to its place, and the gradient from there."""
        return _put(maps, places, like), lambda upstream: _taken(upstream, places)

    return put(maps)


def _put(values: tf.Tensor, places: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
    """Zeros in the shape of `like`, with `values` in their places."""
    places = tf.cast(places, tf.int64)
    return tf.raw_ops.MaxPoolGradWithArgmax(input=tf.cast(like, values.dtype), grad=values, argmax=places, **WINDOW)


def _taken(maps: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """What stands in `maps` at the places."""
    images, all_values = tf.shape(maps, tf.int64)[0], tf.size(maps, tf.int64)
    first = tf.reshape(tf.range(images) * (all_values // images), (-1, 1, 1, 1))
    return tf.gather(tf.reshape(maps, [-1]), tf.cast(places, tf.int64) + first)
