"""What of a file and of a model is still to be paired, layer by layer, and what was."""
from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mstl._keras import keras
from mstl.models.tree import ModelTensor
from mstl.transfer.checkpoint import Checkpoint, Tensor
from mstl.transfer.model_config import layers_in
from mstl.transfer.naming import CONTAINERS, automatic_names, base_name, is_automatic
from mstl.transfer.ordering import LayerShapes


@dataclass(frozen=True)
class Match:
    """The path of the tensor of a file that is for one weight of a model, and how it was found."""

    source: str
    reason: str


class Matches(dict[str, Match]):
    """Matches by the model's paths; `doubts` says of some that are absent why nothing was taken for them."""

    def __init__(self) -> None:
        super().__init__()
        self.doubts: dict[str, str] = {}


@dataclass
class Pairing:
    """What is still to be paired, out of `all_sources` and `all_targets`; `kinds` are names that Keras gives.

    `units` are the layers of the file's tensors as the model would divide them.
    """

    sources: dict[str, Tensor]
    targets: dict[str, ModelTensor]
    kinds: frozenset[str]
    units: dict[str, str]
    found: Matches = field(default_factory=Matches)

    def __post_init__(self) -> None:
        self.all_sources, self.all_targets = dict(self.sources), dict(self.targets)

    def pair(self, target: str, source: str, reason: str) -> None:
        """Take one tensor of the file for one of the model; both are then no longer open."""
        del self.targets[target]
        del self.sources[source]
        self.found[target] = Match(source, reason)

    def open_sources(self, *, named: bool = False) -> list[LayerShapes]:
        """The file's layers that are open as a whole, in order; `named`: with names that someone gave them."""
        kinds = self.kinds if named else None
        return _layers(self.all_sources, self.units, self.sources, kinds=kinds)

    def open_targets(self, *, named: bool = False) -> list[LayerShapes]:
        """The same of the model."""
        units = {path: tensor.layer for path, tensor in self.all_targets.items()}
        return _layers(self.all_targets, units, self.targets, kinds=self.kinds if named else None)


def open_pairing(checkpoint: Checkpoint, model: keras.Model, targets: dict[str, ModelTensor]) -> Pairing:
    """Nothing is paired yet of `checkpoint` and `targets`, the weights of `model` by path."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if isinstance(layer, keras.layers.Layer)]
    nested = [type(layer).__name__ for layer in layers if isinstance(layer, keras.Model)]
    theirs = list(_classes(checkpoint.model_config))
    containers = CONTAINERS | automatic_names([*nested, *(kind for kind, holds in theirs if holds)])
    kinds = automatic_names([*(type(layer).__name__ for layer in layers), *(kind for kind, _ in theirs)])
    ours = {tensor.layer for tensor in targets.values()}
    units = {path: _unit(tensor, ours, kinds, containers) for path, tensor in checkpoint.tensors.items()}
    return Pairing(dict(checkpoint.tensors), targets, kinds, units)


def _classes(config: dict | None) -> Iterable[tuple[str, bool]]:
    """Class of every layer of a configuration, and whether it holds layers."""
    for layer in layers_in(config):
        yield layer["class_name"], bool(layers_in(layer))
        yield from _classes(layer)


def _unit(tensor: Tensor, ours: set[str], kinds: frozenset[str], containers: frozenset[str]) -> str:
    """The layer of a tensor; a file without classes names parts of layers too, "bidirectional/forward_lstm"."""
    if tensor.class_name is not None or tensor.place is not None:
        return tensor.layer
    parts = tensor.layer.split("/")
    for depth in range(1, len(parts)):
        path = "/".join(parts[:depth])
        if path in ours or (is_automatic(path, kinds) and base_name(parts[depth - 1]) not in containers):
            return path
    return tensor.layer


def _layers(
    tensors: Mapping[str, Tensor | ModelTensor],
    units: Mapping[str, str],
    still_open: Mapping[str, object],
    *,
    kinds: Collection[str] | None,
) -> list[LayerShapes]:
    """Layers of which every tensor is open, in order; with names that are not of `kinds` where these are given."""
    layers: dict[str, list[str]] = {}
    for path in tensors:
        layers.setdefault(units[path], []).append(path)
    return [
        LayerShapes(
            layer,
            tuple(paths),
            tuple(tuple(tensors[path].shape) for path in paths),
            None if kinds is None or is_automatic(layer, kinds) else layer.rsplit("/", 1)[-1],
        )
        for layer, paths in layers.items()
        if all(path in still_open for path in paths)
    ]
