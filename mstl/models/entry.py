"""Where the image enters a network: the first kernels, and the normalisation in front of them."""
from __future__ import annotations

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.models.resolution import is_companion, steps_of
from mstl.models.tree import layers_of, tensors_of

_KERNEL_AXES = {  # of the channels that come in
    keras.layers.Conv1D: -2,
    keras.layers.Conv2D: -2,
    keras.layers.Conv3D: -2,
    BayesianConv3D: -2,
    keras.layers.Dense: -2,
    keras.layers.Conv2DTranspose: -1,
    keras.layers.Conv3DTranspose: -1,
}
_KERNELS = ("kernel", *BayesianConv3D.own_variables)


def channel_axes(model: keras.Model) -> dict[str, int]:
    """Axis of the image's own channels, by path of the tensors that meet them, nested models entered.

    These are the kernels that no other kernel stands in front of, with their variances in a Bayesian layer, and the
    vectors of normalisations before them.
    Kernels that keep channels apart (depthwise, separable) are left out. Empty for a model without a graph.
    """
    layers, entry = layers_of(model), _entry_layers(model)
    axes = {}
    for path, tensor in tensors_of(model).items():
        layer = layers[tensor.layer]
        if id(layer) in entry and is_companion(layer):
            axes[path] = -1
        elif id(layer) in entry and tensor.variable in _KERNELS and type(layer) in _KERNEL_AXES:
            axes[path] = _KERNEL_AXES[type(layer)]
    return axes


def _entry_layers(model: keras.Model) -> set[int]:
    """Identities of the layers with weights that no kernel stands in front of."""
    try:
        steps = steps_of(model)
    except InputError:
        return set()
    behind: set[int] = set()  # steps that see channels of a kernel, not of the image
    entry: set[int] = set()
    for step in steps:
        inside = any(id(parent) in behind for parent in step.parents)
        has_kernel = bool(step.layer.weights) and not is_companion(step.layer)
        if inside or has_kernel:
            behind.add(id(step))
        if step.layer.weights and not inside:
            entry.add(id(step.layer))
    return entry
