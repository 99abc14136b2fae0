"""A model seen as a tree: every layer under the names of the models it is nested in, every tensor under its layer."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mstl._keras import keras, tf
from mstl.errors import InputError


@dataclass(frozen=True)
class ModelTensor:
    """A weight of a model: `path` "model_1/conv0/kernel", `layer` "model_1/conv0", `variable` "kernel".

    `own`: it is among the layer's `own_variables`, as the variances of a Bayesian one, which weights from elsewhere
    need not have.
    """

    layer: str
    variable: str
    value: tf.Variable
    own: bool = False

    @property
    def path(self) -> str:
        """Layer and variable in one name."""
        return f"{self.layer}/{self.variable}"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape as a tuple of integers."""
        return tuple(self.value.shape)


def layers_of(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Every layer that is not itself a model, by its path, in the order of `model.layers`.

    Nested models are entered at any depth: the layer `conv0` of the nested model `model_1` is "model_1/conv0".
    A layer that stands in two nested models is listed once, where it comes first.
    """
    found: dict[str, keras.layers.Layer] = {}
    _collect(model, "", found, seen=set())
    return found


def _collect(model: keras.Model, prefix: str, found: dict[str, keras.layers.Layer], seen: set[int]) -> None:
    for layer in model.layers:
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, keras.Model):
            _collect(layer, f"{prefix}{layer.name}/", found, seen)
        else:
            found[prefix + layer.name] = layer


def tensors_of(model: keras.Model) -> dict[str, ModelTensor]:
    """Every weight of every layer by its path, trainable ones of a layer first, as `layer.weights` has them.

    What stands in the name before the layer's own, as the scopes of TensorFlow 1, is left out; variables of one
    name within a layer get "_1", "_2" and so on. Raises `InputError` for a model with weights outside of its layers.
    """
    found: dict[str, ModelTensor] = {}
    for path, layer in layers_of(model).items():
        seen: Counter[str] = Counter()
        for value in layer.weights:
            variable = variable_name(value.name, layer=layer.name)
            copies, seen[variable] = seen[variable], seen[variable] + 1
            own = variable in getattr(layer, "own_variables", ())
            tensor = ModelTensor(path, f"{variable}_{copies}" if copies else variable, value, own)
            found[tensor.path] = tensor
    known = {id(tensor.value) for tensor in found.values()}
    own = [value.name for value in model.weights if id(value) not in known]
    if own:
        raise InputError(
            f"Model '{model.name}' has weights outside of its layers ('{own[0]}'), which could neither be transferred "
            "nor frozen. Put them into a layer of their own."
        )
    return found


def finalize(model: keras.Model) -> None:
    """Let layers that compute something from their weights, as `Normalization`, do so again after these were set."""
    for layer in layers_of(model).values():
        layer.finalize_state()


def variable_name(name: str, *, layer: str) -> str:
    """What remains of a weight's full name behind its layer's: "a/conv0/kernel:0" of "conv0" is "kernel"."""
    parts = name.split(":")[0].split("/")
    behind = parts[parts.index(layer) + 1 :] if layer in parts[:-1] else parts[-1:]
    return "/".join(behind)
