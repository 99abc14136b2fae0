"""Synthetic OCT: B-scans of a retina with fluid in its cysts, and their exact masks, laid out as the published set."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.smooth_field import control_points, smooth_field
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.files import new_folder

DISEASE = "dme"  # diabetic macular edema
SIDE = 256  # pixels, as the published images
SCANS = 11  # of an eye, as annotated in the published set
IMAGES, MASKS = "image_png_gray", "fluid_png_binary"  # folders
BOUNDARIES = (0.0, 0.10, 0.26, 0.40, 0.50, 0.78, 0.84, 0.92, 1.0)  # of the layers, parts of the retina's thickness
BRIGHTNESS = (0.62, 0.42, 0.30, 0.42, 0.24, 0.66, 0.40, 0.82)  # of each layer, from the nerve fibres to the epithelium
CYSTS = (0.18, 0.80)  # depths between which fluid gathers, parts of the thickness
FLUID, VITREOUS, CHOROID = 0.13, 0.05, 0.34  # brightness
SPECKLE = 4.0  # shape of the gamma noise, mean 1


def make_oct_phantom(*, seed: int, scan: int = SCANS // 2) -> tuple[np.ndarray, np.ndarray]:
    """Make one B-scan of an eye: image uint8 `(256, 256)` and mask uint8 0/1 of its fluid, rows from the vitreous down.

    `seed` is the eye, `scan` 0 to 10 the place in it: there is most fluid in the middle, and often none at the rim.
    Equal arguments give equal pixels. Raises `InputError` for a number out of range.
    """
    if seed < 0 or not 0 <= scan < SCANS:
        raise InputError(f"seed is {seed}, scan {scan}; at least 0, and 0 to {SCANS - 1}, are expected.")
    eye, random = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1, scan])
    nearness = float(np.exp(-0.5 * ((scan - SCANS // 2) / eye.uniform(1.5, 3.0)) ** 2))
    depth = _depth(eye, random, nearness)
    mask = _fluid(depth, random, eye.uniform(0.3, 1.0) * nearness)
    return _image(depth, mask, eye, random), mask.astype(np.uint8)


def write_oct_phantoms(
    out: str | Path, *, subjects: int, seed: int = 0, progress: Callable[[str], object] | None = None
) -> Cohort:
    """Write 11 B-scans of each of `subjects` eyes below `out` as PNG, with `cohort.csv`; equal arguments, equal bytes.

    The tree is that of layout oct-dme. progress: called with the subject's name after each. Raises `InputError` where
    `out` is not empty or `subjects` is below 1.
    """
    if subjects < 1:
        raise InputError(f"{subjects} subjects were asked for, at least 1 is expected. Raise the number.")
    folder, cases = new_folder(out), []
    for number, eye in enumerate(np.random.SeedSequence(seed).generate_state(subjects)):
        for scan in range(SCANS):
            image, mask = make_oct_phantom(seed=int(eye), scan=scan)
            name = f"img_{number * SCANS + scan}"
            paths = {column: folder / tree / f"{name}.png" for column, tree in (("oct", IMAGES), ("mask", MASKS))}
            for path, pixels in zip(paths.values(), (image, mask), strict=True):
                write_volume(path, pixels[..., np.newaxis], PICTURE_AFFINE)
            cases.append(Case.of_files(paths, subject=f"Subject_{number + 1:02d}", session=name, dataset="phantom"))
        if progress:
            progress(cases[-1].subject)
    cohort = Cohort(cases)
    cohort.to_csv(folder / "cohort.csv")
    return cohort


def _depth(eye: np.random.Generator, random: np.random.Generator, nearness: float) -> np.ndarray:
    """How deep in the retina each pixel lies: 0 at its surface, 1 at its end; `(256, 256)`."""
    along = np.linspace(-1, 1, SIDE)
    end = SIDE * (eye.uniform(0.55, 0.7) + eye.uniform(0.0, 0.08) * along**2 + eye.uniform(-0.08, 0.08) * along)
    end = end + smooth_field(random.normal(0, 2.0, control_points(4)), [SIDE])
    swelling = eye.uniform(0.0, 0.9) * nearness * np.exp(-0.5 * ((along - eye.uniform(-0.2, 0.2)) / 0.35) ** 2)
    thickness = SIDE * eye.uniform(0.16, 0.22) * (1 + swelling)
    thickness = thickness + smooth_field(random.normal(0, 2.0, control_points(6)), [SIDE])
    return ((np.arange(SIDE)[:, None] - (end - thickness)) / thickness).astype(np.float32)


def _fluid(depth: np.ndarray, random: np.random.Generator, load: float) -> np.ndarray:
    """Cysts of all sizes, bool; they keep to the middle layers, thin walls of tissue between them."""
    rows, columns = np.indices(depth.shape)
    mask = np.zeros(depth.shape, bool)
    for _ in range(random.poisson(9 * load)):
        middle = random.uniform(0.15, 0.85) * SIDE
        height, width = random.lognormal(1.6, 0.5) * (0.6 + load), random.lognormal(1.5, 0.5)
        place = np.argmin(np.abs(depth[:, int(middle)] - random.uniform(0.3, 0.7)))
        cyst = ((rows - place) / height) ** 2 + ((columns - middle) / width) ** 2 < 1
        wall = ndimage.binary_dilation(mask, iterations=2)
        mask |= cyst & ~wall
    return mask & (depth > CYSTS[0]) & (depth < CYSTS[1])


def _image(depth: np.ndarray, mask: np.ndarray, eye: np.random.Generator, random: np.random.Generator) -> np.ndarray:
    layer = np.digitize(depth, BOUNDARIES)
    below = CHOROID * np.exp(-2.0 * np.maximum(depth - 1, 0))
    bright = np.array([0.0, *np.array(BRIGHTNESS) * eye.uniform(0.85, 1.15, len(BRIGHTNESS)), 0.0])[layer]
    bright = np.where(layer == 0, VITREOUS, np.where(layer == len(BRIGHTNESS) + 1, below, bright))
    bright = np.where(mask, FLUID * eye.uniform(0.8, 1.2), bright)
    bright = ndimage.gaussian_filter(bright, 0.7) * _shadows(depth, random)
    speckled = ndimage.gaussian_filter(random.gamma(SPECKLE, 1 / SPECKLE, bright.shape), (0.4, 0.8))
    values = 255 * eye.uniform(0.7, 1.0) * (bright * speckled + random.normal(0, 0.02, bright.shape))
    return np.clip(values, 0, 255).astype(np.uint8)


def _shadows(depth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """What vessels in the uppermost layer leave of the light below them."""
    columns, light = np.arange(SIDE), np.ones(SIDE)
    for _ in range(random.poisson(4)):
        light *= 1 - random.uniform(0.2, 0.6) * np.exp(-0.5 * ((columns - random.uniform(0, SIDE)) / 2.0) ** 2)
    return np.where(depth > BOUNDARIES[1], light, 1.0)
