"""How an image flows through a model: every layer's predecessors and its resolution against the input's."""
from __future__ import annotations

import math
from dataclasses import dataclass

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.tree import layers_of

SIDES = (512, 5760)  # for sides that a model leaves open: nine halvings; seven, and thirds and fifths too
LARGEST_STEP = 4  # a pooling by more a side gathers context, as of the whole image, and is no step of an encoder

NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
)


@dataclass(eq=False)
class Step:
    """One call of a layer. `level` 0 is the input's resolution, 1 half of it, and so on; `shape` the output's."""

    layer: keras.layers.Layer
    parents: list[Step]
    level: int
    shape: tuple[int | None, ...]
    is_output: bool = False


@dataclass(frozen=True)
class _Flow:
    """A tensor while a model is traced, and the step that it came from."""

    tensor: tf.Tensor
    step: Step


def is_companion(layer: keras.layers.Layer) -> bool:
    """Whether a layer with weights only scales what a convolution gave: normalisation, learned activation."""
    return isinstance(layer, (*NORMALISATIONS, keras.layers.PReLU))


def steps_of(model: keras.Model) -> list[Step]:
    """Every call of a layer on the way from inputs to outputs, in order, nested models entered.

    Raises `InputError` where the model has no graph, or cannot be traced with any size of image.
    """
    _check_graph(model)
    failure = None
    for side in SIDES:
        try:
            return _traced(model, side)
        except Exception as error:  # a side that the model cannot take; its layers raise what they like
            failure = error
    reason = " ".join(str(failure).split())[:200]
    raise InputError(
        f"The resolutions of model '{model.name}' cannot be found ({reason}). Give scopes as regexes of layer paths."
    ) from failure


def _traced(model: keras.Model, side: int) -> list[Step]:
    steps: list[Step] = []
    with tf.__internal__.FuncGraph("resolutions").as_default():  # shapes only: nothing is computed
        outputs = _walk(model, [_image(tensor, side) for tensor in model.inputs], steps)
    for flow in outputs:
        flow.step.is_output = True
    return steps


def _image(tensor: tf.Tensor, side: int) -> _Flow:
    """An input of one image, its open sides set to `side`."""
    shape = (1, *(side if size is None else size for size in tensor.shape[1:]))
    return _Flow(tf.raw_ops.Placeholder(dtype=tensor.dtype, shape=shape), Step(keras.layers.Layer(), [], 0, shape))


def _walk(model: keras.Model, inputs: list[_Flow], steps: list[Step]) -> list[_Flow]:
    """Call the layers of `model` in order; returns the flows of its outputs."""
    known = {id(symbol): flow for symbol, flow in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            given = [known[id(symbol)] for symbol in node.keras_inputs]
            results = _walk(node.layer, given, steps) if _has_graph(node.layer) else _called(node, given, steps)
            known.update(zip(map(id, tf.nest.flatten(node.outputs)), results, strict=True))
    return [known[id(symbol)] for symbol in model.outputs]


def _called(node: object, given: list[_Flow], steps: list[Step]) -> list[_Flow]:
    tensors: dict[str, list[tf.Tensor]] = {}
    for symbol, flow in zip(node.keras_inputs, given, strict=True):
        tensors.setdefault(str(id(symbol)), []).append(flow.tensor)
    arguments, keywords = node.map_arguments(tensors)
    results = tf.nest.flatten(node.layer(*arguments, **keywords))
    shape = tuple(results[0].shape.as_list()) if results[0].shape.rank is not None else ()
    before = [flow.step for flow in given]
    for layer in _leaves(node.layer):
        step = Step(layer, before, _level(layer, shape, given), shape)
        before = [step]
        steps.append(step)
    return [_Flow(result, steps[-1]) for result in results]


def _leaves(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """The layer itself; of a nested model without a graph all its layers, in a row."""
    if not isinstance(layer, keras.Model):
        return [layer]
    return [leaf for inner in layer.layers for leaf in _leaves(inner)] or [layer]


def _level(layer: keras.layers.Layer, shape: tuple, given: list[_Flow]) -> int:
    """Level of the input nearest in size, and the halvings that the layer itself makes."""
    images = [flow for flow in given if len(flow.step.shape) == len(shape)] or given
    changes = [(_halvings(flow.step.shape, shape), flow.step.level) for flow in images]
    if not changes:
        return 0
    halvings, level = min(changes, key=lambda change: (abs(change[0]), change[1]))
    gathers = not layer.weights and abs(halvings) > math.log2(LARGEST_STEP)
    return level if gathers else level + round(halvings)


def _halvings(before: tuple, after: tuple) -> float:
    """How often a side was halved, along the axis that changed most; 0 where image became vector."""
    if len(before) != len(after):
        return 0.0
    sides = zip(before[1:-1], after[1:-1], strict=True)
    return max((math.log2(old / new) for old, new in sides if old and new), key=abs, default=0.0)


def _has_graph(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.Model) and layer._is_graph_network


def _check_graph(model: keras.Model) -> None:
    if not _has_graph(model):
        raise InputError(
            f"Model '{model.name}' has no graph in which groups could be found (it is subclassed, or not built). "
            "Build it as a functional keras.Model with an Input, or give regexes of layer paths."
        )
    first = [path for path, layer in layers_of(model).items() if _channels_first(layer)]
    if first:
        raise InputError(
            f"Layer {first[0]} of model '{model.name}' has its channels first; channels last are expected. "
            "Build it with data_format='channels_last', or give regexes of layer paths."
        )


def _channels_first(layer: keras.layers.Layer) -> bool:
    return getattr(layer, "data_format", None) == "channels_first"

