"""One synthetic patient: a brain's anatomy and its disease on a fine lattice, and their masks on the scan's."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mstl.data.grid import Grid, respaced
from mstl.data.heads.acquisition import Scene, average_sections
from mstl.data.heads.anatomy import Anatomy, Head, build_anatomy, draw_head, find_brain, lattice
from mstl.data.heads.lesions import LOAD_ML, Lesions, draw_load, grow_lesions
from mstl.data.heads.tumours import ENHANCING, NECROSIS, OEDEMA, WHOLE_ML, draw_whole, grow_tumour

# ml of lesion, or of the whole tumour, that a case of each disease may be asked to have
DISEASES: Mapping[str, tuple[float, float]] = MappingProxyType({"ms": (0.0, LOAD_ML[1]), "tumour": WHOLE_ML})
_FURTHEST = 0.9  # mm that lesion borders may move to reach the wanted volume on the scan's grid


@dataclass(frozen=True, eq=False)
class Patient:
    """A head, its brain's `scene` on `fine`, the box that begins at voxel `low` of `grid` cut into sections.

    `mask` of lesions (bool) or of a tumour (uint8 of 0, 1, 2, 4) and `brain` (bool) lie on the scan's voxels:
    those of the box, or what `project` gave.
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

    def ml(self, fraction: np.ndarray, fine: Grid, brain: np.ndarray) -> float:
        """Volume of the scan's voxels in the brain at least half of which the fraction fills, ml."""
        return float(np.count_nonzero(brain & (self.project(fraction, fine) >= 0.5)) * self.voxel_ml)


def draw_patient(
    grid: Grid,
    sections: tuple[int, int, int],
    *,
    seed: int,
    disease: str = "ms",
    lesion_ml: float | None = None,
    randomise: float = 0.0,
    projection: Projection | None = None,
) -> Patient:
    """Draw a patient over a grid whose voxels are cut into `sections`; None draws the volume of lesions.

    `disease` is one of `DISEASES`; one seed gives one head, whichever it has. Without `projection` the scan's
    voxels are those of `grid`.
    """
    rng = np.random.default_rng([seed, 0])
    head = draw_head(rng, _extent(grid), randomise=randomise)
    low, fine = _fine_box(grid, head, sections)
    anatomy = build_anatomy(fine, head, start=low * np.array(sections))
    projection = projection or Projection(
        lambda values, _: average_sections(values, sections), float(np.prod(grid.spacing)) / 1000
    )
    brain = projection.project(anatomy.brain.astype(np.float32), fine) >= 0.5
    fall_ill = _with_tumour if disease == "tumour" else _with_lesions
    scene, mask = fall_ill(anatomy, fine, brain, projection, seed=seed, lesion_ml=lesion_ml, randomise=randomise)
    return Patient(head, grid, low, fine, scene, mask, brain)


def _with_lesions(
    anatomy: Anatomy, fine: Grid, brain: np.ndarray, projection: Projection,
    *, seed: int, lesion_ml: float | None, randomise: float,
) -> tuple[Scene, np.ndarray]:
    """The scene with MS lesions, and their mask."""
    rng = np.random.default_rng([seed, 1])
    positions = lattice(fine, np.zeros(3))
    load = draw_load(rng) if lesion_ml is None else lesion_ml
    lesions = grow_lesions(anatomy, fine.spacing, lesion_ml=load, positions=positions, rng=rng, randomise=randomise)
    fraction, mask = _settle(anatomy, lesions, brain, fine, projection, load)
    return Scene(anatomy, lesions, fraction, positions), mask


def _with_tumour(
    anatomy: Anatomy, fine: Grid, brain: np.ndarray, projection: Projection,
    *, seed: int, lesion_ml: float | None, randomise: float,
) -> tuple[Scene, np.ndarray]:
    """The scene with a tumour, and its mask: the label of the largest part of each voxel that is half tumour."""
    rng = np.random.default_rng([seed, 7])
    anatomy, tumour = grow_tumour(
        anatomy, fine, whole_ml=draw_whole(rng) if lesion_ml is None else lesion_ml, rng=rng,
        measure=lambda fraction: projection.ml(fraction, fine, brain), randomise=randomise,
    )
    labels = np.array([NECROSIS, ENHANCING, OEDEMA], np.uint8)
    parts = np.stack([projection.project(part, fine) for part in (tumour.necrosis, tumour.enhancing, tumour.oedema)])
    ill = brain & (projection.project(tumour.fraction, fine) >= 0.5)
    return Scene(anatomy, tumour, tumour.fraction, lattice(fine, np.zeros(3))), labels[parts.argmax(0)] * ill


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
