"""Where the image enters a network: the first kernels, and the normalisation in front of them."""
from __future__ import annotations

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.resolution import is_companion, steps_of
from mstl.models.tree import layers_of


def entry_layers(model: keras.Model) -> set[str]:
    """Paths of the layers whose weights meet the image's own channels, nested models entered.

    These are layers with a kernel that no other such layer stands in front of, and normalisations before
    them. Empty for a model without a graph.
    """
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
    return {path for path, layer in layers_of(model).items() if id(layer) in entry}
