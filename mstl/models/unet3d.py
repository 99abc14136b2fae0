"""Two 3D U-Nets for volumes: a small residual one and the classic one."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.recipes import buildable
from mstl.models.volumetric import InstanceNormalization, TrilinearUpSampling

RESIDUAL_FILTERS = (16, 32, 32, 64)  # Kuzina et al. 2019
CLASSIC_FILTERS = (32, 64, 128, 256, 512)  # Cicek et al. 2016, halved at each level as in the BraTS study
GROUPS = 8  # of group normalisation

Norm = Callable[[str], keras.layers.Layer]
Convolution = Callable[..., keras.layers.Conv3D]  # of filters, size and strides
Parts = tuple[Convolution, Norm | None]  # of a residual block

NORMS: dict[str, Norm | None] = {
    "instance": lambda name: InstanceNormalization(name=name),
    "group": lambda name: keras.layers.GroupNormalization(GROUPS, name=name),
    "batch": lambda name: keras.layers.BatchNormalization(name=name),
    "none": None,
}


@buildable("unet3d-residual")
def residual_unet3d(
    *, channels: int, num_classes: int = 1, filters: Sequence[int] = RESIDUAL_FILTERS, norm: str = "instance"
) -> keras.Model:
    """Build a residual 3D U-Net for volumes `(N, D, H, W, channels)`, sides multiples of `2**(len(filters) - 1)`.

    A 3x3x3 stem of `filters[0]`; for each further entry two residual blocks, the first of stride 2; on the way up a
    1x1x1 convolution, trilinear doubling, the encoder's map of that size added, a residual block. In a block
    normalisation and ReLU come before each 3x3x3 convolution, and a 1x1x1 convolution where the shape changes. No
    biases, and instance norm without scale and shift. With one channel and two classes it has 726,480 parameters.
    Layers are named after what they belong to: `encoder1_conv` (the stem), `encoder2_block1_conv1` ...
    `decoder1_reduce` (the deepest) ... `final_conv`.

    num_classes: 1 gives a sigmoid, more a softmax with the background counted. norm: "instance", "group" (of 8, with
    scale and shift), "batch" or "none". Output `(N, D, H, W, num_classes)` float32 probabilities. Raises `InputError`
    for a number below 1, an unknown norm, and filters that group norm cannot divide.

    Source: Kuzina et al. 2019, doi 10.3389/fnins.2019.00844.
    """
    options = {"channels": channels, "num_classes": num_classes, "filters": filters, "norm": norm}
    return residual_network(keras.layers.Conv3D, **options, name="residual_unet3d")


def residual_network(
    convolution: Convolution, *, channels: int, num_classes: int, filters: Sequence[int], norm: str, name: str
) -> keras.Model:
    """The network of `residual_unet3d` with 3x3x3 convolutions of another class; raises as that does."""
    filters = _checked(filters, channels=channels, num_classes=num_classes)
    parts = convolution, _norm(norm, filters)
    image = maps = keras.layers.Input((None, None, None, channels), name="image")
    maps = _bare_convolution(maps, filters[0], "encoder1_conv", layer=convolution)
    skips = []
    for level, width in enumerate(filters[1:], start=2):
        skips.append(maps)
        maps = _residual(maps, width, f"encoder{level}_block1", parts, strides=2)
        maps = _residual(maps, width, f"encoder{level}_block2", parts)
    for level, skip in enumerate(reversed(skips), start=1):
        width = skip.shape[-1]
        maps = _bare_convolution(maps, width, f"decoder{level}_reduce", size=1)
        maps = TrilinearUpSampling(name=f"decoder{level}_up")(maps)
        maps = keras.layers.Add(name=f"decoder{level}_skip")([maps, skip])
        maps = _residual(maps, width, f"decoder{level}_block", parts)
    return _with_head(image, maps, num_classes, use_bias=False, name=name)


@buildable("unet3d-classic")
def classic_unet3d(
    *, channels: int, num_classes: int = 1, filters: Sequence[int] = CLASSIC_FILTERS, norm: str = "none"
) -> keras.Model:
    """Build the classic 3D U-Net for volumes `(N, D, H, W, channels)`, sides multiples of `2**(len(filters) - 1)`.

    Each level is twice a 3x3x3 convolution with ReLU, as many filters as its entry of `filters`; 2x2x2 max-pooling
    leads down; a doubling of the sides with a 2x2x2 convolution leads up, beside the encoder's map of that size.
    norm: "none", or normalisation between convolution and ReLU: "batch", "instance" or "group". Without it, at five
    levels, the model has 37 layers, as the published one whose first 25 were frozen: these are the encoder and the
    two deepest levels of the decoder. Layers are named `encoder1_conv1` ... `bottleneck_conv2`, `decoder1_upconv`
    (the deepest) ... `final_conv`.

    num_classes: 1 gives a sigmoid, more a softmax with the background counted. Output `(N, D, H, W, num_classes)`
    float32 probabilities. Raises `InputError` as `residual_unet3d` does.

    Source: Cicek et al. 2016, arXiv 1606.06650.
    """
    filters = _checked(filters, channels=channels, num_classes=num_classes)
    normalise = _norm(norm, filters)
    image = maps = keras.layers.Input((None, None, None, channels), name="image")
    skips = []
    for level, width in enumerate(filters[:-1], start=1):
        maps = _twice(maps, width, f"encoder{level}", normalise)
        skips.append(maps)
        maps = keras.layers.MaxPooling3D(name=f"encoder{level}_pool")(maps)
    maps = _twice(maps, filters[-1], "bottleneck", normalise)
    for level, skip in enumerate(reversed(skips), start=1):
        maps = keras.layers.UpSampling3D(name=f"decoder{level}_up")(maps)
        maps = _convolution(maps, skip.shape[-1], f"decoder{level}_upconv", normalise, size=2)
        maps = keras.layers.Concatenate(name=f"decoder{level}_concat")([skip, maps])
        maps = _twice(maps, skip.shape[-1], f"decoder{level}", normalise)
    return _with_head(image, maps, num_classes, use_bias=True, name="classic_unet3d")


def _residual(maps: tf.Tensor, width: int, name: str, parts: Parts, *, strides: int = 1) -> tf.Tensor:
    """Twice normalisation, ReLU, 3x3x3 convolution; what came in is added, brought into shape where it has another."""
    convolution, normalise = parts
    shortcut = maps
    if strides > 1 or maps.shape[-1] != width:
        shortcut = _bare_convolution(maps, width, f"{name}_shortcut", size=1, strides=strides)
    for number in (1, 2):
        maps = maps if normalise is None else normalise(f"{name}_norm{number}")(maps)
        maps = keras.layers.ReLU(name=f"{name}_relu{number}")(maps)
        options = {"strides": strides if number == 1 else 1, "layer": convolution}
        maps = _bare_convolution(maps, width, f"{name}_conv{number}", **options)
    return keras.layers.Add(name=f"{name}_add")([maps, shortcut])


def _bare_convolution(
    maps: tf.Tensor,
    width: int,
    name: str,
    *,
    size: int = 3,
    strides: int = 1,
    layer: Convolution = keras.layers.Conv3D,
) -> tf.Tensor:
    """A convolution without bias, its weights drawn as He et al. 2015, arXiv 1502.01852."""
    options = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    return layer(width, size, strides=strides, name=name, **options)(maps)


def _twice(maps: tf.Tensor, width: int, name: str, normalise: Norm | None) -> tf.Tensor:
    for number in (1, 2):
        maps = _convolution(maps, width, f"{name}_conv{number}", normalise)
    return maps


def _convolution(maps: tf.Tensor, width: int, name: str, normalise: Norm | None, *, size: int = 3) -> tf.Tensor:
    """Convolution and ReLU, with the normalisation between them where there is one."""
    options = {"padding": "same", "kernel_initializer": "he_normal", "name": name}
    if normalise is None:
        return keras.layers.Conv3D(width, size, activation="relu", **options)(maps)
    maps = keras.layers.Conv3D(width, size, use_bias=False, **options)(maps)
    return keras.layers.ReLU(name=f"{name}_relu")(normalise(f"{name}_norm")(maps))


def _with_head(image: tf.Tensor, maps: tf.Tensor, num_classes: int, *, use_bias: bool, name: str) -> keras.Model:
    activation = "sigmoid" if num_classes == 1 else "softmax"
    logits = keras.layers.Conv3D(num_classes, 1, use_bias=use_bias, name="final_conv")(maps)
    probability = keras.layers.Activation(activation, dtype="float32", name=activation)(logits)
    return keras.Model(image, probability, name=name)


def _norm(norm: str, filters: Sequence[int]) -> Norm | None:
    if norm not in NORMS:
        raise InputError(f"norm is '{norm}'; expected one of {', '.join(NORMS)}. Mend it.")
    if norm == "group" and any(width % GROUPS for width in filters):
        raise InputError(
            f"filters is {list(filters)}, but group norm divides each into {GROUPS} groups. Give multiples of that, or "
            "another norm."
        )
    return NORMS[norm]


def _checked(filters: Sequence[int], **numbers: int) -> tuple[int, ...]:
    """`filters` as a tuple, when all is as it should be."""
    filters = tuple(filters)
    if len(filters) < 2:
        raise InputError(f"filters is {list(filters)}; at least two levels are expected, as [16, 32, 32, 64].")
    for name, number in [*numbers.items(), *(("filters", width) for width in filters)]:
        if number < 1:
            raise InputError(f"{name} is {number}; at least 1 is expected. Give a positive number.")
    return filters
