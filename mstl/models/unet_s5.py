"""The U-Net S5-D16 of mmsegmentation: five stages, down to a sixteenth, with a head of choice."""
from __future__ import annotations

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.convolved import bare_convolution, convolved, normalised
from mstl.models.heads import DROPOUT, with_heads
from mstl.models.recipes import buildable

WIDTH = 64
STAGES = 5
IMAGE_ACTIVATIONS = ("tanh", "sigmoid")


@buildable("unet-s5")
def unet_s5(
    *,
    channels: int,
    num_classes: int = 1,
    width: int = WIDTH,
    head: str = "fcn",
    auxiliary: bool = True,
    dropout: float = DROPOUT,
) -> keras.Model:
    """Build the U-Net S5-D16 for images `(N, H, W, channels)`, H and W multiples of 16.

    Stage i of the encoder is twice a 3x3 convolution of `width * 2**(i - 1)` filters, batch norm and ReLU, behind 2x2
    max-pooling from the second on. The decoder doubles the sides by bilinear interpolation, halves the channels by a
    1x1 convolution with batch norm and ReLU, puts the encoder's map beside and convolves twice. Interpolation and 1x1
    convolution commute: the convolution comes first here, on a quarter of the pixels. head, auxiliary, dropout and
    num_classes: see `mstl.models.heads.with_heads`; the auxiliary head sits on the decoder's map of half the image's
    sides. Output `(N, H, W, num_classes)` float32 probabilities. Layers are named after what they belong to:
    `encoder1_conv1` ... `encoder5_bn2`, `decoder1_reduce_conv` (the deepest) ... `decoder4_bn2`, `head_conv`,
    `head_classifier`, `auxiliary_conv`, `auxiliary_classifier`.

    Parameters at width w, c channels, k outputs (num_classes) and n = max(w // 4, min(w, 16)), four of them for each
    filter of a batch norm: encoder 9cw + 4599w^2 + 248w; decoder 2465w^2 + 180w; FCN 9w^2 + 4w + k(w + 1), PSP
    9n(w + 4n) + 4wn + 20n + k(n + 1), ASPP 29wn + 45n^2 + 24n + k(n + 1); auxiliary head 18w^2 + 4w + k(w + 1). At
    width 64, three channels and two classes these are 18,855,104, 10,108,160, 37,250, 22,882, 41,634 and 74,114:
    29,074,628 with the FCN head.

    Raises `InputError` as `with_heads` does.

    Sources: Ronneberger et al. 2015, arXiv 1505.04597; mmsegmentation, "UNet-S5-D16".
    """
    image, maps = _backbone(channels, width)
    output = with_heads(
        maps[-1], maps[-2] if auxiliary else None, head=head, width=width, num_classes=num_classes, dropout=dropout
    )
    return keras.Model(image, output, name="unet_s5")


@buildable("unet-s5-generator")
def unet_s5_generator(
    *, channels: int, out_channels: int = 1, width: int = WIDTH, activation: str = "tanh"
) -> keras.Model:
    """Build the encoder and decoder of `unet_s5` with a 1x1 convolution to an image `(N, H, W, out_channels)` float32.

    It is what a self-supervised pre-training trains. activation: "tanh" for images in [-1, 1], "sigmoid" for [0, 1].
    Raises `InputError` for another one and for a number below 1.
    """
    if activation not in IMAGE_ACTIVATIONS:
        raise InputError(f"activation is '{activation}'; expected one of {', '.join(IMAGE_ACTIVATIONS)}.")
    _check(out_channels=out_channels)
    image, maps = _backbone(channels, width)
    values = keras.layers.Conv2D(out_channels, 1, name="head_image")(maps[-1])
    output = keras.layers.Activation(activation, dtype="float32", name=activation)(values)
    return keras.Model(image, output, name="unet_s5_generator")


def _backbone(channels: int, width: int) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The input, and the decoder's maps from the lowest resolution to the image's own."""
    _check(channels=channels, width=width)
    image = maps = keras.layers.Input((None, None, channels), name="image")
    skips = []
    for stage in range(1, STAGES + 1):
        if stage > 1:
            maps = keras.layers.MaxPooling2D(name=f"encoder{stage}_pool")(maps)
        maps = _twice(maps, width * 2 ** (stage - 1), f"encoder{stage}")
        skips.append(maps)
    decoded = []
    for stage, skip in enumerate(reversed(skips[:-1]), start=1):
        maps = _decoded(maps, skip, f"decoder{stage}")
        decoded.append(maps)
    return image, decoded


def _twice(maps: tf.Tensor, filters: int, name: str) -> tf.Tensor:
    for number in (1, 2):
        maps = convolved(maps, filters, f"{name}_{{}}{number}")
    return maps


def _decoded(maps: tf.Tensor, skip: tf.Tensor, name: str) -> tf.Tensor:
    """Double the sides and halve the channels, put the encoder's map beside, convolve."""
    filters, names = skip.shape[-1], f"{name}_reduce_{{}}"
    maps = bare_convolution(maps, filters, names, size=1)
    maps = keras.layers.UpSampling2D(interpolation="bilinear", name=f"{name}_up")(maps)
    maps = keras.layers.Concatenate(name=f"{name}_concat")([skip, normalised(maps, names)])
    return _twice(maps, filters, name)


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name} is {number}; at least 1 is expected. Give a positive number.")
