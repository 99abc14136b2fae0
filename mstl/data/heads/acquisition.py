"""The scan of a synthetic head: contrast, texture, coil bias, slice thickness, blur and Rician noise."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mstl.data.heads.anatomy import Anatomy
from mstl.data.heads.fields import draw_field
from mstl.data.heads.lesions import Lesions
from mstl.data.heads.scanner import Contrast, Scanner
from mstl.data.heads.tumour_signal import blend_tumour
from mstl.data.heads.tumours import Tumour

_BRIGHTEST = 30000  # of int16
_GRAIN = {"flair": 1.3, "t1": 0.8, "t1ce": 0.8, "t2": 1.2}  # noise of a modality, relative to its scanner's
_ENHANCED = 1.9  # signal of an enhancing lesion in t1ce, and of vessels, relative to white matter


@dataclass(frozen=True)
class Scene:
    """What lies in the scanner: anatomy and lesions, or a tumour, on a fine lattice at `positions` mm.

    `fraction` is the part of each voxel that is lesion or tumour.
    """

    anatomy: Anatomy
    lesions: Lesions | Tumour
    fraction: np.ndarray
    positions: tuple[np.ndarray, np.ndarray, np.ndarray]


def acquire(
    scene: Scene, scanner: Scanner, *, modality: str, rng: np.random.Generator, randomise: float = 0.0
) -> np.ndarray:
    """Scan `scene` in one modality: int16 on the scan's lattice, not yet cut to the brain.

    `randomise` 0 to 1 widens contrast, gamma, texture, bias, noise, blur and slice thickness, so that a
    network cannot rely on any of them (Billot et al. 2023, SynthSeg, 10.1016/j.media.2023.102789).
    """
    signal, _ = paint_brain(scene, scanner, modality=modality, rng=rng, randomise=randomise)
    return record(signal, scene.positions, scanner, modality=modality, rng=rng, randomise=randomise)


def paint_brain(
    scene: Scene, scanner: Scanner, *, modality: str, rng: np.random.Generator, randomise: float = 0.0
) -> tuple[np.ndarray, Contrast]:
    """Signal float32 of brain and lesions on the fine lattice, white matter about 1, and the contrast drawn."""
    contrast = draw_contrast(scanner.contrasts[modality], rng, randomise=randomise)
    signal = _tissue_signal(scene, contrast, modality, rng, randomise)
    if isinstance(scene.lesions, Tumour):
        blend_tumour(signal, scene.lesions, contrast, modality=modality, rng=rng)
    else:
        _blend_lesions(signal, scene, contrast, modality, rng)
    return signal, contrast


def record(
    signal: np.ndarray,
    positions: tuple[np.ndarray, np.ndarray, np.ndarray],
    scanner: Scanner,
    *,
    modality: str,
    rng: np.random.Generator,
    randomise: float = 0.0,
) -> np.ndarray:
    """The scan, int16, of a signal on a fine lattice at `positions` mm whose sections `scanner` averages."""
    signal = average_sections(signal, scanner.sections)
    positions = tuple(along[n // 2 :: n] for along, n in zip(positions, scanner.sections, strict=True))
    if randomise:
        peak = np.float32(np.percentile(signal, 99.5))
        signal = peak * (np.maximum(signal, 0) / peak) ** np.float32(np.exp(rng.normal(0, 0.2 * randomise)))
        signal = _degrade(signal, scanner.spacing, rng, randomise)
    signal *= _draw_bias(scanner.bias, positions, rng, randomise)
    signal = _add_noise(signal, scanner.noise * _GRAIN[modality], rng, randomise)
    scale = np.exp(rng.uniform(np.log(100), np.log(1000)))
    return np.clip(np.rint(signal * np.float32(scale)), 0, _BRIGHTEST).astype(np.int16)


def average_sections(values: np.ndarray, sections: tuple[int, int, int]) -> np.ndarray:
    """Mean over blocks of `sections` voxels: the partial volume of a thick slice."""
    for axis, count in enumerate(sections):
        if count > 1:
            shape = (*values.shape[:axis], -1, count, *values.shape[axis + 1:])
            values = values.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return values


def draw_contrast(usual: Contrast, rng: np.random.Generator, *, randomise: float = 0.0) -> Contrast:
    """Jitter a contrast; a lesion stays on its side of white matter, at a distance of at least 0.12."""
    spread = np.array([0.02 + 0.12 * randomise, 0.02 + 0.08 * randomise, 0.06 + 0.35 * randomise])
    tissues = np.array(usual[:3]) * np.exp(rng.normal(0, spread))
    distance = (usual.lesion - 1) * np.exp(rng.normal(0, 0.08 + 0.3 * randomise))
    return Contrast(*tissues, 1 + np.sign(distance) * np.clip(abs(distance), 0.12, 1.4))


def _tissue_signal(
    scene: Scene, contrast: Contrast, modality: str, rng: np.random.Generator, randomise: float
) -> np.ndarray:
    a = scene.anatomy
    wide = 1 + 2 * randomise * rng.random()
    broad, mottle = (_texture(scene, rng, scale) for scale in (25.0, rng.uniform(5, 9)))
    mixed = np.float32(0.035 * wide) * broad + np.float32(0.03 * wide) * mottle
    grey = np.float32(contrast.grey) * (1 + mixed)
    white = 1 + np.float32(0.015 * wide) * broad + np.float32(0.012 * wide) * mottle
    signal = a.white * white + a.grey * grey + a.deep_grey * (np.float32(contrast.deep_grey) * white)
    flow = _texture(scene, rng, 4.0)
    if modality in ("flair", "t2"):  # dirty white matter
        near = np.exp(-np.maximum(a.ventricle, 0) / 12)
        signal += a.white * near * np.clip(broad + 0.5 * mottle, 0, 2) * np.float32(rng.uniform(0, 0.12))
    if modality == "flair":
        halo = np.exp(-np.maximum(a.ventricle, 0) / np.float32(rng.uniform(1.0, 2.5)))
        signal += (a.white + a.grey) * halo * np.float32(rng.uniform(0.03, 0.22))
        plexus = 0.8 * np.clip(flow - 2.1, 0, 1)
        fluid = contrast.csf * (1 + 0.35 * flow) + plexus  # pulsating
    elif modality == "t1ce":
        fluid = contrast.csf + _ENHANCED * np.clip(2 * (flow - 1.9), 0, 1) * (a.ventricle > 2)  # vessels
    else:
        fluid = contrast.csf * (1 + 0.05 * flow)
    return signal + a.csf * np.maximum(fluid, 0).astype(np.float32)


def _texture(scene: Scene, rng: np.random.Generator, scale: float) -> np.ndarray:
    extent = tuple(float(along[-1]) for along in scene.positions)
    return draw_field(rng, extent, scale=scale)(scene.positions)


def _blend_lesions(
    signal: np.ndarray, scene: Scene, contrast: Contrast, modality: str, rng: np.random.Generator
) -> None:
    """Replace tissue by lesion, in place, by its fraction of the voxel."""
    lesions = scene.lesions
    distance = np.float32(contrast.lesion - 1)
    if modality in ("flair", "t2"):
        lesion = 1 + distance * lesions.strength
        if modality == "flair":  # the centre of an old lesion is fluid, dark again
            lesion -= np.float32(0.4) * np.clip(lesions.hole - np.float32(1.7), 0, 1)
    else:
        lesion = np.maximum(1 + distance * lesions.hole, np.float32(0.12))
    if modality == "t1ce":
        lesion += (np.float32(_ENHANCED) - lesion) * lesions.enhancing
    where = scene.fraction > 0
    share = scene.fraction[where]
    signal[where] += share * (lesion[where] - signal[where])


def _degrade(
    signal: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator, randomise: float
) -> np.ndarray:
    """Another resolution: blur, then thick slices along one axis resampled back, or sharpening."""
    if rng.random() < 0.6 * randomise:
        sigma = rng.uniform(0, 0.9) / np.array(spacing)
        signal = ndimage.gaussian_filter(signal, sigma)
    if rng.random() < 0.5 * randomise:
        axis = int(rng.integers(3))
        thick = max(round(rng.uniform(1, 5) / spacing[axis]), 1)
        signal = _thicken(signal, axis, thick)
    if rng.random() < 0.4 * randomise:
        signal = signal + np.float32(rng.uniform(0.2, 0.9)) * (signal - ndimage.uniform_filter(signal, 3))
    return signal


def _thicken(signal: np.ndarray, axis: int, thick: int) -> np.ndarray:
    """Average over `thick` voxels along an axis, keep one in `thick`, interpolate linearly in between."""
    along = np.moveaxis(ndimage.uniform_filter1d(signal, thick, axis=axis), axis, 0)
    kept = np.arange(thick // 2, len(along), thick)
    place = np.interp(np.arange(len(along)), kept, np.arange(len(kept)))
    low = np.minimum(place.astype(int), len(kept) - 1)
    part = (place - low).astype(np.float32)[:, None, None]
    slices = along[kept]
    thickened = slices[low] * (1 - part) + slices[np.minimum(low + 1, len(kept) - 1)] * part
    return np.ascontiguousarray(np.moveaxis(thickened, 0, axis))


def _draw_bias(
    strength: float, positions: tuple, rng: np.random.Generator, randomise: float
) -> np.ndarray:
    extent = tuple(float(along[-1]) for along in positions)
    field = draw_field(rng, extent, scale=rng.uniform(60, 100))(positions)
    return np.exp(np.float32(strength * (1 + 3 * randomise * rng.random())) * (field - field.mean()))


def _add_noise(signal: np.ndarray, level: float, rng: np.random.Generator, randomise: float) -> np.ndarray:
    """Rician noise (Gudbjartsson & Patz 1995, 10.1002/mrm.1910340618), correlated as after interpolation."""
    level *= np.exp(rng.normal(0, 0.15 + 0.5 * randomise))
    sigma = rng.uniform(0.35, 0.5) + randomise * rng.uniform(-0.35, 0.3)
    real, imaginary = (_grain(signal.shape, sigma, rng) for _ in range(2))
    return np.hypot(signal + np.float32(level) * real, np.float32(level) * imaginary)


def _grain(shape: tuple[int, int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """White noise blurred over `sigma` voxels, of unit variance."""
    grain = rng.standard_normal(shape, dtype=np.float32)
    weight = float(np.exp(-0.5 / max(sigma, 0.1) ** 2))
    centre, side = 1 / (1 + 2 * weight), weight / (1 + 2 * weight)
    kernel = np.array([side, centre, side]) / np.sqrt(centre**2 + 2 * side**2)
    for axis in range(3):
        grain = ndimage.correlate1d(grain, kernel, axis=axis)
    return grain
