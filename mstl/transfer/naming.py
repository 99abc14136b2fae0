"""Names that Keras gives by itself: which are automatic, what comes in which place."""
from __future__ import annotations

import re

_VARIABLES = {  # in the order of `layer.weights`
    "conv": ("kernel", "bias"),
    "dense": ("kernel", "bias"),
    "depthwise_conv": ("depthwise_kernel", "bias"),
    "separable_conv": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
    "embedding": ("embeddings",),
    "p_re_lu": ("alpha",),
}
_LEADING = {"conv", "dense", "depthwise_conv", "separable_conv"}  # complete without their last variable
_AUTOMATIC = re.compile(
    r"(conv[123]d|conv[123]d_transpose|depthwise_conv2d|separable_conv[12]d|dense|embedding|p_re_lu|prelu"
    r"|(sync_)?batch_normalization(_v1)?|(layer|group|unit|instance)_normalization|lstm|gru|bidirectional"
    r"|time_distributed|normalization|input|model|functional|sequential|locally_connected[12]d|conv_lstm2d)(_\d+)?"
)


def is_automatic(layer: str) -> bool:
    """Whether the last name of a layer's path is one that Keras counts up by itself, as "conv2d_17"."""
    return _AUTOMATIC.fullmatch(layer.rsplit("/", 1)[-1]) is not None


def is_numbered(scope: str, layer: str) -> bool:
    """Whether a scope is a layer's name with a number behind, as TensorFlow 1 made it of a name used before."""
    return scope.startswith(f"{layer}_") and scope[len(layer) + 1 :].isdecimal()


def snake_case(class_name: str) -> str:
    """Name that Keras 3 gives a layer of a class in its weights files: "Conv2DTranspose" is "conv2d_transpose"."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def conventional_variables(kind: str, count: int) -> tuple[str, ...] | None:
    """Names of a layer's variables by its class ("Conv2D" or "conv2d_3"); None where class or count leave doubt."""
    family = re.sub(r"(_\d+)?$", "", snake_case(kind))
    family = re.sub(r"[123]d(_transpose)?$", "", family)
    names = _VARIABLES.get(family)
    if names is None or count > len(names) or (count < len(names) and family not in _LEADING):
        return None
    return names[:count] if count >= len(names) - 1 else None
