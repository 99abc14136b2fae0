"""Layers paired by their order from the input and their shapes, where names say nothing."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerShapes:
    """A layer with weights: its path, its tensors' paths and their shapes, in the layer's order."""

    path: str
    tensors: tuple[str, ...]
    shapes: tuple[Shape, ...]


Pairs = list[tuple[LayerShapes, LayerShapes]]


def align(candidates: Sequence[Sequence[LayerShapes]], targets: Sequence[LayerShapes]) -> Pairs:
    """Pair the layers of the best of several `candidates`, sequences of layers of a file, with `targets`.

    A candidate whose shapes are all those of the targets wins; then one with as many layers of the same
    kinds, whose unequal shapes are paired all the same so that they can be named; then the one from which most
    layers fit, counted from the input's side while shapes agree and then from the output's, and the first that
    does not fit between; layers that fit from either side, as beside an inserted layer of equal shape, are left
    alone. Of equals the first wins, so candidates come most likely first.
    """
    if not targets:
        return []
    for fits in (_equal, is_alike):
        for sources in candidates:
            if len(sources) == len(targets) and all(map(fits, sources, targets)):
                return list(zip(sources, targets, strict=True))
    return max((_from_both_ends(sources, targets) for sources in candidates), key=len, default=[])


def _from_both_ends(sources: Sequence[LayerShapes], targets: Sequence[LayerShapes]) -> Pairs:
    shorter = min(len(sources), len(targets))
    head = _run(sources, targets, shorter)
    tail = _run(sources[::-1], targets[::-1], shorter)
    overlap = len(head) + len(tail) - shorter
    if overlap > 0 and (len(head) < shorter) == (len(tail) < shorter):
        return head[: len(head) - overlap] + tail[: len(tail) - overlap][::-1]
    tail = tail[: shorter - len(head)]
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
    return source.shapes == target.shapes


def is_alike(source: LayerShapes, target: LayerShapes) -> bool:
    """Same kind of layer: as many tensors of the same ranks, 2D kernels being alike to 3D ones."""
    if len(source.shapes) != len(target.shapes):
        return False
    ranks = [(len(one), len(other)) for one, other in zip(source.shapes, target.shapes, strict=True)]
    return all(one == other or (one, other) == (4, 5) for one, other in ranks)
