"""Mass effect: a tumour takes room, and tissue and ventricles around it give way."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mstl.data.heads.anatomy import Anatomy, sample

_RIGID = 18.0  # mm below the brain's surface within which the skull holds tissue back
_EFFACED = 0.6  # of the fluid in sulci beside the tumour


@dataclass(frozen=True)
class MassEffect:
    """Tissue at the border of a sphere of `radius` mm about `centre` (mm on the lattice) moves `shift` mm outwards.

    Further out it moves less, and not at all from `reach` mm beyond the border.
    """

    centre: np.ndarray
    radius: float
    shift: float
    reach: float


def draw_mass_effect(
    centre: np.ndarray, core_ml: float, whole_ml: float, rng: np.random.Generator, *, randomise: float = 0.0
) -> MassEffect:
    """Draw how far a tumour displaces what lies around its core: about a quarter of the whole tumour's radius."""
    core, whole = ((0.75 * ml * 1000 / np.pi) ** (1 / 3) for ml in (core_ml, whole_ml))
    strength = rng.uniform(0.15, 0.4) * np.exp(rng.normal(0, 0.1 + 0.2 * randomise))
    shift = min(strength * whole, 0.75 * core, 14.0)
    return MassEffect(centre, float(core), float(shift), float(rng.uniform(50, 75)))


def displace(anatomy: Anatomy, effect: MassEffect, positions: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Anatomy:
    """The anatomy at `positions` mm after a displacement that is smooth and folds nowhere.

    The brain's surface stays where it is, for the skull does not give way; sulci beside the tumour are pressed
    together, ventricles moved and narrowed.
    """
    box = tuple(
        slice(*np.searchsorted(along, middle + np.array([-1, 1]) * (effect.radius + effect.reach)))
        for along, middle in zip(positions, effect.centre, strict=True)
    )
    within = tuple(along[part] for along, part in zip(positions, box, strict=True))
    offset = np.meshgrid(*(a - c for a, c in zip(within, effect.centre, strict=True)), indexing="ij", sparse=True)
    away = np.sqrt(sum(axis.astype(np.float32) ** 2 for axis in offset))
    beyond = np.clip((away - effect.radius) / np.float32(effect.reach), 0, 1)
    push = (1 - beyond) ** 2 * (1 + beyond)
    loose = np.clip(anatomy.depth[box] / np.float32(_RIGID), 0, 1)
    push *= loose**2 * (3 - 2 * loose)
    inwards = np.float32(effect.shift) * push / np.maximum(away, effect.radius)
    where = np.stack([
        (axis * (1 - inwards) + middle) / (along[1] - along[0])
        for axis, middle, along in zip(offset, effect.centre, positions, strict=True)
    ])
    moved = {}
    for name in ("white", "grey", "deep_grey", "ventricle"):
        moved[name] = getattr(anatomy, name).copy()
        moved[name][box] = sample(getattr(anatomy, name), where)
    sulci = np.maximum(1 - sum(moved[name][box] for name in ("white", "grey", "deep_grey")), 0)
    moved["grey"][box] += _EFFACED * push * sulci * (moved["ventricle"][box] > 1)
    return replace(anatomy, csf=1 - moved["white"] - moved["grey"] - moved["deep_grey"], **moved)
