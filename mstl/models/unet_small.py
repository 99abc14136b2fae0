"""A small 2D U-Net, for weights that ship with the package and trainings of minutes."""
from __future__ import annotations

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.recipes import buildable

WIDTH = 12  # filters of the first level; each level below has twice as many
DEPTH = 4  # poolings


@buildable("unet-small")
def unet_small(*, channels: int, num_classes: int = 1, width: int = WIDTH, depth: int = DEPTH) -> keras.Model:
    """Build a plain U-Net for images `(N, H, W, channels)`, H and W multiples of `2**depth`.

    Each level is twice a 3x3 convolution, batch norm and ReLU; 2x2 max-pooling leads down, a 2x2 transposed
    convolution up, beside the encoder's map of that size. `width` filters at the top double at each level. At
    three channels it has 1,095,589 parameters. Layers are named after what they belong to: `encoder1_conv1` ...
    `encoder4_bn2`, `bottleneck_conv1`, `decoder1_up` (the deepest) ... `decoder4_bn2`, `final_conv`.

    num_classes: 1 gives a sigmoid, more a softmax with the background counted. Output `(N, H, W, num_classes)`
    float32 probabilities. Raises `InputError` for a number below 1.

    Source: Ronneberger et al. 2015, arXiv 1505.04597; batch norm and padded convolutions are additions.
    """
    _check(channels=channels, num_classes=num_classes, width=width, depth=depth)
    image = maps = keras.layers.Input((None, None, channels), name="image")
    skips = []
    for level in range(1, depth + 1):
        maps = _convolutions(maps, width * 2 ** (level - 1), f"encoder{level}")
        skips.append(maps)
        maps = keras.layers.MaxPooling2D(name=f"encoder{level}_pool")(maps)
    maps = _convolutions(maps, width * 2**depth, "bottleneck")
    for level, skip in enumerate(reversed(skips), 1):
        maps = _decode(maps, skip, f"decoder{level}")
    activation = "sigmoid" if num_classes == 1 else "softmax"
    logits = keras.layers.Conv2D(num_classes, 1, name="final_conv")(maps)
    probability = keras.layers.Activation(activation, dtype="float32", name=activation)(logits)
    return keras.Model(image, probability, name="unet_small")


def _convolutions(maps: tf.Tensor, filters: int, name: str) -> tf.Tensor:
    """Twice convolution, batch norm and ReLU."""
    for number in (1, 2):
        maps = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{number}")(maps)
        maps = keras.layers.BatchNormalization(name=f"{name}_bn{number}")(maps)
        maps = keras.layers.ReLU(name=f"{name}_relu{number}")(maps)
    return maps


def _decode(maps: tf.Tensor, skip: tf.Tensor, name: str) -> tf.Tensor:
    """Double the sides, put the encoder's map beside, convolve."""
    filters = skip.shape[-1]
    maps = keras.layers.Conv2DTranspose(filters, 2, strides=2, name=f"{name}_up")(maps)
    maps = keras.layers.Concatenate(name=f"{name}_concat")([skip, maps])
    return _convolutions(maps, filters, name)


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name} is {number}; at least 1 is expected. Give unet_small a positive {name}.")
