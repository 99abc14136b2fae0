"""Convolution, batch norm and ReLU in a row, as the 2D networks of mmsegmentation are made of them."""
from __future__ import annotations

from mstl._keras import keras, tf

MOMENTUM, EPSILON = 0.9, 1e-5  # of batch norm in those networks; PyTorch calls this momentum 0.1


def convolved(maps: tf.Tensor, filters: int, names: str, *, size: int = 3, dilation: int = 1) -> tf.Tensor:
    """A convolution without bias, batch norm and ReLU.

    names: with braces for what a layer is, so that "encoder1_{}2" gives encoder1_conv2, encoder1_bn2, encoder1_relu2.
    """
    return normalised(bare_convolution(maps, filters, names, size=size, dilation=dilation), names)


def bare_convolution(maps: tf.Tensor, filters: int, names: str, *, size: int = 3, dilation: int = 1) -> tf.Tensor:
    """The convolution alone, its weights drawn as He et al. 2015, arXiv 1502.01852."""
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal", "dilation_rate": dilation}
    return keras.layers.Conv2D(filters, size, name=names.format("conv"), **options)(maps)


def normalised(maps: tf.Tensor, names: str) -> tf.Tensor:
    """Batch norm and ReLU alone."""
    norm = keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=names.format("bn"))
    return keras.layers.ReLU(name=names.format("relu"))(norm(maps))
