"""Scans drawn from label maps of heads: any contrast, any direction of slices, any fault, on the network's grid."""
from __future__ import annotations

import numpy as np
from brain_heads import LABELS, NUMBER, STEP, LabelMap
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mstl.data.brain_network import SIDES, SPACING_MM, scaled

BRAIN = ("white", "grey", "deep", "sulcal", "ventricle")
RAMP_MM = 3.0  # the target rises from 0 to 1 over this distance to each side of the brain's surface
CONTRASTS = {  # what tissues look like, air 0; those that are not named are drawn from 0 to 1.2
    "t1": {"white": 0.85, "grey": 0.62, "deep": 0.7, "sulcal": 0.25, "ventricle": 0.18, "fluid": 0.22, "dura": 0.4,
           "bone": 0.08, "muscle": 0.45, "muscle2": 0.55, "fat": 1.2, "skin": 0.7, "vitreous": 0.2, "cord": 0.75,
           "tongue": 0.55, "mucosa": 0.5, "cavity": 0.03},
    "t2": {"white": 0.36, "grey": 0.5, "deep": 0.42, "sulcal": 0.9, "ventricle": 1.05, "fluid": 1.0, "dura": 0.2,
           "bone": 0.06, "muscle": 0.18, "muscle2": 0.25, "fat": 0.65, "skin": 0.4, "vitreous": 1.1, "cord": 0.4,
           "tongue": 0.3, "mucosa": 0.95, "vessel": 0.06, "cavity": 0.03},
    "flair": {"white": 0.55, "grey": 0.68, "deep": 0.6, "sulcal": 0.25, "ventricle": 0.1, "fluid": 0.18, "dura": 0.4,
              "bone": 0.08, "muscle": 0.35, "muscle2": 0.42, "skin": 0.6, "vitreous": 0.12, "cord": 0.55,
              "tongue": 0.45, "mucosa": 0.9, "cavity": 0.03},
    "pd": {"white": 0.6, "grey": 0.78, "deep": 0.7, "sulcal": 0.8, "ventricle": 0.8, "fluid": 0.8, "bone": 0.1,
           "muscle": 0.5, "muscle2": 0.55, "fat": 0.8, "vitreous": 0.8, "cord": 0.6, "cavity": 0.03},
}  # fmt: skip


def draw_sample(rng: np.random.Generator, head: LabelMap) -> tuple[np.ndarray, np.ndarray]:
    """Image and brain probability float32 of `SIDES`, at `SPACING_MM` in RAS, of one scan of the head."""
    if rng.random() < 0.02:
        return _nothing(rng), np.zeros(SIDES, np.float32)
    where, zoom = _view(rng, head.labels.shape)
    fine = _painted(rng, head)
    image = ndimage.map_coordinates(fine, where, order=1, mode="constant", cval=fine[0, 0, -1])
    depth = ndimage.map_coordinates(head.depth, where, order=1, mode="constant", cval=-127, output=np.float32)
    target = np.clip(0.5 + depth / 4 * zoom / (2 * RAMP_MM), 0, 1)
    image = _scanned(rng, image)
    box = _field_of_view(rng, target)
    seen = np.zeros(SIDES, np.float32)
    seen[box] = scaled(image[box])
    kept = np.zeros(SIDES, np.float32)
    kept[box] = target[box]
    for axis in range(3 if rng.random() < 0.1 else 1):
        if rng.random() < 0.5:
            seen, kept = np.flip(seen, axis), np.flip(kept, axis)
    return seen, kept


def _nothing(rng: np.random.Generator) -> np.ndarray:
    """A volume without a head: noise, or smooth blobs."""
    values = ndimage.gaussian_filter(rng.standard_normal(SIDES, dtype=np.float32), rng.choice([0, 1, 4]))
    return scaled(np.abs(values) if rng.random() < 0.5 else values)


def _view(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """Voxel of the label map `(3, ...)` that each voxel of the sample shows, and how much the head is enlarged."""
    zoom = rng.uniform(0.82, 1.18)
    stretch = zoom * rng.uniform(0.94, 1.06, 3)
    limit = np.array([18, 10, 10]) if rng.random() < 0.8 else np.array([40, 25, 25])
    turn = Rotation.from_euler("xyz", rng.uniform(-limit, limit), degrees=True).as_matrix()
    matrix = (turn / stretch) * (SPACING_MM / STEP)
    centre = np.array([52, 59, 92]) + rng.uniform(-1, 1, 3) * (8, 10, 16) - (0, 0, rng.uniform(0, 14))
    index = np.stack(np.meshgrid(*(np.arange(s, dtype=np.float32) - (s - 1) / 2 for s in SIDES), indexing="ij"))
    where = np.einsum("ab,bijk->aijk", matrix.astype(np.float32), index, optimize=True)
    for side in range(3):
        knots = rng.normal(0, rng.uniform(0, 1.0), (6, 7, 6)).astype(np.float32)
        where[side] += _spread(knots) + np.float32(centre[side])
    return where, float(stretch.mean())


def _spread(knots: np.ndarray) -> np.ndarray:
    """A smooth field over the sample from few knots."""
    return ndimage.zoom(knots, [s / k for s, k in zip(SIDES, knots.shape, strict=True)], order=1, grid_mode=True,
                        mode="nearest")  # fmt: skip


def _painted(rng: np.random.Generator, head: LabelMap) -> np.ndarray:
    """Intensities of the label map, with lesions and texture, blurred a little."""
    levels = _levels(rng)
    kind = rng.random()
    if kind < 0.03:  # extracted already
        levels[[name not in BRAIN for name in LABELS]] = levels[0] = 0
    image = levels[head.labels]
    for _ in range(rng.integers(0, 4)):
        _lesion(rng, image, head)
    rough = rng.standard_normal(tuple(-(-s // 3) for s in image.shape), dtype=np.float32)
    rough = ndimage.zoom(rough, 3, order=1)[tuple(slice(s) for s in image.shape)]
    image = image * (1 + np.float32(rng.uniform(0, 0.15)) * rough)
    return ndimage.gaussian_filter(image, rng.uniform(0.2, 0.8))


def _levels(rng: np.random.Generator) -> np.ndarray:
    """Mean intensity of each label: of a known contrast, disturbed, or free."""
    levels = rng.uniform(0, 1.2, len(LABELS))
    if rng.random() < 0.9:
        usual = CONTRASTS[str(rng.choice(list(CONTRASTS)))]
        for name, level in usual.items():
            levels[NUMBER[name]] = level
        levels *= np.exp(rng.normal(0, rng.uniform(0.05, 0.3), len(LABELS)))
    else:
        for _ in range(rng.integers(0, 6)):  # labels that look alike
            one, other = rng.integers(1, len(LABELS), 2)
            levels[one] = levels[other]
        if rng.random() < 0.5:
            levels[NUMBER["bone"]] = rng.uniform(0, 0.2)
    if rng.random() < 0.9:
        levels[0], levels[NUMBER["cavity"]] = 0, rng.uniform(0, 0.1)
    return levels.astype(np.float32)


def _lesion(rng: np.random.Generator, image: np.ndarray, head: LabelMap) -> None:
    """A ball of another intensity somewhere in the brain, or a hole in its surface."""
    candidates = np.flatnonzero(head.depth.ravel()[:: 997] > 8) * 997
    centre = np.array(np.unravel_index(rng.choice(candidates), image.shape))
    radius = rng.uniform(2, 14)
    low = np.maximum(centre - 16, 0)
    box = tuple(slice(a, b) for a, b in zip(low, centre + 17, strict=True))
    part = image[box]
    axes = np.ogrid[tuple(slice(0, s) for s in part.shape)]
    scale = radius * rng.uniform(0.6, 1.4, 3)
    ball = sum(((a - (c - b)) / s) ** 2 for a, b, c, s in zip(axes, low, centre, scale, strict=True))
    inside = (ball < 1 + 0.3 * ndimage.gaussian_filter(rng.standard_normal(part.shape), 2) * 8) & (head.depth[box] > 0)
    part[inside] = part[inside] * rng.uniform(0, 0.5) + rng.uniform(0, 1.3)


def _scanned(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Bias field, gamma, noise, thick slices."""
    bias = _spread(rng.normal(0, rng.uniform(0, 0.25), tuple(rng.integers(2, 5, 3))).astype(np.float32))
    image = np.maximum(image, 0) * np.exp(bias)
    image = image ** np.float32(np.exp(rng.normal(0, 0.25)))
    sigma = rng.gamma(1.5, 0.02)
    noisy = image + np.float32(sigma) * rng.standard_normal(SIDES, dtype=np.float32)
    noisy = np.abs(noisy) if rng.random() < 0.8 else noisy
    if rng.random() < 0.5:
        noisy = _thick(noisy, int(rng.choice([0, 1, 2, 2, 2])), rng.uniform(1.2, 2.4), rng.random())
    return noisy


def _thick(image: np.ndarray, axis: int, width: float, first: float) -> np.ndarray:
    """As slices `width` voxels thick along `axis` show it, interpolated back."""
    blurred = ndimage.gaussian_filter1d(image, 0.35 * width, axis=axis)
    index = np.arange(image.shape[axis])
    position = np.clip(first * width + np.arange(0, image.shape[axis], width), 0, image.shape[axis] - 1)
    slices = _linear(blurred, position, axis)
    return _linear(slices, np.clip((index - first * width) / width, 0, len(position) - 1), axis)


def _linear(values: np.ndarray, position: np.ndarray, axis: int) -> np.ndarray:
    low = np.minimum(position.astype(int), values.shape[axis] - 2)
    share = (position - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.take(values, low, axis) * (1 - share) + np.take(values, low + 1, axis) * share


def _field_of_view(rng: np.random.Generator, target: np.ndarray) -> tuple[slice, slice, slice]:
    """The part of the sample that was scanned: all, or cut somewhere, seldom through the brain."""
    inside = ndimage.find_objects((target > 0.5).astype(np.uint8))
    inside = inside[0] if inside else tuple(slice(0, s) for s in SIDES)
    box = []
    for axis, side in enumerate(SIDES):
        low, high = 0, side
        slack = rng.integers(-6, 1) if rng.random() < 0.15 else 0  # voxels of brain that are cut off
        if rng.random() < (0.5, 0.5, 0.7)[axis]:
            low = int(rng.integers(0, max(inside[axis].start - slack, 1)))
        if rng.random() < 0.5:
            high = int(rng.integers(min(inside[axis].stop + slack, side - 1), side)) + 1
        box.append(slice(low, max(high, low + 16)))
    return tuple(box)
