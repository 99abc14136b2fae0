"""Synthetic MS lesions: where they occur, how large, how ragged and how strong."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mstl.data.heads.anatomy import Anatomy
from mstl.data.heads.fields import draw_field

LOAD_ML = (0.1, 60.0)  # a case's lesions, drawn log-normal within these
_LOAD_MEDIAN, _LOAD_SIGMA = 7.0, 1.2
_SIZE_MEDIAN, _SIZE_SIGMA = 0.025, 1.6  # ml of one lesion
_PLACES = {"periventricular": 0.5, "subcortical": 0.28, "deep": 0.22}
_MOST = 500  # lesions of one case
_CANDIDATE_STRIDE = 2


@dataclass(frozen=True)
class Lesions:
    """Lesion maps float32 on an anatomy's lattice, and the `width` of the soft border in mm.

    `level` is about mm inside the border (negative outside), `strength` the change in T2 weighting, `hole`
    that in T1 (both about 1), `enhancing` 0 to 1.
    """

    level: np.ndarray
    strength: np.ndarray
    hole: np.ndarray
    enhancing: np.ndarray
    width: float

    def fraction(self, anatomy: Anatomy, *, shift: float = 0.0) -> np.ndarray:
        """The part of each voxel that is lesion, every border moved outwards by `shift` mm."""
        soft = np.clip((self.level + np.float32(shift)) / np.float32(self.width) + np.float32(0.5), 0, 1)
        return soft * (1 - anatomy.csf)


@dataclass
class _Canvas:
    """What lesions are drawn on: one case's anatomy, its texture and the maps as they fill."""

    anatomy: Anatomy
    spacing: np.ndarray
    rough: np.ndarray  # texture over 3 and 9 mm
    broad: np.ndarray
    tissue: np.ndarray  # bool, where lesions may lie
    level: np.ndarray
    strength: np.ndarray
    hole: np.ndarray
    enhancing: np.ndarray

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing)) / 1000


def draw_load(rng: np.random.Generator) -> float:
    """A case's lesion volume, ml: log-normal with median 7, within 0.1 to 60."""
    return float(np.clip(rng.lognormal(np.log(_LOAD_MEDIAN), _LOAD_SIGMA), *LOAD_ML))


def grow_lesions(
    anatomy: Anatomy,
    spacing: tuple[float, float, float],
    *,
    lesion_ml: float,
    positions: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
    randomise: float = 0.0,
) -> Lesions:
    """Draw lesions of `lesion_ml` in all into an anatomy whose voxels measure `spacing` mm.

    Where they lie follows the MRI criteria for MS (Filippi et al. 2016, 10.1016/S1474-4422(15)00393-2):
    around the ventricles, under the cortex, some in deep white matter; a large load has confluent caps.
    """
    canvas = _blank_canvas(anatomy, spacing, positions, rng)
    left = lesion_ml
    if lesion_ml > 6:
        cap_ml = lesion_ml * rng.uniform(0.2, 0.65)
        left -= _paint_cap(canvas, cap_ml, positions, rng, randomise)
    pick = _placer(canvas, rng)
    for volume in _draw_volumes(rng, left):
        if left <= 0:
            break
        left -= _paint_lesion(canvas, min(volume, left), pick, rng, randomise)
    width = rng.uniform(0.8, 1.6) if randomise == 0 else rng.uniform(0.8 - 0.4 * randomise, 1.6 + randomise)
    return Lesions(canvas.level, canvas.strength, canvas.hole, canvas.enhancing, float(width))


def _blank_canvas(anatomy: Anatomy, spacing: tuple, positions: tuple, rng: np.random.Generator) -> _Canvas:
    extent = tuple(float(along[-1]) for along in positions)
    rough, broad = (draw_field(rng, extent, scale=scale)(positions) for scale in (3.0, 9.0))
    tissue = (anatomy.white + np.float32(0.6) * anatomy.grey > 0.5) & (anatomy.ventricle > -0.5)
    tissue &= anatomy.brain & (anatomy.csf < 0.3)
    blank = np.zeros(tissue.shape, np.float32)
    return _Canvas(
        anatomy, np.array(spacing), rough, broad, tissue, blank - 99, blank, blank.copy(), blank.copy()
    )


def _draw_volumes(rng: np.random.Generator, total: float) -> np.ndarray:
    """Log-normal sizes, ml, the large ones first, that reach `total` together, then small change."""
    sizes = np.minimum(rng.lognormal(np.log(_SIZE_MEDIAN), _SIZE_SIGMA, _MOST), 0.3 * total + 0.05)
    needed = min(int(np.searchsorted(np.cumsum(sizes), total)) + 1, _MOST)
    scale = max(total / sizes[:needed].sum(), 1.0)
    return np.concatenate([np.sort(sizes[:needed] * scale)[::-1], sizes[needed:]])


def _placer(canvas: _Canvas, rng: np.random.Generator) -> Callable[[], tuple[str, np.ndarray]]:
    """A function that draws a place's name and a voxel `(3,)` there."""
    step = (slice(None, None, _CANDIDATE_STRIDE),) * 3
    a = canvas.anatomy
    white, depth, ventricle = a.white[step], a.depth[step], a.ventricle[step]
    free = canvas.tissue[step]
    weight = {
        "periventricular": free * (white > 0.6) * np.exp(-0.5 * ((ventricle - 4) / 3) ** 2),
        "subcortical": free * ((white > 0.4) & (white < 0.85)) * np.exp(-0.5 * ((depth - 12) / 6) ** 2),
        "deep": free * (white > 0.9) * (ventricle > 8),
    }
    cumulated = {name: np.cumsum(values, dtype=np.float64) for name, values in weight.items()}
    names, chances = list(_PLACES), np.array(list(_PLACES.values()))

    def pick() -> tuple[str, np.ndarray]:
        name = names[int(rng.choice(len(names), p=chances))]
        total = cumulated[name]
        flat = min(int(np.searchsorted(total, rng.uniform(0, total[-1]), side="right")), total.size - 1)
        return name, np.array(np.unravel_index(flat, white.shape)) * _CANDIDATE_STRIDE

    return pick


def _paint_cap(
    canvas: _Canvas, volume: float, positions: tuple, rng: np.random.Generator, randomise: float
) -> float:
    """Confluent lesions around the ventricles, `volume` ml; returns the ml painted."""
    extent = tuple(float(along[-1]) for along in positions)
    lobes = draw_field(rng, extent, scale=16.0)(positions)
    ragged = canvas.anatomy.ventricle - 3.5 * lobes - 1.5 * canvas.broad - 0.9 * canvas.rough
    near = canvas.tissue & (canvas.anatomy.white > 0.5) & (canvas.anatomy.ventricle < 30)
    count = min(int(volume / canvas.voxel_ml), int(near.sum()) - 1)
    border = np.partition(ragged[near], count)[count]
    level = np.where(near, border - ragged, -99)
    return _merge(canvas, (slice(None),) * 3, level, rng, randomise)


def _paint_lesion(
    canvas: _Canvas, volume: float, pick: Callable, rng: np.random.Generator, randomise: float
) -> float:
    """One lesion of `volume` ml made of several lobes; returns the ml that is new."""
    place, centre = pick()
    radius = (0.75 * volume * 1000 / np.pi) ** (1 / 3)
    half = np.ceil((2.2 * radius + 3) / canvas.spacing).astype(int)
    low, high = np.maximum(centre - half, 0), np.minimum(centre + half + 1, canvas.tissue.shape)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    axes = _draw_axes(canvas, place, centre, rng)
    steps = (np.arange(a, b) for a, b in zip(low - centre, high - centre, strict=True))
    offsets = np.stack(np.meshgrid(*steps, indexing="ij"), -1)
    shape = _lobes((offsets * canvas.spacing) @ axes, radius, rng)
    noise = np.float32(min(0.4 * radius, 1.3))
    shape = shape + noise * canvas.rough[box] + np.float32(min(0.15 * radius, 1.5)) * canvas.broad[box]
    allowed = canvas.tissue[box]
    count = int(np.clip(round(volume / canvas.voxel_ml), 1, max(allowed.sum() - 1, 1)))
    if allowed.sum() <= count:
        return 0.0
    border = -np.partition(-shape[allowed], count)[count]
    return _merge(canvas, box, np.where(allowed, shape - border, -99), rng, randomise)


def _draw_axes(canvas: _Canvas, place: str, centre: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Columns that scale space to make the lesion a sphere; it is longer away from the ventricle (Dawson)."""
    basis, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    stretch = rng.uniform(0.8, 1.3, 3)
    if place == "periventricular":
        outward = _gradient(canvas.anatomy.ventricle, centre, canvas.spacing)
        basis, _ = np.linalg.qr(np.column_stack([outward, basis[:, :2]]))
        stretch[0] = rng.uniform(1.0, 2.2)
    return basis / (stretch / stretch.prod() ** (1 / 3))


def _gradient(values: np.ndarray, at: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    above = np.minimum(at + 2, np.array(values.shape) - 1)
    below = np.maximum(at - 2, 0)
    steps = []
    for axis in range(3):
        up, down = at.copy(), at.copy()
        up[axis], down[axis] = above[axis], below[axis]
        steps.append((values[tuple(up)] - values[tuple(down)]) / spacing[axis])
    return np.array(steps) + 1e-6


def _lobes(points: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """Distance inside the union of one to eight spheres about the origin, mm float32."""
    level = np.full(points.shape[:3], -99.0)
    most = 3 if radius < 2 else 9
    for number in range(int(rng.integers(1, most))):
        centre = rng.normal(0, 0.5 * radius, 3) * (number > 0)
        size = radius * rng.uniform(0.35, 0.8)
        level = np.maximum(level, size - np.linalg.norm(points - centre, axis=-1))
    return level.astype(np.float32)


def _merge(
    canvas: _Canvas, box: tuple, level: np.ndarray, rng: np.random.Generator, randomise: float
) -> float:
    """Paint a lesion into the maps where it reaches further than what is there; returns the new ml."""
    level = _without_specks(level)
    here = level > canvas.level[box]
    new = int(np.count_nonzero((level > 0) & (canvas.level[box] <= 0)))
    spread = 0.14 + 0.2 * randomise
    strength = max(rng.normal(1.0, spread), 0.45)
    hole = np.clip(rng.normal(1.0, 0.35), 0.3, 2.2)
    core = 0.7 + 0.4 * np.clip(level / 3.5, 0, 1)
    texture = core * (1 + (0.14 + 0.1 * randomise) * canvas.rough[box] + 0.1 * canvas.broad[box])
    small = np.count_nonzero(level > 0) * canvas.voxel_ml < 1
    enhancing = float(small and rng.random() < 0.15) * rng.uniform(0.4, 1.0)
    for target, values in (
        (canvas.strength, strength * texture),
        (canvas.hole, hole * texture),
        (canvas.enhancing, np.full(level.shape, enhancing)),
    ):
        target[box][here] = np.maximum(values, 0)[here]
    canvas.level[box][here] = level[here]
    return new * canvas.voxel_ml


def _without_specks(level: np.ndarray) -> np.ndarray:
    """Push islands below a twentieth of the lesion, at most 8 voxels, under its border: raters draw none."""
    labels, number = ndimage.label(level > 0)
    if number < 2:
        return level
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    specks = sizes < min(0.05 * sizes.sum(), 8, sizes.max())
    return np.where((labels > 0) & specks[labels], np.minimum(level, -1), level)
