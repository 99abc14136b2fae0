"""Synthetic anatomy: the MNI152 tissue maps, deformed and refolded into a person who does not exist."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mstl.data.grid import Grid
from mstl.data.heads.fields import SmoothField, draw_field

HEAD_CENTRE = np.array([0.0, -18.0, 8.0])  # of the template's brain, mm RAS+
_COARSE = 2  # mm: distances need no more
_DEEP_CENTRE, _DEEP_RADII = np.array([0.0, -8.0, 3.0]), np.array([36.0, 34.0, 18.0])


@dataclass(frozen=True)
class Template:
    """Tissue maps float32 (1 mm) and distances in mm (2 mm grid), `origin` world mm of the first voxel.

    `depth` is below the brain's surface, `ventricle` from the ventricles; both negative on the far side.
    """

    grey: np.ndarray
    white: np.ndarray
    depth: np.ndarray
    ventricle: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True)
class Head:
    """Where in the template each point of one person's head lies; made by `draw_head`."""

    matrix: np.ndarray  # (4, 4), world mm of the person to world mm of the template
    elastic: tuple[tuple[float, tuple[SmoothField, SmoothField, SmoothField]], ...]
    folding: tuple[SmoothField, SmoothField, SmoothField]  # of white matter, of fluid, of gyri
    edge: SmoothField
    atrophy: float
    ventricles: float  # mm by which the ventricles are wider than the template's


@dataclass(frozen=True)
class Anatomy:
    """Fractions float32 of four tissues that sum to 1, `brain` bool, distances in mm, all on one lattice."""

    white: np.ndarray
    grey: np.ndarray
    deep_grey: np.ndarray
    csf: np.ndarray
    brain: np.ndarray
    depth: np.ndarray
    ventricle: np.ndarray


@lru_cache(maxsize=1)
def load_template() -> Template:
    """The ICBM 2009a symmetric maps that ship inside nilearn.

    Fonov et al. 2011, 10.1016/j.neuroimage.2010.07.033.
    """
    from nilearn import datasets

    brain = datasets.load_mni152_template(resolution=1)
    grey = datasets.load_mni152_gm_template(resolution=1).get_fdata(dtype=np.float32)
    white = datasets.load_mni152_wm_template(resolution=1).get_fdata(dtype=np.float32)
    head = np.asarray(brain.dataobj)[::_COARSE, ::_COARSE, ::_COARSE] > 0
    depth = _signed_distance(head)
    fluid = 1 - (grey + white)[::_COARSE, ::_COARSE, ::_COARSE]
    parts, _ = ndimage.label((fluid > 0.5) & (depth > 20))
    ventricles = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    return Template(grey, white, depth, -_signed_distance(ventricles), brain.affine[:3, 3])


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    distance = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return (ndimage.gaussian_filter(distance, 0.7) * _COARSE).astype(np.float32)


def draw_head(
    rng: np.random.Generator, extent: tuple[float, float, float], *, randomise: float = 0.0
) -> Head:
    """Draw one person: a small affine, elastic displacements, own folds, atrophy and ventricles.

    `extent` mm of the field of view; `randomise` 0 to 1 widens all of it by up to a half.
    """
    wide = 1 + 0.5 * randomise
    matrix = _draw_affine(rng, wide)
    elastic = tuple(
        (wide * size, tuple(draw_field(rng, extent, scale=scale) for _ in range(3)))
        for scale, size in ((45.0, 3.0), (18.0, 1.3))
    )
    folding = tuple(draw_field(rng, extent, scale=scale) for scale in (3.5, 4.5, 9.0))
    edge = draw_field(rng, extent, scale=12.0)
    atrophy = rng.uniform(-0.2, 0.9) * wide
    ventricles = min(rng.gamma(1.5, 0.9) * wide, 6.0)
    return Head(matrix, elastic, folding, edge, float(atrophy), float(ventricles))


def _draw_affine(rng: np.random.Generator, wide: float) -> np.ndarray:
    linear = np.diag(rng.normal(1.0, 0.04 * wide, 3)) + np.triu(rng.normal(0, 0.02 * wide, (3, 3)), 1)
    turn = Rotation.from_euler("xyz", rng.normal(0, 3.0 * wide, 3), degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = linear @ turn
    return matrix


def lattice(grid: Grid, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of a grid's voxels along its axes, mm; the first lies `start` voxels from the corner."""
    return tuple(
        (first + np.arange(side)) * step
        for first, side, step in zip(start, grid.shape, grid.spacing, strict=True)
    )


def find_brain(grid: Grid, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last voxel `(3,)`, `(3,)` of the grid's box that holds the whole brain."""
    stride = np.maximum(1, np.round(4 / np.array(grid.spacing))).astype(int)
    index = [np.arange(0, side, step) for side, step in zip(grid.shape, stride, strict=True)]
    positions = tuple(i * step for i, step in zip(index, grid.spacing, strict=True))
    where = template_coordinates(grid, head, index, positions)
    inside = np.argwhere(sample(load_template().depth, where / _COARSE) > -1)
    return np.maximum(inside.min(0) * stride - stride, 0), np.minimum(
        (inside.max(0) + 2) * stride, grid.shape
    )


def build_anatomy(grid: Grid, head: Head, *, start: np.ndarray) -> Anatomy:
    """Tissue fractions of `head` at the voxels of `grid`, a box that begins at voxel `start` of its lattice.

    The template's blurred cortex becomes one person's: random logits choose among its tissues, and a power
    sharpens the choice, near the surface more than in the depth.
    """
    template = load_template()
    positions = lattice(grid, start)
    where = template_coordinates(grid, head, [np.arange(side) for side in grid.shape], positions)
    depth, ventricle = (sample(m, where / _COARSE) for m in (template.depth, template.ventricle))
    inner = _deep_region(where, template.origin)
    cortical = (1 - 0.8 * _rise(depth - 22, 10)) * (1 - inner)
    tissues = (sample(tissue, where) for tissue in (template.white, template.grey))
    fractions = _refold(*tissues, cortical, head, positions)
    unevenness = head.edge(positions)
    ventricle = ventricle - head.ventricles * (1 + 0.25 * unevenness)
    chamber = _rise(-ventricle, 1.2)
    white, grey = (part * (1 - chamber) for part in fractions)
    deep = grey * inner
    csf = 1 - white - grey
    brain = depth - 3 * csf * (chamber == 0) > np.maximum(0.7 * unevenness, -0.5)  # extraction cuts fluid off
    return Anatomy(white, grey - deep, deep, csf, brain, depth, ventricle)


def template_coordinates(grid: Grid, head: Head, index: list, positions: tuple) -> np.ndarray:
    """Voxel coordinates `(3, ...)` in the 1 mm template of a sublattice of the grid."""
    towards = np.eye(4)
    towards[:3, 3] = HEAD_CENTRE - load_template().origin
    centred = np.eye(4)
    centred[:3, 3] = -HEAD_CENTRE
    matrix = (towards @ head.matrix @ centred @ grid.affine).astype(np.float32)
    i, j, k = np.ix_(*(values.astype(np.float32) for values in index))
    where = np.stack([m[0] * i + m[1] * j + m[2] * k + m[3] for m in matrix[:3]])
    for size, fields in head.elastic:
        for axis, field in enumerate(fields):
            where[axis] += np.float32(size) * field(positions)
    return where


def sample(volume: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Values float32 of a volume at voxel coordinates `(3, ...)`, linear; beyond its borders the nearest."""
    return ndimage.map_coordinates(volume, where, order=1, mode="nearest", output=np.float32)


def _refold(
    white: np.ndarray, grey: np.ndarray, cortical: np.ndarray, head: Head, positions: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """White and grey fractions after the random choice; what is left is CSF."""
    ragged, pits, gyri = (field(positions) for field in head.folding)
    sulcus = np.exp(-((gyri / np.float32(0.2)) ** 2))  # the sheets where a random field crosses zero
    blade = np.minimum(np.abs(gyri), 1.5) - np.float32(0.75)
    fluid = np.maximum(1 - grey - white, 0)
    weights = [
        np.exp((1 + 1.2 * cortical) * (np.log(part + np.float32(least)) + cortical * lift))
        for part, least, lift in (
            (white, 0.02, 0.25 + 0.4 * ragged + 1.4 * blade),
            (grey, 0.01, 0.0),
            (fluid, 0.05, head.atrophy + 0.35 * pits + (2.6 + 0.8 * pits) * sulcus - 0.8),
        )
    ]
    total = weights[0] + weights[1] + weights[2]
    return weights[0] / total, weights[1] / total


def _deep_region(where: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """1 about the basal ganglia and thalami, 0 elsewhere, with a soft edge."""
    centre = (_DEEP_CENTRE - origin).astype(np.float32)
    radius = sum(((where[a] - centre[a]) / np.float32(_DEEP_RADII[a])) ** 2 for a in range(3))
    return _rise(1 - radius, 0.3)


def _rise(value: np.ndarray, width: float) -> np.ndarray:
    """A step from 0 to 1 at 0, `width` wide."""
    return np.clip(value / np.float32(width) + np.float32(0.5), 0, 1)
