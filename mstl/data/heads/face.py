"""Shapes of a head in the template's space: skull vault, face, neck, eyes, sinuses, muscles; drawn a person."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

STEP = 2  # mm of the lattice that shapes are drawn on
CORNER = np.array([-104.0, -144.0, -170.0])  # world mm of its first voxel
SHAPE = (105, 133, 141)
_NEAR = 12.0  # mm outside a shape to which its distance is known

# Ellipsoids (centre, radii) and tubes (from, to, radius) in mm of MNI152 space, RAS+; x > 0 stands for both
# sides. A part's name begins with its tissue; later parts are painted over earlier ones.
_BODY = (
    ((0, -28, -70), (0, -40, -230), 60),
    ((0, 22, -58), (66, 66, 62)),
    ((0, 38, -92), (50, 50, 42)),
    ((0, 62, -14), (48, 26, 20)),
)
_STICKING_OUT = (
    ((0, 85, -50), (14, 21, 22)),
    ((77, -30, -42), (7, 17, 28)),
)
_PARTS = {
    "muscle": (
        ((66, 14, -12), (9, 33, 32)),
        ((54, 25, -85), (10, 18, 28)),
        ((34, 22, -74), (10, 18, 20)),
        ((21, -84, -95), (21, 24, 42)),
        ((52, -32, -112), (13, 14, 44)),
        ((10, -6, -105), (9, 8, 42)),
        ((0, 48, -92), (22, 30, 19)),
    ),
    "mucosa": (
        ((57, 0, -82), (9, 12, 20)),
        ((0, 52, -50), (15, 34, 22)),
        ((0, 12, -70), (17, 14, 22)),
    ),
    "bone": (
        ((0, -8, -36), (0, -26, -62), 7),
        ((0, -18, -84), (11, 10, 14)),
        ((0, -20, -102), (13, 11, 7)),
        ((0, -21, -121), (13, 11, 7)),
        ((0, -21, -140), (13, 11, 7)),
        ((48, 18, -70), (42, 30, -112), 6),
        ((42, 32, -112), (12, 80, -118), 7),
        ((0, 74, -86), (24, 13, 13)),
        ((44, 66, -52), (70, 18, -48), 4),
        ((50, -34, -46), (13, 16, 18)),
    ),
    "fat": (
        ((30, 46, -37), (17, 27, 16)),
        ((36, 45, -80), (12, 16, 16)),
    ),
    "air": (
        ((0, 22, -37), (12, 12, 9)),
        ((7, 46, -37), (5, 16, 11)),
        ((5, 62, -56), (4, 26, 16)),
        ((28, 50, -60), (13, 15, 16)),
        ((9, 77, -6), (12, 4.5, 11)),
        ((0, 12, -64), (9, 8, 13)),
        ((0, 6, -74), (0, 0, -180), 8),
        ((52, -34, -48), (8, 10, 11)),
        ((42, -22, -44), (92, -25, -46), 3.5),
        ((0, 60, -78), (14, 18, 2.5)),
    ),
    "muscle-eye": (
        ((22, 60, -37), (14, 22, -30), 2.4),
        ((42, 60, -37), (20, 22, -30), 2.4),
        ((32, 62, -25), (16, 22, -28), 2.4),
    ),
    "vessel": (((13, -2, -90), (14, 0, -44), 3.0), ((14, 0, -44), (9, 8, -28), 2.6)),
    "vitreous": (((32, 66, -37), (12, 12, 12)),),
    "lens": (((32, 75.5, -37), (5, 3, 5)),),
    "nerve": (((31, 54, -37), (8, 14, -24), 2.6),),
}
_CANAL = ((0, -43, -52), (0, -52, -80), (0, -44, -190))
_CORD = (10.5, 5.0)  # radii of canal and cord


@dataclass(frozen=True, eq=False)
class Face:
    """Distances inside the shapes of one head, mm float32 on the lattice of `points`, and its thicknesses in mm."""

    cavity: np.ndarray
    outer: np.ndarray
    cord: np.ndarray
    parts: dict[str, np.ndarray]
    fluid: float  # between brain and dura
    dura: float
    skull: float
    table: float  # compact bone on either side of the marrow
    scalp: float
    skin: float
    lumps: float  # unevenness of the surface
    marrow: float  # standard deviations: how much of the skull holds none
    flesh: float  # the same of muscle among the fat of the face
    mucosa: float
    sinus: float  # radius of the vein along the midline


@lru_cache(maxsize=1)
def points() -> np.ndarray:
    """World mm `(3, ...)` of the lattice, float32. Read only."""
    axes = (CORNER[a] + STEP * np.arange(SHAPE[a], dtype=np.float32) for a in range(3))
    found = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    found.flags.writeable = False
    return found


def draw_face(rng: np.random.Generator, cavity: np.ndarray, *, wide: float) -> Face:
    """Draw the shapes around a cranial cavity (distances inside, mm); `wide` multiplies how far people differ."""
    skull, scalp = (float(np.exp(rng.normal(np.log(usual), 0.16 * wide))) for usual in (6.0, 6.5))
    canal, cord = _draw_canal(rng, wide)
    cavity = np.maximum(cavity, canal)
    parts = {name: _draw_union(shapes, rng, wide) for name, shapes in _PARTS.items()}
    return Face(
        cavity,
        _draw_surface(rng, cavity, skull + scalp, wide),
        cord,
        parts,
        fluid=rng.uniform(0, 1.5 * wide),
        dura=rng.uniform(0.5, 1.3),
        skull=skull,
        table=rng.uniform(1.1, 2.2),
        scalp=scalp,
        skin=rng.uniform(1.2, 2.4),
        lumps=rng.uniform(0.5, 1.0) * wide,
        marrow=rng.normal(-0.8, 0.6 * wide),
        flesh=rng.normal(0.5, 0.4 * wide),
        mucosa=rng.uniform(0, 2.0),
        sinus=rng.uniform(2.0, 4.0),
    )


def _draw_surface(rng: np.random.Generator, cavity: np.ndarray, wall: float, wide: float) -> np.ndarray:
    """Distance inside the skin, mm: vault, face and neck flow into one another; nose and ears stick out."""
    vault = ndimage.gaussian_filter(np.maximum(cavity, -40), 3.5) + np.float32(wall)
    body = np.maximum(vault, _draw_union(_BODY, rng, wide))
    body = ndimage.gaussian_filter(body, 2.0)
    return np.maximum(body, _draw_union(_STICKING_OUT, rng, wide))


def _draw_canal(rng: np.random.Generator, wide: float) -> list[np.ndarray]:
    """Distances inside the spinal canal and inside the cord."""
    bend = np.array([0, rng.normal(0, 4 * wide), 0])
    top, middle, bottom = (np.array(knot) + bend * (number > 0) for number, knot in enumerate(_CANAL))
    tubes = []
    for radius in _CORD:
        level = np.full(SHAPE, -99, np.float32)
        _add_tube(level, top, middle, radius)
        _add_tube(level, middle, bottom, radius)
        tubes.append(level)
    return tubes


def _draw_union(shapes: tuple, rng: np.random.Generator, wide: float) -> np.ndarray:
    """Distance inside the union of shapes, each moved and scaled at random, both sides nearly alike.

    Further outside than `_NEAR` it is unknown and very negative.
    """
    level = np.full(SHAPE, -99, np.float32)
    for shape in shapes:
        move, size = rng.normal(0, 1.5 * wide, 3), np.exp(rng.normal(0, 0.08 * wide))
        sides = (1, -1) if shape[0][0] > 0 else (1,)
        for side in sides:
            own, factor = move + rng.normal(0, 0.7 * wide, 3), size * np.exp(rng.normal(0, 0.04 * wide))
            first, second = ((np.array(part) + own) * (side, 1, 1) for part in shape[:2])
            if len(shape) == 3:
                _add_tube(level, first, second, shape[2] * factor)
            else:
                _add_ellipsoid(level, first, np.array(shape[1]) * factor)
    return level


def _add_ellipsoid(level: np.ndarray, centre: np.ndarray, radii: np.ndarray) -> None:
    box, axes = _around(centre - radii, centre + radii)
    squares = sum(((along - c) / r) ** 2 for along, c, r in zip(axes, centre, radii, strict=True))
    np.maximum(level[box], (1 - np.sqrt(squares)) * radii.min(), out=level[box])


def _add_tube(level: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    box, axes = _around(np.minimum(start, end) - radius, np.maximum(start, end) + radius)
    along = end - start
    offset = [values - s for values, s in zip(axes, start, strict=True)]
    part = np.clip(sum(o * a for o, a in zip(offset, along, strict=True)) / (along @ along), 0, 1)
    squares = sum((o - part * a) ** 2 for o, a in zip(offset, along, strict=True))
    np.maximum(level[box], radius - np.sqrt(squares), out=level[box])


def _around(low: np.ndarray, high: np.ndarray) -> tuple[tuple, tuple]:
    """The part of the lattice within `_NEAR` mm of a box, and its coordinates, ready to broadcast."""
    first = np.clip(np.floor((low - _NEAR - CORNER) / STEP), 0, SHAPE).astype(int)
    last = np.clip(np.ceil((high + _NEAR - CORNER) / STEP) + 1, first, SHAPE).astype(int)
    axes = (CORNER[a] + STEP * np.arange(first[a], last[a]) for a in range(3))
    return tuple(slice(a, b) for a, b in zip(first, last, strict=True)), np.ix_(*axes)
