"""Layers known by their place in a model's graph, whatever their names and the order in which they were made.

A place is told from before, from behind, or both: by what leads to a layer and by what it leads to, with the order of
arguments. Two layers of one graph never share both. What has no weights and one input (an activation, a dropout) is
passed over, unless it changes the size. Filters count where one side alone tells; where both agree they may differ.
"""
from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mstl._keras import keras
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.transfer.model_config import layers_in, name_of

_SIZES = ("kernel_size", "strides", "dilation_rate", "padding", "pool_size", "size", "cropping", "groups")
_MOST_CALLS = 20_000
_MOST_MODELS = 16  # nested ones that are looked at by themselves


class _TooManyCalls(Exception):
    """A few nested models can call each other more often than there is time."""


@dataclass(frozen=True)
class _Call:
    layer: str
    kind: tuple
    filters: str
    parents: tuple[int, ...]


@dataclass(frozen=True)
class _Graph:
    """Calls in topological order, inputs first; `outputs` are positions in it."""

    calls: list[_Call]
    outputs: list[int]


Places = tuple[Mapping[str, int], ...]  # by layer: both sides, before with neighbours, before, behind


def config_of(model: keras.Model) -> dict | None:
    """The model's configuration as a file would store it; None where its layers cannot tell theirs."""
    try:
        return json.loads(model.to_json())
    except Exception:  # layers of the user's, which raise what they like
        return None


def pair_by_graph(
    theirs: dict | None, ours: dict | None, sources: Collection[str], targets: Collection[str]
) -> tuple[dict[str, str], set[str]]:
    """Pair layers with weights by their places in two models' configurations: target -> source, both paths.

    A nested model stands for the whole where that pairs more. Also returns the paths (of either side) that point to
    one layer from before and to another from behind, as those around an inserted layer do, or whose nested model
    could stand for several.
    """
    mine = list(_places_in(ours, targets))
    found = [_paired(source, target) for source in _places_in(theirs, sources) for target in mine]
    most = max((len(pairs) for pairs, _ in found), default=0)
    best = [(pairs, doubtful) for pairs, doubtful in found if len(pairs) == most]
    if any(pairs != best[0][0] for pairs, _ in best):
        return {}, {path for pairs, doubtful in best for path in (*pairs, *pairs.values(), *doubtful)}
    return best[0] if best else ({}, set())


def _paired(source: Places, target: Places) -> tuple[dict[str, str], set[str]]:
    whole, near, before, behind = (_same(*sides) for sides in zip(source, target, strict=True))
    forward = {**before, **near}
    pairs, doubtful = dict(whole), set()
    for found, other in ((forward, behind), (behind, forward)):
        reverse = {theirs: ours for ours, theirs in other.items()}
        for ours, theirs in found.items():
            if ours in whole or theirs in whole.values():
                continue
            if other.get(ours, theirs) == theirs and reverse.get(theirs, ours) == ours:
                pairs[ours] = theirs
            else:
                doubtful |= {ours, theirs}
    return pairs, doubtful


def _same(source: Mapping[str, int], target: Mapping[str, int]) -> dict[str, str]:
    """Target -> source of the places that one layer has on each side."""
    theirs = {place: path for path, place in _single(source)}
    return {path: theirs[place] for path, place in _single(target) if place in theirs}


def _single(places: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    counts = Counter(places.values())
    return ((path, place) for path, place in places.items() if counts[place] == 1)


def _places_in(config: dict | None, weighted: Collection[str]) -> Iterator[Places]:
    """Places in a model, then in each model nested in it; nothing where the configuration makes no graph."""
    for number, (prefix, model) in enumerate(_models(config, "")):
        if number == _MOST_MODELS:
            return
        try:
            places = _places(_graph(model, prefix, set(weighted)), weighted)
        except _TooManyCalls:
            return
        except Exception:  # text from a file of a stranger, wrong in any way
            continue
        yield places


def _models(config: dict | None, prefix: str) -> Iterator[tuple[str, dict]]:
    if layers_in(config):
        yield prefix, config
        for layer in layers_in(config):
            yield from _models(layer, f"{prefix}{name_of(layer)}/")


def _places(graph: _Graph, weighted: Collection[str]) -> Places:
    consumers: list[list[tuple[int, int]]] = [[] for _ in graph.calls]
    for number, call in enumerate(graph.calls):
        for position, parent in enumerate(call.parents):
            consumers[parent].append((number, position))
    loose = zip(*_sides(graph, [call.kind for call in graph.calls], consumers), strict=True)
    before, behind = _sides(graph, [(call.kind, call.filters) for call in graph.calls], consumers)
    near = [
        hash((before[number], tuple(sorted((before[other], position) for other, position in some))))
        for number, some in enumerate(consumers)
    ]
    return tuple(_by_layer(graph, values, weighted) for values in (map(hash, loose), near, before, behind))


def _sides(graph: _Graph, kinds: list[tuple], consumers: list[list[tuple[int, int]]]) -> tuple[list[int], list[int]]:
    """For every call, a number for all that leads to it and one for all that it leads to, itself included."""
    before: list[int] = []
    for call, kind in zip(graph.calls, kinds, strict=True):
        before.append(hash((kind, tuple(before[parent] for parent in call.parents))))
    behind = [0] * len(graph.calls)
    for number in reversed(range(len(graph.calls))):
        ahead = sorted((behind[other], position) for other, position in consumers[number])
        ends = tuple(position for position, output in enumerate(graph.outputs) if output == number)
        behind[number] = hash((kinds[number], tuple(ahead), ends))
    return before, behind


def _by_layer(graph: _Graph, values: Iterable[int], weighted: Collection[str]) -> dict[str, int]:
    """One value a layer, from those of its calls in order."""
    found: dict[str, list[int]] = {}
    for call, value in zip(graph.calls, values, strict=True):
        if call.layer in weighted:
            found.setdefault(call.layer, []).append(value)
    return {layer: hash(tuple(values)) for layer, values in found.items()}


def _graph(config: dict, prefix: str, weighted: set[str]) -> _Graph:
    inner = config["config"]
    count = len(list(_references(inner["input_layers"]))) if _is_functional(inner) else 1
    tracer = _Tracer(weighted, [_Call("", ("input", number), "", ()) for number in range(count)])
    return _Graph(tracer.calls, tracer.expand(config, prefix, list(range(count))))


class _Tracer:
    """Collects the calls of a model's layers, nested models in place, which stands for calls of calls of calls."""

    def __init__(self, weighted: set[str], inputs: list[_Call]) -> None:
        self.weighted, self.calls, self.left = weighted, inputs, _MOST_CALLS

    def expand(self, config: dict, prefix: str, given: list[int]) -> list[int]:
        """Add the calls of a model's layers; returns the positions of its outputs."""
        inner = config["config"]
        if not _is_functional(inner):
            for layer in layers_in(config):
                given = self.call(layer, prefix, given)
            return given
        inputs = list(_references(inner["input_layers"]))
        known = {(name, 0): [position] for (name, _, _), position in zip(inputs, given, strict=True)}
        waiting = _calls_in(config)
        while waiting:
            later = []
            for layer, number, references in waiting:
                if all(reference[:2] in known for reference in references):
                    parents = [_output(known, reference) for reference in references]
                    known[name_of(layer), number] = self.call(layer, prefix, parents)
                else:
                    later.append((layer, number, references))
            if len(later) > len(waiting) * 0.9:
                raise ValueError("calls wait for others that never come, or stand in no order")
            waiting = later
        return [_output(known, reference) for reference in _references(inner["output_layers"])]

    def call(self, layer: dict, prefix: str, parents: list[int]) -> list[int]:
        """Add one call; returns the positions of its outputs, those of its parent where it is passed over."""
        self.left -= 1
        if self.left < 0:
            raise _TooManyCalls
        path, config = prefix + name_of(layer), layer["config"]
        if layers_in(layer):
            return self.expand(layer, f"{path}/", parents)
        sizes = tuple((key, str(config[key])) for key in _SIZES if config.get(key) not in (None, 1))
        if path not in self.weighted and len(parents) == 1 and not sizes:
            return parents
        kind = _kind(layer["class_name"])
        filters = str(config.get("filters", config.get("units")))
        self.calls.append(_Call(path, (kind, *sizes), filters, tuple(parents)))
        return [len(self.calls) - 1]


def _kind(class_name: str) -> str:
    """Class of a layer as graphs tell it: normalisations are alike, and a convolution with variances is one."""
    if "Normalization" in class_name:
        return "normalisation"
    return "Conv3D" if class_name.endswith(BayesianConv3D.__name__) else class_name


def _calls_in(config: dict) -> list[tuple[dict, int, list]]:
    """Layer, number and references of every call; the first call of a nested model may have number 1."""
    nodes = [(layer, list(map(_listed, layer.get("inbound_nodes") or ()))) for layer in layers_in(config)]
    called = [reference for _, found in nodes for references in found for reference in references]
    highest: dict[str, int] = {}
    for name, number, _ in [*called, *_references(config["config"]["output_layers"])]:
        highest[name] = max(number, highest.get(name, 0))
    return [
        (layer, number, references)
        for layer, found in nodes
        for number, references in enumerate(found, start=max(0, highest.get(name_of(layer), 0) - len(found) + 1))
    ]


def _listed(node: object) -> list[tuple[str, int, int]]:
    return list(_references(node))


def _output(known: Mapping[tuple[str, int], list[int]], reference: tuple[str, int, int]) -> int:
    outputs = known[reference[:2]]
    return outputs[min(reference[2], len(outputs) - 1)]


def _is_functional(inner: object) -> bool:
    return isinstance(inner, dict) and "input_layers" in inner and "output_layers" in inner


def _references(tree: object) -> Iterator[tuple[str, int, int]]:
    """Every (layer, call, output) in a node of Keras 2 or Keras 3, in the order of arguments."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from _references(value)
    elif isinstance(tree, list):
        if len(tree) >= 3 and isinstance(tree[0], str) and all(type(number) is int for number in tree[1:3]):
            yield tuple(tree[:3])
            tree = tree[3:]  # keywords, which may refer to further tensors
        for value in tree:
            yield from _references(value)
