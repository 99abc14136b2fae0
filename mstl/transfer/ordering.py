"""Layers paired by their order from the input and their shapes, where names say nothing."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerShapes:
    """A layer with weights: its path, its tensors' paths and their shapes, in the layer's order.

    `name` is the one that someone gave it: two layers with different ones are never the same.
    """

    path: str
    tensors: tuple[str, ...]
    shapes: tuple[Shape, ...]
    name: str | None = None


Pairs = list[tuple[LayerShapes, LayerShapes]]


def align(candidates: Sequence[Sequence[LayerShapes]], targets: Sequence[LayerShapes]) -> Pairs:
    """Pair the layers of the best of several `candidates`, sequences of layers of a file, with `targets`.

    A candidate whose shapes are all those of the targets wins; then one with as many layers of the same
    kinds, whose unequal shapes are paired all the same so that they can be named; then the one from which most
    layers fit, counted from the input's side while shapes agree and then from the output's, and the first that
    does not fit between. Layers that fit from either side, as beside one that was inserted or dropped among layers
    of equal shape, at the end as well, are left alone, and so is everything where two candidates fit equally.
    """
    if not targets:
        return []
    for fits in (_equal, is_alike):
        whole = [
            list(zip(sources, targets, strict=True))
            for sources in candidates
            if len(sources) == len(targets) and all(map(fits, sources, targets))
        ]
        if whole:
            return _only(whole)
    found = [_from_both_ends(sources, targets) for sources in candidates]
    most = max(map(len, found), default=0)
    return _only([pairs for pairs in found if len(pairs) == most])


def _only(found: list[Pairs]) -> Pairs:
    """What was found where that is one thing, though found twice; else nothing."""
    return found[0] if found and all(pairs == found[0] for pairs in found) else []


def _from_both_ends(sources: Sequence[LayerShapes], targets: Sequence[LayerShapes]) -> Pairs:
    shorter = min(len(sources), len(targets))
    head = _run(sources, targets, shorter)
    tail = _run(sources[::-1], targets[::-1], shorter)
    overlap = len(head) + len(tail) - shorter
    if overlap > 0:
        return head[: len(head) - overlap] + tail[: len(tail) - overlap][::-1]
    rest = slice(len(head), shorter - len(tail))
    odd = [pair for pair in zip(sources[rest][:1], targets[rest][:1], strict=True) if is_alike(*pair)]
    return head + odd + tail[::-1]


def _run(sources: Sequence[LayerShapes], targets: Sequence[LayerShapes], most: int) -> Pairs:
    """Pairs from the start while shapes agree."""
    pairs: Pairs = []
    for source, target in zip(sources[:most], targets[:most], strict=True):
        if not _equal(source, target):
            break
        pairs.append((source, target))
    return pairs


def _equal(source: LayerShapes, target: LayerShapes) -> bool:
    return source.shapes == target.shapes and _may_be_one(source, target)


def _may_be_one(source: LayerShapes, target: LayerShapes) -> bool:
    return source.name is None or target.name is None or source.name == target.name


def is_alike(source: LayerShapes, target: LayerShapes) -> bool:
    """Same kind of layer: as many tensors of the same ranks, 2D kernels being alike to 3D ones."""
    if len(source.shapes) != len(target.shapes) or not _may_be_one(source, target):
        return False
    ranks = [(len(one), len(other)) for one, other in zip(source.shapes, target.shapes, strict=True)]
    return all(one == other or (one, other) == (4, 5) for one, other in ranks)
