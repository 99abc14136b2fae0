"""One synthetic patient: a brain's anatomy and lesions on a fine lattice, and their masks on the scan's."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mstl.data.grid import Grid, respaced
from mstl.data.heads.acquisition import Scene, average_sections
from mstl.data.heads.anatomy import Anatomy, Head, build_anatomy, draw_head, find_brain, lattice
from mstl.data.heads.lesions import Lesions, draw_load, grow_lesions

_FURTHEST = 0.9  # mm that lesion borders may move to reach the wanted volume on the scan's grid


@dataclass(frozen=True, eq=False)
class Patient:
    """A head, its brain's `scene` on `fine`, the box that begins at voxel `low` of `grid` cut into sections.

    `mask` of lesions and `brain` are bool on the scan's voxels: those of the box, or what `project` gave.
    """

    head: Head
    grid: Grid
    low: np.ndarray
    fine: Grid
    scene: Scene
    mask: np.ndarray
    brain: np.ndarray


@dataclass(frozen=True)
class Projection:
    """How a fraction on the fine box (its grid is the second argument) becomes that of the scan's voxels."""

    project: Callable[[np.ndarray, Grid], np.ndarray]
    voxel_ml: float


def draw_patient(
    grid: Grid,
    sections: tuple[int, int, int],
    *,
    seed: int,
    lesion_ml: float | None = None,
    randomise: float = 0.0,
    projection: Projection | None = None,
) -> Patient:
    """Draw a patient over a grid whose voxels are cut into `sections`; None draws the volume of lesions.

    Without `projection` the scan's voxels are those of `grid`.
    """
    rng, lesion_rng = (np.random.default_rng([seed, stream]) for stream in (0, 1))
    head = draw_head(rng, _extent(grid), randomise=randomise)
    low, fine = _fine_box(grid, head, sections)
    anatomy = build_anatomy(fine, head, start=low * np.array(sections))
    positions = lattice(fine, np.zeros(3))
    load = draw_load(lesion_rng) if lesion_ml is None else lesion_ml
    lesions = grow_lesions(
        anatomy, fine.spacing, lesion_ml=load, positions=positions, rng=lesion_rng, randomise=randomise
    )
    projection = projection or Projection(
        lambda values, _: average_sections(values, sections), float(np.prod(grid.spacing)) / 1000
    )
    brain = projection.project(anatomy.brain.astype(np.float32), fine) >= 0.5
    fraction, mask = _settle(anatomy, lesions, brain, fine, projection, load)
    return Patient(head, grid, low, fine, Scene(anatomy, lesions, fraction, positions), mask, brain)


def _extent(grid: Grid) -> tuple[float, float, float]:
    return tuple(side * step for side, step in zip(grid.shape, grid.spacing, strict=True))


def _fine_box(grid: Grid, head: Head, sections: tuple[int, int, int]) -> tuple[np.ndarray, Grid]:
    """First voxel of the brain's box in the scan's grid, and the box with its voxels cut into sections."""
    low, high = find_brain(grid, head)
    box = grid.moved(tuple(low), tuple(high - low))
    return low, respaced(box, tuple(np.array(grid.spacing) / sections))


def _settle(
    anatomy: Anatomy, lesions: Lesions, brain: np.ndarray, fine: Grid, projection: Projection, wanted_ml: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lesion fraction on the fine lattice, and the mask on the scan's: where the fraction is >= 0.5.

    Borders are shifted until the mask has the wanted volume, for slice thickness swallows small lesions.
    """
    if wanted_ml == 0:
        return np.zeros(anatomy.brain.shape, np.float32), np.zeros(brain.shape, bool)
    low, high = -_FURTHEST, _FURTHEST
    for _ in range(9):
        shift = (low + high) / 2
        mask = brain & (projection.project(lesions.fraction(anatomy, shift=shift), fine) >= 0.5)
        low, high = (shift, high) if mask.sum() * projection.voxel_ml < wanted_ml else (low, shift)
    fraction = lesions.fraction(anatomy, shift=high)
    share = np.where(brain, projection.project(fraction, fine), 0)
    return fraction, (share > 0) & (share >= min(0.5, float(share.max())))
