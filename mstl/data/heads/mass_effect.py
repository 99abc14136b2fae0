"""Mass effect: a tumour takes room, and tissue and ventricles around it give way."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mstl.data.heads.anatomy import Anatomy, sample

_RIGID = 18.0  # mm below the brain's surface within which the skull holds tissue back


@dataclass(frozen=True)
class MassEffect:
    """Tissue at the border of a sphere of `radius` mm about `centre` (mm on the lattice) moves `shift` mm outwards.

    Further out it moves less, and not at all `reach` mm beyond the border.
    """

    centre: np.ndarray
    radius: float
    shift: float
    reach: float


def draw_mass_effect(
    centre: np.ndarray, radius: float, rng: np.random.Generator, *, randomise: float = 0.0
) -> MassEffect:
    """Draw how strongly a tumour core of `radius` mm displaces what lies around it: 2 to 12 mm at its border."""
    strength = rng.uniform(0.2, 0.5) * np.exp(rng.normal(0, 0.1 + 0.2 * randomise))
    return MassEffect(centre, radius, float(np.clip(strength * radius, 2.0, 12.0)), float(rng.uniform(45, 65)))


def displace(anatomy: Anatomy, effect: MassEffect, positions: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Anatomy:
    """The anatomy at `positions` mm after the displacement, which is smooth and folds nowhere.

    The brain's surface stays where it is: skull does not give way.
    """
    box = tuple(
        slice(*np.searchsorted(along, middle + np.array([-1, 1]) * (effect.radius + effect.reach)))
        for along, middle in zip(positions, effect.centre, strict=True)
    )
    within = tuple(along[part] for along, part in zip(positions, box, strict=True))
    offset = np.meshgrid(*(a - c for a, c in zip(within, effect.centre, strict=True)), indexing="ij", sparse=True)
    away = np.sqrt(sum(axis**2 for axis in offset))
    beyond = np.clip((away - effect.radius) / effect.reach, 0, 1)
    shift = effect.shift * np.where(away < effect.radius, away / effect.radius, (1 - beyond) ** 2 * (1 + beyond))
    loose = np.clip(anatomy.depth[box] / _RIGID, 0, 1)
    shift = shift * loose**2 * (3 - 2 * loose) / np.maximum(away, 1e-3)
    where = np.stack([
        (axis * (1 - shift) + middle) / (along[1] - along[0])
        for axis, middle, along in zip(offset, effect.centre, positions, strict=True)
    ])
    moved = {}
    for name in ("white", "grey", "deep_grey", "ventricle"):
        moved[name] = getattr(anatomy, name).copy()
        moved[name][box] = sample(getattr(anatomy, name), where)
    return replace(anatomy, csf=1 - moved["white"] - moved["grey"] - moved["deep_grey"], **moved)
