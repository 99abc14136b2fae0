"""Synthetic gliomas: a core of enhancing rim and necrosis that pushes tissue aside, with oedema around it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import Anatomy, lattice
from mstl.data.heads.fields import draw_field
from mstl.data.heads.mass_effect import displace, draw_mass_effect
from mstl.data.heads.oedema import spread

NECROSIS, OEDEMA, ENHANCING = 1, 2, 4  # values of the mask, as BraTS stores them
WHOLE_ML = (5.0, 180.0)  # a case's whole tumour, drawn log-normal within these
_WHOLE_MEDIAN, _WHOLE_SIGMA = 70.0, 0.6
_STRIDE_MM = 4.0
_THINNEST = 1.6  # mm of the rim
_SOFT = 1.0  # mm over which parts of the core blend


@dataclass(frozen=True)
class Tumour:
    """Parts of each voxel that are necrosis, enhancing rim and oedema, float32 on an anatomy's lattice.

    `oedema_strength` is about 1; `texture` about standard normal. `fluidity` 0 to 1 is how liquid the necrosis
    is, `enhancement` the rim's signal in t1ce relative to white matter.
    """

    necrosis: np.ndarray
    enhancing: np.ndarray
    oedema: np.ndarray
    oedema_strength: np.ndarray
    texture: np.ndarray
    fluidity: float
    enhancement: float

    @property
    def fraction(self) -> np.ndarray:
        """The part of each voxel that is tumour."""
        return self.necrosis + self.enhancing + self.oedema


@dataclass(frozen=True)
class Plan:
    """Sizes of one tumour: whole and core in ml, the core's share that is necrosis."""

    whole_ml: float
    core_ml: float
    necrotic: float


def draw_whole(rng: np.random.Generator) -> float:
    """A case's whole-tumour volume, ml: log-normal with median 70, within 5 to 180; two thirds in 38 to 128."""
    return float(np.clip(rng.lognormal(np.log(_WHOLE_MEDIAN), _WHOLE_SIGMA), *WHOLE_ML))


def draw_plan(rng: np.random.Generator, whole_ml: float) -> Plan:
    """Draw the parts of a tumour: usually half of it or more is oedema, and a third of the core necrosis.

    One in seven has little oedema, one in seven little necrosis.
    """
    core = rng.uniform(0.7, 0.88) if rng.random() < 1 / 7 else rng.uniform(0.2, 0.6)
    necrotic = rng.uniform(0.03, 0.08) if rng.random() < 1 / 7 else rng.uniform(0.15, 0.6)
    return Plan(whole_ml, whole_ml * core, necrotic)


def grow_tumour(
    anatomy: Anatomy,
    grid: Grid,
    *,
    whole_ml: float,
    rng: np.random.Generator,
    measure: Callable[[np.ndarray], float],
    randomise: float = 0.0,
) -> tuple[Anatomy, Tumour]:
    """Draw a tumour of `whole_ml` into an anatomy on `grid`: what mass effect leaves of the anatomy, and the tumour.

    It arises in the white matter of a hemisphere; the core grows as a lobed, ragged mass, the oedema along white
    matter, sparing cortex and ventricles. `measure` gives the ml of a fraction as the scan will see it; the
    oedema's border is set so that the whole tumour has the volume asked for.
    """
    plan = draw_plan(rng, whole_ml)
    positions = lattice(grid, np.zeros(3))
    centre = draw_site(anatomy, grid, rng) * np.array(grid.spacing)
    radius = (0.75 * plan.core_ml * 1000 / np.pi) ** (1 / 3)
    anatomy = displace(anatomy, draw_mass_effect(centre, radius, rng, randomise=randomise), positions)
    extent = tuple(float(along[-1]) for along in positions)
    rough, broad, uneven = (draw_field(rng, extent, scale=scale)(positions) for scale in (3.0, 9.0, 14.0))
    core = _core_level(anatomy, grid, plan, centre, radius, rng) + 0.7 * rough + 0.1 * radius * broad
    core = _settle_core(core, anatomy, grid, centre, plan.core_ml)
    necrosis = _necrosis_level(core, 0.45 * uneven + 0.15 * rough, plan.necrotic)
    solid = _soft(core)
    inner = np.minimum(_soft(necrosis), solid)
    far = spread(anatomy, core > 0, grid.spacing, 0.5 * uneven) + 1.2 * broad + 0.5 * rough
    swollen, border = _settle_oedema(anatomy, far, solid, whole_ml, measure)
    strength = 0.72 + 0.4 * np.clip((border - far) / 12, 0, 1) + 0.06 * broad
    return anatomy, Tumour(
        inner, solid - inner, swollen, np.where(swollen > 0, strength, 0).astype(np.float32),
        (0.7 * broad + 0.5 * rough).astype(np.float32), float(rng.uniform(0.3, 0.75)), float(rng.uniform(1.5, 2.1)),
    )


def draw_site(anatomy: Anatomy, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """A voxel `(3,)` deep in the white matter of a hemisphere: not brainstem, cerebellum or callosum."""
    stride = [max(1, round(_STRIDE_MM / step)) for step in grid.spacing]
    step = tuple(slice(None, None, n) for n in stride)
    x, y, z = _world(grid, step)
    side = np.abs(x)
    cerebrum = (z > -22) & ~((z < 6) & (y < -36)) & ~((z < 12) & (side < 27))
    place = (anatomy.white[step] > 0.75) & (anatomy.depth[step] > 13) & (anatomy.ventricle[step] > 6)
    candidates = np.argwhere(place & cerebrum & (side > 15))
    return candidates[rng.integers(len(candidates))] * stride


def _world(grid: Grid, step: tuple[slice, slice, slice]) -> np.ndarray:
    """World mm `(3, ...)` of the voxels of a sublattice."""
    index = np.ix_(*(np.arange(side)[part] for side, part in zip(grid.shape, step, strict=True)))
    return np.stack([sum(m * i for m, i in zip(row[:3], index, strict=True)) + row[3] for row in grid.affine[:3]])


def _core_level(
    anatomy: Anatomy, grid: Grid, plan: Plan, centre: np.ndarray, radius: float, rng: np.random.Generator
) -> np.ndarray:
    """Distance inside a union of stretched spheres about `centre`, mm float32."""
    basis, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    stretch = np.exp(rng.normal(0, 0.16, 3))
    axes = basis / (stretch / stretch.prod() ** (1 / 3))
    offset = np.meshgrid(*(a - c for a, c in zip(lattice(grid, np.zeros(3)), centre, strict=True)), indexing="ij")
    points = np.stack(offset, -1).astype(np.float32) @ axes.astype(np.float32)
    level = np.full(grid.shape, -99, np.float32)
    for number in range(int(rng.integers(2, 6))):
        middle = rng.normal(0, 0.5 * radius, 3) * (number > 0)
        size = radius * (rng.uniform(0.75, 0.95) if number == 0 else rng.uniform(0.35, 0.7))
        level = np.maximum(level, np.float32(size) - np.linalg.norm(points - middle.astype(np.float32), axis=-1))
    return level


def _settle_core(
    level: np.ndarray, anatomy: Anatomy, grid: Grid, centre: np.ndarray, core_ml: float
) -> np.ndarray:
    """The level moved so that `core_ml` lie above 0, in one piece, within the centre's hemisphere."""
    x = _world(grid, (slice(None),) * 3)[0]
    middle = np.rint(centre / grid.spacing).astype(int)
    side = np.sign((grid.affine @ [*middle, 1])[0])
    allowed = anatomy.brain & (anatomy.depth > 1.5) & (anatomy.ventricle > 0.5) & (x * side > 1.5)
    inside = level[allowed]
    count = min(round(core_ml / grid.voxel_ml), inside.size - 1)
    level = np.where(allowed, level + np.partition(-inside, count)[count], -99)
    parts, _ = ndimage.label(level > 0)
    largest = np.argmax(np.bincount(parts.ravel())[1:]) + 1
    return np.where((level > 0) & (parts != largest), -1, level)


def _necrosis_level(core: np.ndarray, uneven: np.ndarray, share: float) -> np.ndarray:
    """About mm inside the necrosis: `share` of the core, below a rim of uneven thickness."""
    inside = core > 0
    depth = core * np.exp(uneven)
    thickness = np.quantile(depth[inside], 1 - share)
    return np.minimum(depth - thickness, core - _THINNEST)


def _soft(level: np.ndarray) -> np.ndarray:
    return np.clip(level / np.float32(_SOFT) + np.float32(0.5), 0, 1).astype(np.float32)


def _settle_oedema(
    anatomy: Anatomy, far: np.ndarray, solid: np.ndarray, whole_ml: float, measure: Callable
) -> tuple[np.ndarray, float]:
    """The oedema's part of each voxel, and the distance at which it ends for the tumour to measure `whole_ml`."""
    open_tissue = np.clip((anatomy.white + np.float32(0.5) * anatomy.deep_grey - 0.3) / 0.4, 0, 1)
    room = ((1 - solid) * open_tissue * anatomy.brain).astype(np.float32)
    low, high = 0.0, 80.0
    for _ in range(12):
        border = (low + high) / 2
        oedema = room * np.clip((border - far) / np.float32(1.5) + np.float32(0.5), 0, 1)
        low, high = (border, high) if measure(solid + oedema) < whole_ml else (low, border)
    return oedema.astype(np.float32), border
