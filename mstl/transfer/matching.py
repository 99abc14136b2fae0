"""Which tensor of a file belongs to which weight of a model: by explicit pairs, by name, by order."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.models.tree import ModelTensor, tensors_of
from mstl.transfer.checkpoint import Checkpoint, Tensor
from mstl.transfer.graph import config_of, pair_by_graph
from mstl.transfer.naming import is_automatic, snake_case
from mstl.transfer.ordering import LayerShapes, align, is_alike

WAYS = ("name", "order")


@dataclass(frozen=True)
class Match:
    """The path of the tensor of a file that is for one weight of a model, and how it was found."""

    source: str
    reason: str


@dataclass
class _Open:
    """What is still to be paired; `found` maps a model's paths to their matches."""

    sources: dict[str, Tensor]
    targets: dict[str, ModelTensor]
    found: dict[str, Match] = field(default_factory=dict)

    def pair(self, target: str, source: str, reason: str) -> None:
        del self.targets[target]
        del self.sources[source]
        self.found[target] = Match(source, reason)


def match_tensors(
    checkpoint: Checkpoint,
    model: keras.Model,
    *,
    rename: Iterable[tuple[str, str]] = (),
    match: Iterable[str] = WAYS,
    mapping: Mapping[str, str] | None = None,
    weights: Mapping[str, ModelTensor] | None = None,
) -> dict[str, Match]:
    """Pair weights of `model` (keys, paths as of `tensors_of`) with tensors of `checkpoint`, each used once.

    `weights` are those of the model where they are known already.

    First the explicit `mapping` (model's path -> file's path, of tensors or layers), then `rename` (pairs of
    regex and replacement, applied to the file's paths), then the ways of `match`. By "name": equal paths, then
    equal layer and variable where that is unique on both sides, nested models left out. By "order": see
    `mstl.transfer.ordering.align`; with "name" beside it, only layers that Keras named by itself ("conv2d_17"),
    which "name" then leaves alone. Shapes may differ. Raises `TransferError` for a wrong rule or path.
    """
    ways = [match] if isinstance(match, str) else list(match)
    if not ways or set(ways) - set(WAYS):
        raise TransferError(f"match is {ways}; expected one or both of {', '.join(WAYS)}.")
    todo = _Open(dict(checkpoint.tensors), dict(weights or tensors_of(model)))
    _by_mapping(todo, mapping or {})
    renamed = _by_rename(todo, list(rename))
    if "name" in ways:
        _by_name(todo, renamed, automatic="order" not in ways)
    if "order" in ways and any(tensor.place for tensor in checkpoint.tensors.values()):
        _by_position(todo, checkpoint, model)
    elif "order" in ways:
        doubtful = _by_graph(todo, checkpoint, model, everything="name" not in ways)
        _by_order(todo, checkpoint, doubtful, everything="name" not in ways)
    return todo.found


def _by_mapping(todo: _Open, mapping: Mapping[str, str]) -> None:
    for target, source in mapping.items():
        inner, outer = _below(target, todo.targets), _below(source, todo.sources)
        if not inner or not outer:
            where, path, known = ("file", source, todo.sources) if inner else ("model", target, todo.targets)
            example = f", such as '{next(iter(known))}'" if known else ""
            raise TransferError(f"mapping names '{path}', which the {where} does not have. Give its paths{example}.")
        for rest in inner & outer:
            todo.pair(target + rest, source + rest, "the given mapping")


def _below(path: str, tensors: Mapping[str, object]) -> set[str]:
    """What follows `path` in the tensors that it names: "" for a tensor itself, "/kernel" for a layer's."""
    return {known[len(path) :] for known in tensors if known == path or known.startswith(f"{path}/")}


def _by_rename(todo: _Open, rules: list[tuple[str, str]]) -> dict[str, str]:
    """Pair what rules lead to a name of the model; returns new names of the open tensors -> their own."""
    renamed: dict[str, str] = {}
    for path in list(todo.sources):
        new = path
        for pattern, replacement in rules:
            try:
                new = re.sub(pattern, replacement, new)
            except re.error as error:
                rule = f"'{pattern}' -> '{replacement}'"
                raise TransferError(f"Rename rule {rule} is wrong ({error}). Mend it.") from error
        if new in renamed:
            raise TransferError(f"Rename rules bring '{renamed[new]}' and '{path}' both to '{new}'. Mend them.")
        renamed[new] = path
    for new, path in list(renamed.items()):
        if new != path and new in todo.targets:
            todo.pair(new, renamed.pop(new), "a rename rule")
    return renamed


def _by_position(todo: _Open, checkpoint: Checkpoint, model: keras.Model) -> None:
    """Pair what Keras 3 keeps by class and number alone: the third `Conv2D` is "conv2d_2" whatever its name.

    Numbers are trusted only where file and model have as many layers of the class in the same nested model.
    """
    places = dict(_places(model, ""))
    ours = Counter(_family(places[layer]) for layer in {tensor.layer for tensor in tensors_of(model).values()})
    theirs = Counter(_family(place) for place in {tensor.place for tensor in checkpoint.tensors.values()} if place)
    sources = {(tensor.place, tensor.variable): path for path, tensor in todo.sources.items()}
    for path, tensor in list(todo.targets.items()):
        place = places[tensor.layer]
        source = sources.get((place, tensor.variable))
        if source and ours[_family(place)] == theirs[_family(place)]:
            todo.pair(path, source, "same class and number, as Keras 3 keeps layers")


def _family(place: str) -> str:
    """A place without its number: "functional/conv2d_2" is one of "functional/conv2d"."""
    return re.sub(r"_\d+$", "", place)


def _places(model: keras.Model, prefix: str, place: str = "") -> Iterable[tuple[str, str]]:
    seen: Counter[str] = Counter()
    for layer in model.layers:
        kind = snake_case(type(layer).__name__)
        here = f"{place}{kind}_{seen[kind]}" if seen[kind] else f"{place}{kind}"
        seen[kind] += 1
        if isinstance(layer, keras.Model):
            yield from _places(layer, f"{prefix}{layer.name}/", f"{here}/")
        else:
            yield f"{prefix}{layer.name}", here


def _by_name(todo: _Open, renamed: Mapping[str, str], *, automatic: bool) -> None:
    names = {name: path for name, path in renamed.items() if path in todo.sources}
    own = [path for path, tensor in todo.targets.items() if automatic or not is_automatic(tensor.layer)]
    for path in own:
        if path in names:
            todo.pair(path, names.pop(path), "same name")
    new = {path: name for name, path in names.items() if name != path}
    shorts = {path: _last_two(new[path]) if path in new else _short(tensor) for path, tensor in todo.sources.items()}
    sources = _unique(shorts)
    targets = _unique({path: _short(todo.targets[path]) for path in own if path in todo.targets})
    for short, target in targets.items():
        if short in sources:
            todo.pair(target, sources[short], "same layer and variable, nested models left out")


def _short(tensor: Tensor | ModelTensor) -> str:
    return f"{tensor.layer.rsplit('/', 1)[-1]}/{tensor.variable}"


def _last_two(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """Paths by those short names that only one of them has."""
    counts = Counter(names.values())
    return {short: path for path, short in names.items() if counts[short] == 1}


def _by_graph(todo: _Open, checkpoint: Checkpoint, model: keras.Model, *, everything: bool) -> set[str]:
    """Pair layers that stand in the same place of both graphs; returns layers of whom the graphs leave doubt."""
    sources, targets = _sides(todo, checkpoint, everything=everything)
    if not sources or not targets or checkpoint.model_config is None:
        return set()
    ours = {tensor.layer for tensor in tensors_of(model).values()}
    pairs, doubtful = pair_by_graph(checkpoint.model_config, config_of(model), set(checkpoint.layers), ours)
    unpaired = {layer.path: layer for layer in sources}
    for target in targets:
        source = unpaired.get(pairs.get(target.path, ""))
        if source and is_alike(source, target):
            _pair_layers(todo, source, target, "same place in the graph")
    return doubtful


def _pair_layers(todo: _Open, source: LayerShapes, target: LayerShapes, reason: str) -> None:
    for one, other in zip(source.tensors, target.tensors, strict=True):
        todo.pair(other, one, f"{reason}, automatic name {source.path}" if is_automatic(source.path) else reason)


def _sides(todo: _Open, checkpoint: Checkpoint, *, everything: bool) -> tuple[list[LayerShapes], list[LayerShapes]]:
    """Layers of the file and of the model that may be paired by their place: all, or those with automatic names."""
    sources, targets = _layers(checkpoint.tensors, todo.sources), _layers(todo.targets, todo.targets)
    if everything:
        return sources, targets
    counted = [layer for layer in sources if is_automatic(layer.path)]
    wanted = [layer for layer in targets if is_automatic(layer.path)]
    return counted or (sources if wanted else []), wanted or (targets if counted else [])


def _by_order(todo: _Open, checkpoint: Checkpoint, doubtful: set[str], *, everything: bool) -> None:
    sides = _sides(todo, checkpoint, everything=everything)
    sources, targets = ([layer for layer in side if layer.path not in doubtful] for side in sides)
    familiar = Counter(_parent(match.source.rsplit("/", 1)[0]) for match in todo.found.values())
    parents = sorted({_parent(layer.path) for layer in sources}, key=lambda name: -familiar[name])
    nested = [[layer for layer in sources if _parent(layer.path) == name] for name in parents]
    for source, target in align([*nested, sources], targets):
        _pair_layers(todo, source, target, "same place in order")


def _layers(all_tensors: Mapping[str, Tensor | ModelTensor], still_open: Mapping[str, object]) -> list[LayerShapes]:
    """Layers of which every tensor is open, in order."""
    layers: dict[str, list[str]] = {}
    for path, tensor in all_tensors.items():
        layers.setdefault(tensor.layer, []).append(path)
    return [
        LayerShapes(layer, tuple(paths), tuple(tuple(all_tensors[path].shape) for path in paths))
        for layer, paths in layers.items()
        if all(path in still_open for path in paths)
    ]


def _parent(layer: str) -> str:
    return layer.rpartition("/")[0]
