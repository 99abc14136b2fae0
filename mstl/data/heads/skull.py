"""The head around a synthetic brain: fluid, skull, scalp, eyes, air, muscles and neck, as a map of tissues."""
from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import numpy as np
from scipy import ndimage

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import Head, lattice, load_template, sample, template_coordinates
from mstl.data.heads.face import CORNER, STEP, Face, draw_face, points
from mstl.data.heads.fields import draw_field

_CLOSED = 9.0  # mm: the cranial cavity spans gaps of the brain up to twice as wide
_COLLAR = 24.0  # mm outwards of the cavity to which the skull's base may reach


class Tissue(IntEnum):
    """What a voxel of a head consists of outside its brain."""

    AIR = 0
    CSF = 1
    DURA = 2
    BONE = 3
    MARROW = 4
    FAT = 5
    SKIN = 6
    MUSCLE = 7
    MUCOSA = 8
    VITREOUS = 9
    LENS = 10
    NERVE = 11
    VESSEL = 12


_SMOOTH = (Tissue.VITREOUS, Tissue.LENS, Tissue.NERVE, Tissue.VESSEL)  # parts whose surface is not roughened


def build_skull(
    grid: Grid, head: Head, rng: np.random.Generator, *, start: np.ndarray, randomise: float = 0.0
) -> np.ndarray:
    """Tissues of `head` around its brain: uint8 of `Tissue` at the voxels of `grid`, a part of its lattice.

    `start` is the first voxel on the lattice that `head` was drawn for. Skull and scalp vary in thickness over
    the head and from one to the next; eyes, sinuses, ear canals, muscles and jaw vary in place and size, all
    of it wider with `randomise` 0 to 1 (Hoopes et al. 2022, SynthStrip, 10.1016/j.neuroimage.2022.119474).
    Where the brain lies the map says CSF.
    """
    wide = 1 + randomise
    face = draw_face(rng, cranial_cavity(), wide=wide)
    positions = lattice(grid, start)
    where = template_coordinates(grid, head, [np.arange(side) for side in grid.shape], positions)
    where += (load_template().origin - CORNER).astype(np.float32)[:, None, None, None]
    where /= STEP
    local = lattice(grid, np.zeros(3))
    extent = tuple(float(along[-1]) for along in local)
    labels = np.zeros(grid.shape, np.uint8)
    cavity, outer = (sample(values, where) for values in (face.cavity, face.outer))
    thick, scalp, patch, fine = (draw_field(rng, extent, scale=scale)(local) for scale in (28.0, 36.0, 11.0, 6.0))
    cavity += np.float32(face.fluid) * np.clip(1 + 0.4 * scalp, 0, 3)
    outer += np.float32(face.lumps) * thick + np.float32(0.4) * fine
    inside = (outer > 0) | (cavity > -face.scalp)
    labels[inside] = _layers(
        face, *(values[inside] for values in (cavity, outer, thick, patch, fine)), midline=_midline(where, inside)
    )
    _paint_parts(labels, face, where, cavity, outer, (patch, fine))
    return labels


@lru_cache(maxsize=1)
def cranial_cavity() -> np.ndarray:
    """Distance inside the template's cranial cavity, mm float32, on the lattice of `mstl.data.heads.face`.

    The brain closed over its fissures and smoothed, 1 mm wider than the brain at least.
    """
    template = load_template()
    index = points() - template.origin[:, None, None, None]
    depth = sample(template.depth, index / 2)
    last = 2 * (np.array(template.depth.shape) - 1)[:, None, None, None]
    beyond = np.linalg.norm(index - np.clip(index, 0, last), axis=0)
    depth = np.minimum(depth, np.where(beyond > 0, -1, depth)) - beyond
    grown = ndimage.distance_transform_edt(depth > -_CLOSED) * STEP
    closed = np.where(grown > 0, grown - _CLOSED, depth)
    smooth = ndimage.gaussian_filter(closed, 1.5)
    return np.maximum(smooth, depth + 1).astype(np.float32)


def _midline(where: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Where the large veins of the midline may run: above the base, within 4 mm of the plane of symmetry."""
    x, z = (where[axis][inside] * STEP + CORNER[axis] for axis in (0, 2))
    return (np.abs(x) < 4) & (z > -5)


def _layers(
    face: Face, cavity: np.ndarray, outer: np.ndarray, thick: np.ndarray, patch: np.ndarray, fine: np.ndarray,
    *, midline: np.ndarray,
) -> np.ndarray:
    """Tissues from the cavity outwards by the distance from it; all arguments are lists of voxels."""
    away = -cavity
    wall = away + np.maximum(outer, 0)
    base = np.clip((wall - 20) / 15, 0, 1)  # 0 under the scalp, 1 where the face or the neck begins
    skull = np.minimum(face.skull * (1 + 0.22 * thick) * (1 + 0.7 * base * (patch > -0.3)), wall - face.scalp * 0.5)
    tables = np.clip(face.table * (1 + 0.3 * patch), 0.9, None)
    labels = np.full(cavity.shape, Tissue.FAT, np.uint8)
    labels[(base > 0.5) & (patch + 0.4 * fine > face.flesh)] = Tissue.MUSCLE
    labels[(base > 0.5) & (fine < -1.4)] = Tissue.MUCOSA
    labels[(base > 0.5) & (np.abs(fine - 0.5) < 0.12) & (away < _COLLAR)] = Tissue.BONE
    labels[(outer < face.skin) & (away > skull)] = Tissue.SKIN
    labels[away < skull] = Tissue.BONE
    labels[(away > tables) & (away < skull - tables) & (patch + thick > face.marrow)] = Tissue.MARROW
    labels[away < face.dura] = Tissue.DURA
    labels[cavity > 0] = Tissue.CSF
    labels[midline & (np.abs(cavity - 0.5) < face.sinus)] = Tissue.VESSEL
    return labels


def _paint_parts(
    labels: np.ndarray, face: Face, where: np.ndarray, cavity: np.ndarray, outer: np.ndarray, fields: tuple
) -> None:
    """Paint eyes, muscles, bones, air and nerves of the lower head into `labels`, in place."""
    patch, fine = fields
    low = (cavity < -1.2) & (outer > face.skin - 0.5) & (where[2] < (50 - CORNER[2]) / STEP)
    at, rough = where[:, low], 1.2 * patch[low] + 0.5 * fine[low]
    here = labels[low]
    for name, level in face.parts.items():
        tissue = Tissue[name.split("-")[0].upper()]
        distance = sample(level, at)
        if tissue not in _SMOOTH:
            distance += rough
        here[distance > 0] = tissue
        if tissue is Tissue.BONE:
            here[distance > 2] = Tissue.MARROW
        if tissue is Tissue.AIR:  # walls: bone outside, mucosa inside
            here[(distance < 0) & (distance > -1.2)] = Tissue.BONE
            here[(distance > 0) & (distance < face.mucosa) & (fine[low] > -0.5)] = Tissue.MUCOSA
    labels[low] = here
    canal = (cavity > 0) & (where[2] < (-56 - CORNER[2]) / STEP)
    cord = labels[canal]
    cord[sample(face.cord, where[:, canal]) > 0] = Tissue.NERVE
    labels[canal] = cord


