"""The parts of a network by name: encoder, decoder, head, their blocks; found in the graph, so for any model."""
from __future__ import annotations

import re
from collections.abc import Sequence

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.resolution import Step, is_companion, steps_of
from mstl.models.tree import layers_of

_GROUP = re.compile(r"(encoder|decoder)\d*|head|stem")
_BLOCK = re.compile(r"(encoder|decoder)\d+|head|stem")
_NAMED_HEAD = re.compile(r"(head|auxiliary)_")


def groups_of(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """Group names to the paths (`mstl.models.tree.layers_of`) of their layers with weights.

    encoder: the layers at the lowest resolution and all that lead to them; head: the last layers with weights
    before the outputs, with their normalisation, and all whose names begin with head_ or auxiliary_; stem: a 1x1
    convolution of the image in front of a nested network; decoder: all others. These four cover every layer with
    weights once; what a model lacks (a classifier its decoder) is left out. `encoder1`, `encoder2`, ... are the
    encoder's layers of one output resolution each, the highest first; `decoder1`, `decoder2`, ... those of the
    decoder, the lowest first, so that decoder1 follows the bottleneck. A resolution with normalisation only belongs to
    the next block, and a 1x1 convolution whose map is only enlarged to the resolution that it is enlarged to.

    Raises `InputError` for a model without a graph (subclassed, or a `Sequential` that is not built).
    """
    parts = _parts(model)
    groups = {**parts, **_blocks("encoder", parts["encoder"]), **_blocks("decoder", parts["decoder"])}
    paths = {id(layer): path for path, layer in layers_of(model).items()}
    members = {name: {id(step.layer) for step in steps} for name, steps in groups.items() if steps}
    return {name: tuple(path for layer, path in paths.items() if layer in ids) for name, ids in members.items()}


def _parts(model: keras.Model) -> dict[str, list[Step]]:
    steps = steps_of(model)
    _lift_projections(steps)
    weighted = [step for step in steps if step.layer.weights]
    deepest = max((step.level for step in steps), default=0)  # perhaps a pooling that is undone at once, as in SegNet
    leading = {id(step.layer) for step in _with_ancestors([step for step in steps if step.level == deepest])}
    head, stem = _head(steps), _stem(model, steps)
    first = {id(step.layer): step for step in reversed(weighted)}  # a shared layer stands where it is called first
    body = {key: step for key, step in first.items() if not any(step.layer is end.layer for end in (*head, *stem))}
    encoder = [step for key, step in body.items() if key in leading]
    decoder = [step for key, step in body.items() if key not in leading]
    return {"stem": stem, "encoder": encoder, "decoder": decoder, "head": head}


def _lift_projections(steps: list[Step]) -> None:
    """Count a 1x1 convolution whose map is only enlarged to the resolution above, as the decoder that it opens."""
    pointwise = [step for step in steps if set(getattr(step.layer, "kernel_size", ())) == {1}]
    for step in reversed(pointwise):  # what follows a step is lifted before it
        after = [other for other in steps if any(parent is step for parent in other.parents)]
        if after and all(not other.layer.weights and other.level < step.level for other in after):
            step.level = max(other.level for other in after)


def blocks_of(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """The groups that hold each layer with weights once: stem, blocks, head, in the order of the data.

    A model without a graph is one group, "model".
    """
    try:
        groups = groups_of(model)
    except InputError:
        return {"model": tuple(path for path, layer in layers_of(model).items() if layer.weights)}
    return {name: groups[name] for name in sorted(filter(_BLOCK.fullmatch, groups), key=_place)}


def _place(block: str) -> tuple[int, int]:
    part = block.rstrip("0123456789")
    return ("stem", "encoder", "decoder", "head").index(part), int(block[len(part) :] or 0)


def scope_layers(model: keras.Model, scope: str | Sequence[str]) -> set[str]:
    """Paths of the layers with weights that `scope` means: a group's name, a regex searched in paths, or a list.

    Raises `InputError` for a regex that is wrong, and for a scope that means no layer.
    """
    scopes = [scope] if isinstance(scope, str) else list(scope)
    paths = [path for path, layer in layers_of(model).items() if layer.weights]
    groups = groups_of(model) if any(_GROUP.fullmatch(one) for one in scopes) else {}
    absent = [one for one in scopes if _GROUP.fullmatch(one) and one not in groups]
    if absent:
        raise InputError(f"Model '{model.name}' has no group '{absent[0]}'. Its groups are {', '.join(groups)}.")
    return {path for one in scopes for path in groups.get(one) or _matches(model, one, paths)}


def _matches(model: keras.Model, pattern: str, paths: list[str]) -> list[str]:
    try:
        found = [path for path in paths if re.search(pattern, path)]
    except re.error as error:
        raise InputError(f"Scope '{pattern}' is neither a group nor a regex ({error}). Mend it.") from error
    if not found:
        example = f", such as {paths[0]}" if paths else ""
        raise InputError(
            f"Scope '{pattern}' means no layer of model '{model.name}'. Give one of its groups "
            f"({', '.join(_names(model))}) or a regex that is found in paths of layers{example}."
        )
    return found


def _names(model: keras.Model) -> list[str]:
    try:
        return list(groups_of(model))
    except InputError:
        return ["none: it has no graph"]


def _head(steps: list[Step]) -> list[Step]:
    """Last layers with weights before the outputs, one that leads to another is not last; and those named as such."""
    last = _nearest_weighted([step for step in steps if step.is_output])
    inner = {id(step) for step in _with_ancestors([parent for step in last for parent in step.parents])}
    head = [step for step in last if id(step) not in inner]
    for step in head:  # grows: a normalisation brings the convolution before it
        if is_companion(step.layer):
            head += [before for before in _nearest_weighted(step.parents) if before not in head]
    named = [step for step in steps if step.layer.weights and _NAMED_HEAD.match(step.layer.name)]
    return head + [step for step in named if step not in head]


def _stem(model: keras.Model, steps: list[Step]) -> list[Step]:
    """The 1x1 convolution in front of a nested network."""
    outer = [layer for layer in model.layers if layer.weights]
    if len(outer) < 2 or not isinstance(outer[1], keras.Model):
        return []
    kernel = getattr(outer[0], "kernel_size", ())
    return [step for step in steps if step.layer is outer[0] and kernel and set(kernel) == {1}]


def _blocks(name: str, steps: list[Step]) -> dict[str, list[Step]]:
    """Steps of one resolution each, from the input's side to the output's."""
    levels: dict[int, list[Step]] = {}
    for step in steps:
        levels.setdefault(step.level, []).append(step)
    blocks: list[list[Step]] = []
    open_block: list[Step] = []
    for level in sorted(levels, reverse=name == "decoder"):
        open_block += levels[level]
        if not all(is_companion(step.layer) for step in open_block):
            blocks.append(open_block)
            open_block = []
    if open_block:
        blocks = [*blocks[:-1], [*(blocks[-1] if blocks else []), *open_block]]
    return {f"{name}{number}": block for number, block in enumerate(blocks, start=1)}


def _nearest_weighted(steps: Sequence[Step]) -> list[Step]:
    """The steps with weights that one meets first on the way back from `steps`, these included."""
    found, seen, ahead = [], set(), list(steps)
    while ahead:
        step = ahead.pop()
        if id(step) in seen:
            continue
        seen.add(id(step))
        if step.layer.weights:
            found.append(step)
        else:
            ahead += step.parents
    return found


def _with_ancestors(steps: Sequence[Step]) -> list[Step]:
    found, ahead = {}, list(steps)
    while ahead:
        step = ahead.pop()
        if id(step) not in found:
            found[id(step)] = step
            ahead += step.parents
    return list(found.values())
