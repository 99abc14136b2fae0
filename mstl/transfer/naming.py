"""Names that Keras gives by itself: which are automatic, what comes in which place."""
from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_VARIABLES = {  # in the order of `layer.weights`
    "conv": ("kernel", "bias"),
    "bayesian_conv": ("kernel", "log_variance"),
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
CONTAINERS = frozenset({"model", "functional", "sequential"})
_AUTOMATIC = re.compile(
    r"(forward_|backward_)?"
    r"(conv[123]d|conv[123]d_transpose|depthwise_conv[12]d|separable_conv[12]d|dense|einsum_dense|embedding|p_re_lu|prelu"
    r"|(sync_)?batch_normalization(_v1)?|(layer|group|unit|instance|spectral|weight|rms)_normalization|normalization"
    r"|(lstm|gru|simple_rnn|conv_lstm[123]d|stacked_rnn)(_cells?)?|rnn|bidirectional|time_distributed"
    r"|(multi_head_|group_query_|additive_)?attention|input|model|functional|sequential|locally_connected[12]d)(_\d+)?"
)


def is_automatic(path: str, kinds: Collection[str] = ()) -> bool:
    """Whether the last name of a path is one that Keras counts up by itself, as "conv2d_17".

    `kinds` are names that it gives layers of further classes, as of `automatic_names`; those of its own are known.
    """
    name = path.rsplit("/", 1)[-1]
    return _AUTOMATIC.fullmatch(name) is not None or base_name(name) in kinds


def has_automatic(path: str, kinds: Collection[str] = ()) -> bool:
    """Whether any name in a path is automatic, that of a model around a layer as well."""
    return any(is_automatic(part, kinds) for part in path.split("/"))


def automatic_names(classes: Iterable[str]) -> frozenset[str]:
    """Names without number that Keras gives layers of these classes: "ResBlock" is "res_block"."""
    return frozenset(name for kind in set(classes) for name in (snake_case(kind), _keras2_name(kind)))


def base_name(name: str) -> str:
    """A name without its number: "conv2d_17" is "conv2d"."""
    return re.sub(r"_\d+$", "", name)


def _keras2_name(class_name: str) -> str:
    name = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


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
