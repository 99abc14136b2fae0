"""Which tensor of a file belongs to which weight of a model: by explicit pairs, by name, by order."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.models.tree import ModelTensor, tensors_of
from mstl.transfer.checkpoint import Checkpoint, Tensor
from mstl.transfer.explicit import pair_by_mapping, pair_by_rename
from mstl.transfer.graph import config_of, pair_by_graph
from mstl.transfer.naming import base_name, has_automatic, is_automatic, snake_case
from mstl.transfer.ordering import LayerShapes, Pairs, align, is_alike
from mstl.transfer.own_variables import OwnVariables
from mstl.transfer.pairing import Matches, Pairing, open_pairing

WAYS = ("name", "order")


def match_tensors(
    checkpoint: Checkpoint,
    model: keras.Model,
    *,
    rename: Iterable[tuple[str, str]] = (),
    match: Iterable[str] = WAYS,
    mapping: Mapping[str, str] | None = None,
    weights: Mapping[str, ModelTensor] | None = None,
) -> Matches:
    """Pair weights of `model` (keys, paths as of `tensors_of`) with tensors of `checkpoint`, each used once.

    `weights` are those of the model where they are known already.

    First the explicit `mapping` (model's path -> file's path, of tensors or layers), then `rename` (pairs of
    regex and replacement, applied to the file's paths), then the ways of `match`. By "name": equal paths, then
    layers of equal path, their weights in order, then equal layer and variable where that is unique on both sides,
    nested models left out, all of one nested model. By "order": place in both graphs where the file tells its own,
    else see `mstl.transfer.ordering.align`. With both, order is for paths that hold a name which Keras gives by
    itself ("conv2d_17", "model_1/conv0"), and names that someone gave are equal in what it pairs. Shapes may
    differ. Variances of Bayesian layers follow the kernels that were paired. The `doubts` of the result say of some
    absent why. Raises `TransferError` for a wrong rule or path.
    """
    ways = _ways(match)
    todo = open_pairing(checkpoint, model, dict(weights or tensors_of(model)))
    pair_by_mapping(todo, mapping or {})
    renamed = pair_by_rename(todo, list(rename))
    own = OwnVariables(todo)
    by_order = "order" in ways
    by_name = "name" in ways
    if by_name:
        _by_name(todo, renamed, automatic=not by_order)
        _by_layer_name(todo, renamed, automatic=not by_order)
    placed = any(tensor.place for tensor in checkpoint.tensors.values())
    doubtful = _by_graph(todo, checkpoint, model, everything=not by_name) if by_order and not placed else set()
    if by_name:
        _by_short_name(todo, renamed, automatic=not by_order)
    if by_order and placed:
        _by_position(todo, checkpoint, model)
    elif by_order:
        _by_order(todo, doubtful, everything=not by_name)
    own.follow()
    return todo.found


def _ways(match: Iterable[str]) -> list[str]:
    ways = [match] if isinstance(match, str) else list(match)
    if not ways or set(ways) - set(WAYS):
        raise TransferError(f"match is {ways}; expected one or both of {', '.join(WAYS)}.")
    return ways


def _by_position(todo: Pairing, checkpoint: Checkpoint, model: keras.Model) -> None:
    """Pair what Keras 3 keeps by class and number alone: the third `Conv2D` is "conv2d_2" whatever its name.

    Numbers are trusted only where file and model have as many layers of the class in the same nested model.
    """
    places = dict(_places(model, ""))
    ours = Counter(base_name(places[layer]) for layer in {tensor.layer for tensor in tensors_of(model).values()})
    theirs = Counter(base_name(place) for place in {tensor.place for tensor in checkpoint.tensors.values()} if place)
    sources = {(tensor.place, tensor.variable): path for path, tensor in todo.sources.items()}
    for path, tensor in list(todo.targets.items()):
        place = places[tensor.layer]
        source = sources.get((place, tensor.variable))
        if source and ours[base_name(place)] == theirs[base_name(place)]:
            todo.pair(path, source, "same class and number, as Keras 3 keeps layers")


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


def _by_name(todo: Pairing, renamed: Mapping[str, str], *, automatic: bool) -> None:
    for path in list(todo.targets):
        if renamed.get(path) in todo.sources and (automatic or not has_automatic(_parent(path), todo.kinds)):
            todo.pair(path, renamed[path], "same name")


def _by_layer_name(todo: Pairing, renamed: Mapping[str, str], *, automatic: bool) -> None:
    """Pair the weights of equally named layers in their order where all shapes agree."""
    names = {name: path for name, path in renamed.items() if path in todo.sources}
    theirs: dict[str, list[str]] = {}
    for name, path in names.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            theirs.setdefault("/".join(parts[:depth]), []).append(path)
    for layer in todo.open_targets():
        paths = theirs.get(layer.path, ())
        shapes = tuple(tuple(todo.all_sources[path].shape) for path in paths)
        if shapes == layer.shapes and (automatic or not has_automatic(layer.path, todo.kinds)):
            for target, source in zip(layer.tensors, paths, strict=True):
                todo.pair(target, source, "same name of the layer, same place in it")


def _by_short_name(todo: Pairing, renamed: Mapping[str, str], *, automatic: bool) -> None:
    """Pair layers of equal names in different nested models, for each of the model's from one of the file's."""
    new = {path: name for name, path in renamed.items() if name != path}
    theirs = {path: _short(tensor) for path, tensor in todo.all_sources.items()}
    theirs |= {path: _last_two(name) for path, name in new.items()}
    ours = {path: _short(tensor) for path, tensor in todo.all_targets.items()}
    sources, targets = _unique(theirs), _unique(ours)
    pairs: dict[str, list[tuple[str, str]]] = {}
    for short in (short for short in targets if short in sources):
        source, target = sources[short], targets[short]
        own = automatic or not has_automatic(_parent(short), todo.kinds)
        if own and source in todo.sources and target in todo.targets:
            pairs.setdefault(_parent(todo.all_targets[target].layer), []).append((target, source))
    for found in pairs.values():
        _pair_of_one_model(todo, found)


def _pair_of_one_model(todo: Pairing, found: list[tuple[str, str]]) -> None:
    """Pair targets with sources as far as these come from one nested model."""
    origins = [_parent(todo.all_sources[source].layer) for _, source in found]
    chosen = _likely_parent(origins)
    for (target, source), origin in zip(found, origins, strict=True):
        if chosen is not None and f"{origin}/".startswith(f"{chosen}/"):
            todo.pair(target, source, "same layer and variable, nested models left out")
        else:
            todo.found.doubts[target] = f"'{source}' has its name and stands apart from others with names that fit"


def _likely_parent(parents: list[str]) -> str | None:
    """The nested model that holds, at any depth, most of what was found; None where two hold as many."""
    counts: Counter[str] = Counter()
    for parent in parents:
        parts = parent.split("/")
        counts.update({"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)})
    most = max(counts.values())
    best = [parent for parent in counts if counts[parent] == most]
    outermost = min(best, key=len)
    return outermost if all(f"{parent}/".startswith(f"{outermost}/") for parent in best) else None


def _short(tensor: Tensor | ModelTensor) -> str:
    return f"{tensor.layer.rsplit('/', 1)[-1]}/{tensor.variable}"


def _last_two(path: str) -> str:
    return "/".join(path.split("/")[-2:])


def _unique(names: Mapping[str, str]) -> dict[str, str]:
    """Paths by those short names that only one of them has."""
    counts = Counter(names.values())
    return {short: path for path, short in names.items() if counts[short] == 1}


def _by_graph(todo: Pairing, checkpoint: Checkpoint, model: keras.Model, *, everything: bool) -> set[str]:
    """Pair layers that stand in the same place of both graphs; returns layers of whom the graphs leave doubt."""
    sources, targets = _sides(todo, everything=everything)
    if not sources or not targets or checkpoint.model_config is None:
        return set()
    ours = {tensor.layer for tensor in todo.all_targets.values()}
    pairs, doubtful = pair_by_graph(checkpoint.model_config, config_of(model), set(checkpoint.layers), ours)
    unpaired = {layer.path: layer for layer in sources}
    for target in targets:
        source = unpaired.get(pairs.get(target.path, ""))
        if source and is_alike(source, target):
            _pair_layers(todo, source, target, "same place in the graph")
    return doubtful


def _pair_layers(todo: Pairing, source: LayerShapes, target: LayerShapes, reason: str) -> None:
    automatic = is_automatic(source.path, todo.kinds)
    for one, other in zip(source.tensors, target.tensors, strict=True):
        todo.pair(other, one, f"{reason}, automatic name {source.path}" if automatic else reason)


def _sides(todo: Pairing, *, everything: bool) -> tuple[list[LayerShapes], list[LayerShapes]]:
    """Layers of the file and of the model that may be paired by their place: all, or those with automatic names."""
    sources, targets = todo.open_sources(named=not everything), todo.open_targets(named=not everything)
    if everything:
        return sources, targets
    counted = [layer for layer in sources if has_automatic(layer.path, todo.kinds)]
    wanted = [layer for layer in targets if has_automatic(layer.path, todo.kinds)]
    return counted or (sources if wanted else []), wanted or (targets if counted else [])


def _aligned(todo: Pairing, sources: list[LayerShapes], targets: list[LayerShapes]) -> Pairs:
    """Pairs by order from the nested model that other ways have led into, else from the one that fits best."""
    familiar = Counter(_parent(todo.units[match.source]) for match in todo.found.values())
    parents = sorted({_parent(layer.path) for layer in sources}, key=lambda name: -familiar[name])
    nested = [[layer for layer in sources if _parent(layer.path) == name] for name in parents]
    pairs = align(nested[:1], targets) if familiar else []
    return pairs if len(pairs) == len(targets) else align([*nested, sources], targets)


def _shuffled(pairs: Iterable[tuple[LayerShapes, LayerShapes]]) -> set[tuple[str, str]]:
    """Nested models of the file, and kinds of layers, whose automatic numbers go another way than those of the model.

    Keras lists the frozen layers of a nested model last. Layers that were made in one order have numbers that rise
    and fall alike on both sides; where they do not, the place in a file of weights alone tells nothing.
    """
    rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for source, target in pairs:
        if _parent(source.path):
            key = _parent(source.path), base_name(target.path)
            rows.setdefault(key, []).append((_number(source.path), _number(target.path)))
    return {key for key, row in rows.items() if _ranks(one for one, _ in row) != _ranks(other for _, other in row)}


def _ranks(numbers: Iterable[int]) -> list[int]:
    numbers = list(numbers)
    return [sorted(numbers).index(number) for number in numbers]


def _number(layer: str) -> int:
    found = re.search(r"_(\d+)$", layer)
    return int(found[1]) if found else 0


def _by_order(todo: Pairing, doubtful: set[str], *, everything: bool) -> None:
    sides = _sides(todo, everything=everything)
    sources, targets = ([layer for layer in side if layer.path not in doubtful] for side in sides)
    pairs = _aligned(todo, sources, targets)
    counted = [pair for pair in pairs if all(is_automatic(layer.path, todo.kinds) for layer in pair)]
    shuffled = _shuffled(counted)
    for source, target in pairs:
        if (_parent(source.path), base_name(target.path)) not in shuffled:
            _pair_layers(todo, source, target, "same place in order")
    _explain(todo, *sides)


def _explain(todo: Pairing, sources: list[LayerShapes], targets: list[LayerShapes]) -> None:
    """Say of layers left open whether a frozen part may have brought the file's into another order."""
    open_sources = [layer.shapes for layer in sources if layer.tensors[0] in todo.sources]
    rest = [layer for layer in targets if layer.tensors[0] in todo.targets]
    theirs = Counter(shape for shapes in open_sources for shape in shapes)
    if rest and theirs == Counter(shape for layer in rest for shape in layer.shapes):
        reason = "shapes agree in another order; perhaps saved while partly frozen: save it unfrozen or with model.save"
    else:
        reason = "layers around it fit in several ways or in none"
    for layer in rest:
        for path in layer.tensors:
            todo.found.doubts.setdefault(path, reason)


def _parent(layer: str) -> str:
    return layer.rpartition("/")[0]
