"""The 2D U-Net with a ResNet-34 encoder, from segmentation-models."""
from __future__ import annotations

from mstl._keras import keras, sm
from mstl.errors import InputError
from mstl.models.recipes import buildable

STEMS = ("conv1x1", "direct")


@buildable("unet-resnet34")
def unet_resnet34(*, channels: int, num_classes: int = 1, stem: str = "conv1x1") -> keras.Model:
    """Build segmentation-models' `Unet('resnet34')` for images `(N, H, W, channels)`, H and W multiples of 32.

    stem "conv1x1" maps any number of channels to the encoder's three by a 1x1 convolution and nests the
    U-Net behind it: with `channels=1` this is the model of the 2021 thesis work, with the layer names of its
    `.h5` files (`input_1`, `conv2d`, `model_1`; 24,456,160 parameters). stem "direct" gives the U-Net itself
    (24,456,154 parameters at three channels). Weights are random; `mstl.transfer_weights` brings others.

    num_classes: 1 gives a sigmoid, more a softmax with the background counted. Output `(N, H, W, num_classes)`
    float32 probabilities. Raises `InputError` for a stem that does not exist, or fewer than one channel or class.

    Source: Ronneberger et al. 2015, arXiv 1505.04597; He et al. 2016, arXiv 1512.03385.
    """
    if channels < 1 or num_classes < 1:
        raise InputError(f"channels is {channels}, num_classes {num_classes}; both must be at least 1.")
    if stem not in STEMS:
        raise InputError(f"Stem '{stem}' is unknown. Choose one of {', '.join(STEMS)}.")
    direct, activation = stem == "direct", "sigmoid" if num_classes == 1 else "softmax"
    unet = sm.Unet(
        "resnet34",
        input_shape=(None, None, channels if direct else 3),
        classes=num_classes,
        activation=activation,
        encoder_weights=None,
    )
    head = keras.layers.Activation(activation, dtype="float32", name=activation)  # its own follows the global policy
    unet = keras.Model(unet.inputs, head(unet.get_layer("final_conv").output), name="model_1")
    if direct:
        return unet
    image = keras.layers.Input((None, None, channels), name="input_1")
    colours = keras.layers.Conv2D(3, (1, 1), name="conv2d")(image)
    return keras.Model(image, unet(colours), name="model_2")
