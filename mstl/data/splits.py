"""Divide subjects into sides or folds: seeded, whole subjects, balanced by lesion volume.

Subjects are sorted by lesion volume and cut into strata of neighbours; within each stratum chance (the seed)
says who goes where, so every side receives small, middle and large lesion loads in its proportion.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mstl.errors import InputError


def split_subjects(
    volumes: Mapping[str, float], *, ratios: Sequence[float], seed: int = 0
) -> list[list[str]]:
    """Divide the subjects of `volumes` (name -> lesion volume, any one unit) into one sorted list a ratio.

    Ratios are >= 0 and sum to 1; sizes follow by largest remainder, at least one subject for each ratio above
    0. A ratio of 0 is a wanted empty side. The same seed gives the same sides, whatever the mapping's order.
    Raises `InputError` for other ratios and where there are fewer subjects than sides.
    """
    ratios = [float(ratio) for ratio in ratios]
    if not ratios or not all(ratio >= 0 for ratio in ratios) or abs(sum(ratios) - 1) > 1e-6:
        raise InputError(
            f"Ratios are {tuple(ratios)}, expected numbers >= 0 that sum to 1, such as (0.6, 0.2, 0.2). "
            "Change the ratios."
        )
    sides = sum(ratio > 0 for ratio in ratios)
    if len(volumes) < sides:
        raise InputError(
            f"{_subjects(volumes)} given, ratios {tuple(ratios)} ask for {sides} sides of at least one "
            "subject each. Add subjects, or set a ratio to 0."
        )
    return _allocate(volumes, _sizes(len(volumes), ratios), seed)


def fold_subjects(volumes: Mapping[str, float], k: int, *, seed: int = 0) -> list[list[str]]:
    """Divide the subjects of `volumes` (name -> lesion volume) into `k` sorted folds of nearly equal size.

    Raises `InputError` where `k` is no integer of at least 2, or there are fewer subjects than folds.
    """
    if k != int(k) or k < 2:
        raise InputError(f"{k} folds asked, expected an integer of at least 2. Change the number of folds.")
    if len(volumes) < k:
        raise InputError(
            f"{_subjects(volumes)} given, {k} folds need at least {k}. Add subjects, or ask for fewer folds."
        )
    return _allocate(volumes, _sizes(len(volumes), [1 / k] * int(k)), seed)


def _subjects(volumes: Mapping[str, float]) -> str:
    return f"{len(volumes)} subject{'' if len(volumes) == 1 else 's'}"


def _sizes(count: int, ratios: Sequence[float]) -> list[int]:
    """Whole numbers of sum `count` in proportion to `ratios`, by largest remainder; 0 for ratio 0 only."""
    quotas = [round(ratio * count, 9) for ratio in ratios]
    sizes = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(ratios)), key=lambda side: sizes[side] - quotas[side])
    for side in by_remainder[: count - sum(sizes)]:
        sizes[side] += 1
    for side, ratio in enumerate(ratios):
        if ratio > 0 and sizes[side] == 0:
            sizes[sizes.index(max(sizes))] -= 1
            sizes[side] = 1
    return sizes


def _allocate(volumes: Mapping[str, float], sizes: Sequence[int], seed: int) -> list[list[str]]:
    """Give every subject to a side, stratum by stratum of the subjects sorted by volume."""
    rng = np.random.default_rng(seed)
    names = sorted(volumes)
    rng.shuffle(names)  # equal volumes keep this order: ties are broken by the seed
    names.sort(key=lambda name: -volumes[name])
    sides = _even_sequence(sizes)
    smallest = min(size for size in sizes if size)
    stratum = max(1, round(len(names) / smallest))
    allocated: list[list[str]] = [[] for _ in sizes]
    for start in range(0, len(names), stratum):
        drawn = rng.permutation(sides[start : start + stratum])
        for name, side in zip(names[start : start + stratum], drawn, strict=True):
            allocated[side].append(name)
    return [sorted(side) for side in allocated]


def _even_sequence(sizes: Sequence[int]) -> list[int]:
    """Side indices, side `s` as often as `sizes[s]`, spread so that every stretch holds its proportion."""
    total = sum(sizes)
    sequence: list[int] = []
    given = [0] * len(sizes)
    for position in range(1, total + 1):
        behind = [size * position / total - done for size, done in zip(sizes, given, strict=True)]
        side = behind.index(max(behind))
        given[side] += 1
        sequence.append(side)
    return sequence
