"""A variational autoencoder of 3x3x3 kernels: what convolutions of trained networks look like."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mstl._keras import keras
from mstl.config_kernel_prior import check_range
from mstl.errors import InputError

LATENT = 6  # Kuzina et al. 2019
PUBLISHED_RANGE = (-1.0, 1.0)  # the same
LOG_VARIANCE_RANGE = (-10.0, 1.0)
WIDTHS = (32, 64, 128)  # of the encoder; those of the decoder are the same, reversed
KERNEL_SHAPE = (3, 3, 3)

_convolution = partial(keras.layers.Conv3D, padding="same", dtype="float32")
_dense = partial(keras.layers.Dense, dtype="float32")


@dataclass(frozen=True, eq=False)
class KernelVAE:
    """Both halves of an autoencoder of kernels of unit scale, float32 under any policy.

    `encoder`: kernels `(N, 3, 3, 3, 1)` to [mean, log variance] of their codes, each `(N, latent)`. `decoder`: codes
    `(N, latent)` to [mean, log variance] of the kernels' elements, each `(N, 3, 3, 3, 1)`.
    """

    encoder: keras.Model
    decoder: keras.Model
    latent: int
    log_variance_range: tuple[float, float]


def kernel_vae(*, latent: int = LATENT, log_variance_range: Sequence[float] = LOG_VARIANCE_RANGE) -> KernelVAE:
    """Build the autoencoder of 3x3x3 kernels, with 66,124 weights in its encoder and 470,306 in its decoder.

    Encoder: 3x3x3 convolution to 32 maps, max-pooling to 2x2x2, 3x3x3 convolution to 64, max-pooling to 1x1x1, 1x1x1
    convolution to 128, and two dense heads. Decoder: dense to 128, a convolution of that single voxel, a transposed
    3x3x3 convolution back to 3x3x3, 1x1x1 convolutions to 64 and 32, and two 1x1x1 heads. ELU between them. Of the
    published decoder's first 3x3x3 convolution only the middle of the kernel can meet anything but padding: that
    middle, a 1x1x1 kernel, is the layer here.

    latent: numbers of a code. log_variance_range: (lowest, highest) log variance of an element that the decoder can
    give, through a tanh as its mean, which is in (-1, 1). The published (-1, 1) means standard deviations of at least
    0.6, where kernels of unit scale have about 0.3 in all: held-out kernels of a trained network got a bound of -14.3
    nats with it, -2.0 with the default, and -4.5 from a Gaussian of each element.
    Raises `InputError` for a latent below 1, and a range that is none.

    Source: Kuzina et al. 2019, doi 10.3389/fnins.2019.00844; Atanov et al. 2018, arXiv 1810.06943.
    """
    if latent < 1:
        raise InputError(f"latent is {latent}; at least 1 is expected. Give a positive number.")
    check_range(log_variance_range)
    low, high = map(float, log_variance_range)
    return KernelVAE(_encoder(latent), _decoder(latent, low, high), latent, (low, high))


def _encoder(latent: int) -> keras.Model:
    kernel = maps = keras.layers.Input((*KERNEL_SHAPE, 1), dtype="float32", name="kernel")
    for number, width in enumerate(WIDTHS[:2], start=1):
        maps = _convolution(width, 3, name=f"conv{number}")(maps)
        maps = keras.layers.MaxPooling3D(padding="same", dtype="float32", name=f"pool{number}")(maps)
        maps = _elu(f"elu{number}")(maps)
    maps = _elu("elu3")(_convolution(WIDTHS[2], 1, name="conv3")(maps))
    features = keras.layers.Flatten(dtype="float32", name="features")(maps)
    heads = [_dense(latent, name=name)(features) for name in ("code_mean", "code_log_variance")]
    return keras.Model(kernel, heads, name="kernel_encoder")


def _decoder(latent: int, low: float, high: float) -> keras.Model:
    code = keras.layers.Input((latent,), dtype="float32", name="code")
    maps = _dense(WIDTHS[2], name="dense")(code)
    maps = keras.layers.Reshape((1, 1, 1, WIDTHS[2]), dtype="float32", name="voxel")(maps)
    maps = _elu("elu1")(_convolution(WIDTHS[2], 1, name="conv1")(maps))
    maps = _elu("elu2")(keras.layers.Conv3DTranspose(WIDTHS[2], 3, dtype="float32", name="conv2")(maps))
    for number, width in enumerate(reversed(WIDTHS[:2]), start=3):
        maps = _elu(f"elu{number}")(_convolution(width, 1, name=f"conv{number}")(maps))
    mean = _convolution(1, 1, activation="tanh", name="mean")(maps)
    bounded = _convolution(1, 1, activation="tanh", name="log_variance")(maps)
    middle, half = (low + high) / 2, (high - low) / 2
    log_variance = keras.layers.Rescaling(half, offset=middle, dtype="float32", name="range")(bounded)
    return keras.Model(code, [mean, log_variance], name="kernel_decoder")


def _elu(name: str) -> keras.layers.Layer:
    return keras.layers.Activation("elu", dtype="float32", name=name)
