"""The Pix2Pix generator and discriminator of the 2021 thesis work, and its generator turned into a segmenter."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mstl._keras import keras, tf
from mstl.config_gan import GENERATOR_MULTIPLE
from mstl.errors import InputError
from mstl.models.batch_norm import BatchStatisticsNormalization
from mstl.models.recipes import buildable
from mstl.models.sides import check_sides

WIDTH = 64
DROPOUT = 0.5
HEAD_WIDTH = 32
SLOPE = 0.2
ENCODER = (1, 2, 4, 8, 8)  # filters as multiples of the width; those of the decoder are the same, reversed
NORMS = {
    "batch": BatchStatisticsNormalization,
    "moving": keras.layers.BatchNormalization,
    "instance": partial(keras.layers.GroupNormalization, groups=-1),
}
DROPOUT_MODES = ("training", "always")
IMAGE_ACTIVATIONS = ("tanh", "sigmoid")

ImageShape = tuple[int | None, int | None, int]

_WEIGHTS = partial(keras.initializers.RandomNormal, mean=0.0, stddev=0.02)


@buildable("pix2pix-generator")
def generator(
    *,
    image_shape: ImageShape = (192, 192, 1),
    width: int = WIDTH,
    out_channels: int = 1,
    activation: str = "tanh",
    norm_mode: str = "batch",
    dropout: float = DROPOUT,
    dropout_mode: str = "training",
) -> keras.Model:
    """Build the generator: images `(N, H, W, C)` to images `(N, H, W, out_channels)` float32, H and W multiples of 64.

    Five convolutions of stride 2, a bottleneck of stride 2, and the way back with skip concatenations. At width 64
    it has 29,247,105 parameters for one channel in and out, and the layer names of the thesis work's `.h5` files,
    whose output layer was named automatically (`conv2d_transpose_1`). Weights are drawn from N(0, 0.02).

    image_shape: `(H, W, C)`; None for a side that may vary. activation: "tanh" for images in [-1, 1], "sigmoid" for
    [0, 1]. norm_mode: "batch" normalises with the batch's statistics in prediction too, as published, so that a
    prediction depends on what shares its batch; "moving" with the moving statistics; "instance" each image and
    channel by itself (Ulyanov et al. 2016, arXiv 1607.08022). dropout: the rate behind
    `batch_d1`. dropout_mode: "training", as the call arguments in the thesis-era files say, or "always", in prediction
    too, as Pix2Pix and the thesis' text have it; predictions then are draws. Raises `InputError` for arguments out of
    range.

    Source: Isola et al. 2017, arXiv 1611.07004.
    """
    _check_counts({"out_channels": out_channels})
    if activation not in IMAGE_ACTIVATIONS:
        raise InputError(f"activation is '{activation}'; expected one of {', '.join(IMAGE_ACTIVATIONS)}.")
    image, features = _body(image_shape, width, _norm(norm_mode), _dropout(dropout, dropout_mode))
    x = _transposed(out_channels, "conv2d_transpose_1")(features)
    return keras.Model(image, _activation(activation, 7, dtype="float32")(x), name="model_1")


@buildable("pix2pix-segmenter")
def segmentation_generator(
    *,
    channels: int,
    num_classes: int = 1,
    sides: tuple[int | None, int | None] = (None, None),
    rescale: bool = True,
    width: int = WIDTH,
    norm_mode: str = "batch",
    dropout: float = DROPOUT,
    dropout_mode: str = "training",
) -> keras.Model:
    """Build the generator as a segmenter: images `(N, H, W, channels)` to probabilities `(N, H, W, num_classes)`.

    It is `generator` up to its output: a transposed convolution to 32 channels, a 1x1 convolution, and a sigmoid;
    with more than one class, background counted, a softmax. Probabilities are float32. sides: `(H, W)` where they are
    fixed, else any multiples of 64. rescale: images in [0, 1], as prepared, are mapped to the [-1, 1] that the
    encoder of a "tanh" generator knows; False for images in [-1, 1], and for a "sigmoid" generator's encoder. The
    other arguments, and what is raised: see `generator`.

    Source: Isola et al. 2017, arXiv 1611.07004.
    """
    _check_counts({"num_classes": num_classes})
    normalise, drop = _norm(norm_mode), _dropout(dropout, dropout_mode)
    image, features = _body((*sides, channels), width, normalise, drop, rescale=rescale)
    x = _transposed(HEAD_WIDTH, "conv2d_transpose_1")(features)
    x = keras.layers.Conv2D(num_classes, 1, kernel_initializer=_WEIGHTS(), name="conv2d_1")(x)
    output = _activation("sigmoid" if num_classes == 1 else "softmax", 7, dtype="float32")(x)
    return keras.Model(image, output, name="model_1")


def discriminator(
    *, image_shape: ImageShape = (192, 192, 1), out_channels: int = 1, width: int = WIDTH
) -> keras.Model:
    """Build the discriminator: pairs of a source `(N, H, W, C)` and an image `(N, H, W, out_channels)` to patches.

    Output `(N, H / 16, W / 16, 1)` float32, the probability of each patch that the image is the source's real target.
    4x4 convolutions, four of stride 2 and two of stride 1, with ordinary batch norm from the second to the fifth:
    trained it normalises with the batch, else with its moving statistics. At width 64 it has 6,964,161 parameters for
    one channel each. Weights are drawn from N(0, 0.02). Raises `InputError` for a width or channels below 1.

    Source: Isola et al. 2017, arXiv 1611.07004.
    """
    _check_counts({"channels": image_shape[-1], "out_channels": out_channels, "width": width})
    source = keras.layers.Input(image_shape, name="input_2")
    target = keras.layers.Input((*image_shape[:2], out_channels), name="input_3")
    x = keras.layers.Concatenate(name="concatenate_6")([source, target])
    for number, factor in enumerate(ENCODER, start=1):
        x = _convolution(width * factor, f"conv2d_{number}", strides=1 if number == 5 else 2)(x)
        if number > 1:
            x = keras.layers.BatchNormalization(name=f"batch_normalization_{number - 1}")(x)
        x = _leaky(number + 5)(x)
    x = _convolution(1, "conv2d_6", strides=1)(x)
    return keras.Model([source, target], _activation("sigmoid", 8, dtype="float32")(x), name="model_2")


def _body(
    image_shape: ImageShape,
    width: int,
    norm: Callable[..., keras.layers.Layer],
    drop: Callable[[tf.Tensor], tf.Tensor],
    *,
    rescale: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Input, and the features that the output layers read; `drop` comes behind `batch_d1`."""
    if len(image_shape) != 3:
        raise InputError(f"image_shape is {tuple(image_shape)}; (height, width, channels) is expected.")
    _check_counts({"channels": image_shape[-1], "width": width})
    check_sides(image_shape[:2], multiple=GENERATOR_MULTIPLE)
    image = x = keras.layers.Input(image_shape, name="input_1")
    if rescale:
        x = keras.layers.Rescaling(2.0, offset=-1.0, name="rescaling")(x)
    skips = []
    for number, factor in enumerate(ENCODER, start=1):
        x = _convolution(width * factor, f"conv_e{number}")(x)
        if number > 1:
            x = norm(name=f"batch_e{number}")(x)
        x = _leaky(number)(x)
        skips.append(x)
    x = _activation("relu", 1)(_convolution(width * ENCODER[-1], "bottleneck")(x))
    for number, (factor, skip) in enumerate(zip(ENCODER[::-1], skips[::-1], strict=True), start=1):
        x = norm(name=f"batch_d{number}")(_transposed(width * factor, f"conv_d{number}")(x))
        if number == 1:
            x = drop(x)
        x = keras.layers.Concatenate(name=f"concatenate_{number}")([x, skip])
        x = _activation("relu", number + 1)(x)
    return image, x


def _norm(mode: str) -> Callable[..., keras.layers.Layer]:
    if mode not in NORMS:
        raise InputError(f"norm_mode is '{mode}'; expected one of {', '.join(NORMS)}.")
    return NORMS[mode]


def _dropout(rate: float, mode: str) -> Callable[[tf.Tensor], tf.Tensor]:
    if not 0 <= rate < 1:
        raise InputError(f"dropout is {rate}; from 0 to below 1 is expected, as 0.5.")
    if mode not in DROPOUT_MODES:
        raise InputError(f"dropout_mode is '{mode}'; expected one of {', '.join(DROPOUT_MODES)}.")
    layer = keras.layers.Dropout(rate, name="dropout_1")
    return partial(layer, training=True) if mode == "always" else layer


def _convolution(filters: int, name: str, *, strides: int = 2) -> keras.layers.Layer:
    return keras.layers.Conv2D(filters, 4, strides, padding="same", kernel_initializer=_WEIGHTS(), name=name)


def _transposed(filters: int, name: str) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(filters, 4, 2, padding="same", kernel_initializer=_WEIGHTS(), name=name)


def _leaky(number: int) -> keras.layers.Layer:
    return keras.layers.LeakyReLU(SLOPE, name=f"leaky_re_lu_{number}")


def _activation(function: str, number: int, *, dtype: str | None = None) -> keras.layers.Layer:
    return keras.layers.Activation(function, name=f"activation_{number}", dtype=dtype)


def _check_counts(counts: dict[str, int]) -> None:
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; at least 1 is expected.")
