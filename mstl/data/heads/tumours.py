"""Synthetic gliomas: a core of enhancing rim and necrosis that pushes tissue aside, with oedema around it.

Labels are those of BraTS (Menze et al. 2015, 10.1109/TMI.2014.2377694).
"""
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
_FADE = 2.5  # mm over which oedema ends


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
    """Draw the parts of a tumour: usually half of it or more is oedema, and half of the core necrosis.

    One in seven has little oedema, one in seven little necrosis. Enhancing parts then have a median of 16 ml;
    18 ml, quartiles 8 and 42, were measured before surgery (10.1016/j.wneu.2018.04.067).
    """
    core = rng.uniform(0.7, 0.88) if rng.random() < 1 / 7 else rng.uniform(0.2, 0.6)
    necrotic = rng.uniform(0.03, 0.08) if rng.random() < 1 / 7 else rng.uniform(0.25, 0.75)
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
    effect = draw_mass_effect(centre, plan.core_ml, whole_ml, rng, randomise=randomise)
    anatomy = displace(anatomy, effect, positions)
    extent = tuple(float(along[-1]) for along in positions)
    rough, broad, uneven, wide = (draw_field(rng, extent, scale=scale)(positions) for scale in (3.0, 9.0, 14.0, 30.0))
    core = _draw_lobes(positions, centre, effect.radius, rng)
    core += np.float32(0.7) * rough + np.float32(0.1 * effect.radius) * broad
    core = _settle_core(core, _room(anatomy, grid, centre, rough), round(plan.core_ml / grid.voxel_ml))
    necrosis = _necrosis_level(core, 0.5 * uneven + 0.1 * rough, plan.necrotic)
    solid = _soft(core)
    inner = np.minimum(_soft(necrosis), solid)
    far = spread(anatomy, core > 0, grid.spacing, 1.1 * wide + 0.5 * uneven) + 1.2 * broad + 0.5 * rough
    swollen, border = _settle_oedema(anatomy, far, solid, whole_ml, measure)
    strength = 0.72 + 0.4 * np.clip((border - far) / 12, 0, 1) + 0.07 * broad + 0.04 * rough
    enhancement = rng.uniform(1.5 - 0.2 * randomise, 2.1 + 0.4 * randomise)
    return anatomy, Tumour(
        inner, solid - inner, swollen, np.where(swollen > 0, strength, 0).astype(np.float32),
        0.7 * broad + 0.5 * rough, float(rng.uniform(0.3, 0.75)), float(enhancement),
    )


def draw_site(anatomy: Anatomy, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """A voxel `(3,)` deep in the white matter of a hemisphere: not brainstem, cerebellum or callosum."""
    stride = [max(1, round(_STRIDE_MM / step)) for step in grid.spacing]
    step = tuple(slice(None, None, n) for n in stride)
    x, y, z = (_world(grid, axis, step) for axis in range(3))
    side = np.abs(x)
    cerebrum = (z > -22) & ~((z < 6) & (y < -36)) & ~((z < 12) & (side < 27))
    place = (anatomy.white[step] > 0.75) & (anatomy.depth[step] > 13) & (anatomy.ventricle[step] > 6)
    candidates = np.argwhere(place & cerebrum & (side > 15))
    return candidates[rng.integers(len(candidates))] * stride


def _world(grid: Grid, axis: int, step: tuple[slice, slice, slice]) -> np.ndarray:
    """A world coordinate, mm, of the voxels of a sublattice."""
    index = np.ix_(*(np.arange(side, dtype=np.float32)[part] for side, part in zip(grid.shape, step, strict=True)))
    row = grid.affine[axis].astype(np.float32)
    return sum(m * i for m, i in zip(row[:3], index, strict=True)) + row[3]


def _draw_lobes(
    positions: tuple[np.ndarray, np.ndarray, np.ndarray], centre: np.ndarray, radius: float, rng: np.random.Generator
) -> np.ndarray:
    """Distance inside a union of stretched spheres about `centre`, mm float32; far away -99."""
    basis, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    stretch = np.exp(rng.normal(0, 0.16, 3))
    axes = (basis / (stretch / stretch.prod() ** (1 / 3))).astype(np.float32)
    box = tuple(
        slice(*np.searchsorted(along, middle + np.array([-1, 1]) * (2.5 * radius + 5)))
        for along, middle in zip(positions, centre, strict=True)
    )
    x, y, z = np.ix_(*((p[b] - c).astype(np.float32) for p, b, c in zip(positions, box, centre, strict=True)))
    points = [x * axes[0, n] + y * axes[1, n] + z * axes[2, n] for n in range(3)]
    level = np.full([len(along) for along in positions], -99, np.float32)
    for number in range(int(rng.integers(2, 6))):
        middle = (rng.normal(0, 0.5 * radius, 3) * (number > 0)).astype(np.float32)
        size = np.float32(radius * (rng.uniform(0.75, 0.95) if number == 0 else rng.uniform(0.35, 0.7)))
        away = np.sqrt(sum((point - m) ** 2 for point, m in zip(points, middle, strict=True)))
        level[box] = np.maximum(level[box], size - away)
    return level


def _room(anatomy: Anatomy, grid: Grid, centre: np.ndarray, rough: np.ndarray) -> np.ndarray:
    """About the distance, mm, from where no core may be: surface, ventricles, the other hemisphere."""
    side = np.sign((grid.affine @ [*(centre / grid.spacing), 1])[0])
    midline = _world(grid, 0, (slice(None),) * 3) * np.float32(side) + rough
    room = np.minimum(np.minimum(anatomy.depth - 1, anatomy.ventricle), midline - 1)
    return np.where(anatomy.brain, room, np.float32(-99))


def _settle_core(level: np.ndarray, room: np.ndarray, voxels: int) -> np.ndarray:
    """The level moved so that about so many `voxels` lie above 0, in one piece, where there is room."""
    inside = level[room > 0]
    count = min(voxels, inside.size - 1)
    return _without_islands(np.minimum(level + np.partition(-inside, count)[count], room), 1.0)


def _necrosis_level(core: np.ndarray, uneven: np.ndarray, share: float) -> np.ndarray:
    """About mm inside the necrosis: `share` of the core, below a rim of uneven thickness."""
    depth = core * np.exp(uneven)
    thickness = np.quantile(depth[core > 0], 1 - share)
    return _without_islands(np.minimum(depth - thickness, core - np.float32(_THINNEST)), 0.05)


def _without_islands(level: np.ndarray, share: float) -> np.ndarray:
    """Push parts above 0 that are smaller than `share` of the largest below it."""
    parts, number = ndimage.label(level > 0)
    if number < 2:
        return level
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.where((parts > 0) & (sizes < share * sizes.max())[parts], np.float32(-1), level)


def _soft(level: np.ndarray) -> np.ndarray:
    return np.clip(level / np.float32(_SOFT) + np.float32(0.5), 0, 1)


def _settle_oedema(
    anatomy: Anatomy, far: np.ndarray, solid: np.ndarray, whole_ml: float, measure: Callable
) -> tuple[np.ndarray, float]:
    """The oedema's part of each voxel, and the distance at which it ends for the tumour to measure `whole_ml`."""
    tissue = anatomy.white + np.float32(0.5) * anatomy.deep_grey
    room = (1 - solid) * np.clip((tissue - np.float32(0.3)) / np.float32(0.4), 0, 1) * anatomy.brain
    low, high = 0.0, 80.0
    for _ in range(12):
        border = (low + high) / 2
        oedema = room * np.clip((np.float32(border) - far) / np.float32(_FADE) + np.float32(0.5), 0, 1)
        low, high = (border, high) if measure(solid + oedema) < whole_ml else (low, border)
    return oedema, border
