"""SegNet: an encoder in the shape of VGG16, and a decoder that unpools by the places of its maxima."""
from __future__ import annotations

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.max_unpool import MaxPoolWithIndices, MaxUnpool
from mstl.models.recipes import buildable

BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))  # of VGG16: filters in units of the width, convolutions
WIDTH = 64  # of VGG16
KERNEL = 5  # of the study of brain tumours; VGG16 and the SegNet of 2017 have 3
NORM_MOMENTUM = 0.5  # of the study of brain tumours
EPSILON = 1e-5  # PyTorch's, in which the study was written


@buildable("segnet")
def segnet(
    *, channels: int, num_classes: int = 1, width: int = WIDTH, kernel: int = KERNEL,
    norm_momentum: float = NORM_MOMENTUM,
) -> keras.Model:
    """Build a SegNet for images `(N, H, W, channels)` with sides from 32, odd ones and such as 240 included.

    The encoder is VGG16's, 2, 2, 3, 3 and 3 convolutions of `width` x 1, 2, 4, 8 and 8 filters, each with bias, batch
    norm and ReLU, and 2x2 max-pooling that keeps its places behind each block. The decoder mirrors it: every block
    begins with unpooling to those places, and its last convolution has as many filters as the block above; the very
    last, `final_conv`, gives the classes. Layers are named `encoder1_conv1` ... `encoder5_bn3`, `decoder1_unpool` (the
    deepest) ... `decoder5_conv1`, `final_conv`.

    Of C channels, n classes, width w and kernel k it has k^2 w (798 w + C + n) + 620 w + n parameters: kernels down
    k^2 w (C + 399 w), as many up with n for C, and bias, scale, shift, mean and variance of 124 w filters (66 w down,
    58 w up), the last convolution having a bias alone. At three channels these are 81,761,281; 29,459,457 with kernels
    of 3, of which VGG16 has 14,714,688; and 2,881,441 at width 12.

    num_classes: 1 gives a sigmoid, more a softmax with the background counted. norm_momentum: the share of the old in
    the moving statistics. Output `(N, H, W, num_classes)` float32 probabilities. Raises `InputError` for a number below
    1, an even kernel, and a momentum outside of [0, 1).

    With `kernel=3` and `width=64` the ImageNet weights of VGG16 fit the encoder's convolutions (`init: imagenet`).

    Source: Badrinarayanan, Kendall and Cipolla 2017, arXiv 1511.00561; Simonyan and Zisserman 2014, arXiv 1409.1556.
    """
    _check(channels=channels, num_classes=num_classes, width=width, kernel=kernel, norm_momentum=norm_momentum)
    image = maps = keras.layers.Input((None, None, channels), name="image")
    pooled = []
    for level, (share, count) in enumerate(BLOCKS, 1):
        for number in range(1, count + 1):
            maps = _convolution(maps, share * width, f"encoder{level}", number, kernel, norm_momentum)
        before = maps
        maps, places = MaxPoolWithIndices(name=f"encoder{level}_pool")(before)
        pooled.append((places, before))
    for level, (share, count) in enumerate(reversed(BLOCKS), 1):
        maps = MaxUnpool(name=f"decoder{level}_unpool")([maps, *pooled.pop()])
        above = [pooled[-1][1].shape[-1]] if pooled else []
        for number, filters in enumerate([share * width] * (count - 1) + above, 1):
            maps = _convolution(maps, filters, f"decoder{level}", number, kernel, norm_momentum)
    activation = "sigmoid" if num_classes == 1 else "softmax"
    logits = keras.layers.Conv2D(num_classes, kernel, padding="same", name="final_conv")(maps)
    probability = keras.layers.Activation(activation, dtype="float32", name=activation)(logits)
    return keras.Model(image, probability, name="segnet")


def _convolution(
    maps: tf.Tensor, filters: int, block: str, number: int, kernel: int, momentum: float
) -> tf.Tensor:
    """Convolution, batch norm and ReLU."""
    options = {"padding": "same", "kernel_initializer": "he_normal", "name": f"{block}_conv{number}"}
    maps = keras.layers.Conv2D(filters, kernel, **options)(maps)
    maps = keras.layers.BatchNormalization(momentum=momentum, epsilon=EPSILON, name=f"{block}_bn{number}")(maps)
    return keras.layers.ReLU(name=f"{block}_relu{number}")(maps)


def _check(*, norm_momentum: float, **numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{name} is {number}; at least 1 is expected. Give segnet a positive {name}.")
    if numbers["kernel"] % 2 == 0:
        raise InputError(f"kernel is {numbers['kernel']}; an odd number is expected, such as 3 or {KERNEL}.")
    if not 0 <= norm_momentum < 1:
        raise InputError(f"norm_momentum is {norm_momentum}; a number from 0 up to 1 is expected, as {NORM_MOMENTUM}.")
