"""Heads that turn the last maps of a 2D network into probabilities: FCN, PSP and ASPP, and the auxiliary one."""
from __future__ import annotations

from collections.abc import Callable

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.auxiliary import Auxiliary
from mstl.models.convolved import convolved
from mstl.models.pooled_context import BinAveragePooling2D, ResizeLike

BINS = (1, 2, 3, 6)  # parts a side over which PSP averages
DILATIONS = (1, 12, 24, 36)  # of ASPP, pixels
NARROWING, LEAST = 4, 16  # PSP and ASPP have this part of FCN's filters, as many at least where FCN has them
DROPOUT = 0.1


def with_heads(
    maps: tf.Tensor,
    auxiliary_maps: tf.Tensor | None = None,
    *,
    head: str,
    width: int,
    num_classes: int,
    dropout: float = DROPOUT,
) -> tf.Tensor:
    """Probabilities `(N, H, W, num_classes)` float32 from `maps` `(N, H, W, C)`.

    head: "fcn", "psp" or "aspp", of `width` filters for FCN, a quarter of it but at least min(16, `width`) for the
    others; then dropout of whole maps and a 1x1 convolution. auxiliary_maps: `(N, h, w, c)`, from which an FCN head of
    `width` filters gives the second probabilities that `mstl.models.auxiliary.auxiliary_output` finds, resized to
    (H, W). Layers are named head_... and auxiliary_.... num_classes: 1 gives a sigmoid, more a softmax with the
    background counted.
    Raises `InputError` for an unknown head, a number below 1 and a dropout that is not from 0 to below 1.

    Sources: Long et al. 2015, arXiv 1411.4038 (FCN); Zhao et al. 2017, arXiv 1612.01105 (PSP); Chen et al. 2017,
    arXiv 1706.05587 (ASPP); filters, bins and dilations as in mmsegmentation's configurations of the U-Net S5-D16.
    """
    _check(head, width=width, num_classes=num_classes, dropout=dropout)
    activation = "sigmoid" if num_classes == 1 else "softmax"
    logits = _classified(HEADS[head](maps, width), num_classes, dropout, "head")
    probability = keras.layers.Activation(activation, dtype="float32", name=activation)(logits)
    if auxiliary_maps is None:
        return probability
    logits = _classified(fcn(auxiliary_maps, width, "auxiliary"), num_classes, dropout, "auxiliary")
    logits = ResizeLike(name="auxiliary_resize")([logits, maps])
    second = keras.layers.Activation(activation, dtype="float32", name=f"auxiliary_{activation}")(logits)
    return Auxiliary(name="auxiliary")([probability, second])


def fcn(maps: tf.Tensor, width: int, name: str = "head") -> tf.Tensor:
    """One 3x3 convolution."""
    return convolved(maps, width, f"{name}_{{}}")


def psp(maps: tf.Tensor, width: int) -> tf.Tensor:
    """Averages over 1, 4, 9 and 36 parts of the map, each through a 1x1 convolution, beside it; a 3x3 convolution."""
    filters = _narrowed(width)
    pooled = [_pooled(maps, filters, bins) for bins in BINS]
    return convolved(keras.layers.Concatenate(name="head_concat")([maps, *pooled]), filters, "head_{}")


def aspp(maps: tf.Tensor, width: int) -> tf.Tensor:
    """The average of the map, a 1x1 and three dilated 3x3 convolutions side by side; a 3x3 convolution."""
    filters = _narrowed(width)
    branches = [_pooled(maps, filters, 1)]
    for dilation in DILATIONS:
        options = {"size": 1 if dilation == 1 else 3, "dilation": dilation}
        branches.append(convolved(maps, filters, f"head_dilation{dilation}_{{}}", **options))
    return convolved(keras.layers.Concatenate(name="head_concat")(branches), filters, "head_{}")


HEADS: dict[str, Callable[[tf.Tensor, int], tf.Tensor]] = {"fcn": fcn, "psp": psp, "aspp": aspp}


def _pooled(maps: tf.Tensor, filters: int, bins: int) -> tf.Tensor:
    """What the map is on average in each of its `bins` x `bins` parts, at the map's size."""
    name = f"head_pool{bins}"
    averages = BinAveragePooling2D(bins, name=name)(maps)
    return ResizeLike(name=f"{name}_resize")([convolved(averages, filters, f"{name}_{{}}", size=1), maps])


def _classified(maps: tf.Tensor, num_classes: int, dropout: float, name: str) -> tf.Tensor:
    """Logits; in training some maps are dropped before.

    Weights are drawn as Glorot and Bengio 2010. mmsegmentation draws them from N(0, 0.01): so small, all maps learn to
    tell background first, and a rare class is what shows none of them, with a probability that only the bias can raise.
    """
    maps = keras.layers.SpatialDropout2D(dropout, name=f"{name}_dropout")(maps)
    return keras.layers.Conv2D(num_classes, 1, name=f"{name}_classifier")(maps)


def _narrowed(width: int) -> int:
    return max(width // NARROWING, min(width, LEAST))


def _check(head: str, *, dropout: float, **counts: int) -> None:
    if head not in HEADS:
        raise InputError(f"head is '{head}'; expected one of {', '.join(HEADS)}. Mend it.")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}; from 0 to below 1 is expected, as {DROPOUT}.")
    for name, count in counts.items():
        if count < 1:
            raise InputError(f"{name} is {count}; at least 1 is expected. Give a positive number.")
