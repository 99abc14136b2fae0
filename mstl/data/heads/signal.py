"""Signal of a head's tissues around the brain in each modality, and how brain and head become one picture."""
from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from scipy import ndimage

from mstl.data.heads.fields import draw_field
from mstl.data.heads.skull import Tissue

# Relative to white matter: medians read off clinical 2D spin-echo scans, whose fat is bright in all modalities.
_USUAL: Mapping[str, Mapping[Tissue, float]] = MappingProxyType({
    "flair": {
        Tissue.DURA: 0.45, Tissue.BONE: 0.12, Tissue.MARROW: 1.2, Tissue.FAT: 2.1, Tissue.SKIN: 1.2,
        Tissue.MUSCLE: 0.55, Tissue.MUCOSA: 1.6, Tissue.VITREOUS: 0.2, Tissue.LENS: 0.45, Tissue.NERVE: 0.95,
        Tissue.VESSEL: 0.25,
    },
    "t1": {
        Tissue.DURA: 0.5, Tissue.BONE: 0.12, Tissue.MARROW: 1.6, Tissue.FAT: 2.6, Tissue.SKIN: 1.1,
        Tissue.MUSCLE: 0.7, Tissue.MUCOSA: 0.8, Tissue.VITREOUS: 0.25, Tissue.LENS: 0.65, Tissue.NERVE: 0.95,
        Tissue.VESSEL: 0.5,
    },
    "t1ce": {
        Tissue.DURA: 1.3, Tissue.BONE: 0.12, Tissue.MARROW: 1.5, Tissue.FAT: 2.1, Tissue.SKIN: 1.2,
        Tissue.MUSCLE: 0.85, Tissue.MUCOSA: 1.8, Tissue.VITREOUS: 0.28, Tissue.LENS: 0.65, Tissue.NERVE: 0.95,
        Tissue.VESSEL: 2.0,
    },
    "t2": {
        Tissue.DURA: 0.35, Tissue.BONE: 0.12, Tissue.MARROW: 1.2, Tissue.FAT: 1.9, Tissue.SKIN: 0.9,
        Tissue.MUSCLE: 0.5, Tissue.MUCOSA: 2.4, Tissue.VITREOUS: 3.0, Tissue.LENS: 0.5, Tissue.NERVE: 0.95,
        Tissue.VESSEL: 0.3,
    },
})  # fmt: skip
_AIR = 0.01
_FATTY = (Tissue.MARROW, Tissue.FAT)
_TEXTURED = (Tissue.MARROW, Tissue.FAT, Tissue.SKIN, Tissue.MUSCLE, Tissue.MUCOSA)


def draw_head_contrast(
    modality: str, csf: float, rng: np.random.Generator, *, randomise: float = 0.0
) -> np.ndarray:
    """Signal `(13,)` float32 of every `Tissue` relative to white matter, `csf` that of the fluid.

    Fat saturation darkens fat and marrow in one scan of seven, more often with `randomise`, which also
    spreads all tissues, so that nothing outside the brain keeps its contrast.
    """
    usual = np.ones(len(Tissue))
    for tissue, signal in _USUAL[modality].items():
        usual[tissue] = signal
    drawn = usual * np.exp(rng.normal(0, 0.1 + 0.45 * randomise, len(Tissue)))
    fat = np.exp(rng.normal(-0.1, 0.3 + 0.15 * randomise))
    if rng.random() < 0.15 + 0.25 * randomise:
        fat *= rng.uniform(0.12, 0.5)
    drawn[list(_FATTY)] *= fat
    drawn[Tissue.AIR], drawn[Tissue.CSF] = _AIR, csf
    return drawn.astype(np.float32)


def paint_head(
    labels: np.ndarray,
    contrast: np.ndarray,
    positions: tuple[np.ndarray, np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Signal float32 of a map of `Tissue` at `positions` mm, white matter 1, with texture and soft borders."""
    extent = tuple(float(np.ptp(along)) for along in positions)
    positions = tuple(along - along[0] for along in positions)
    strength = np.zeros(len(Tissue), np.float32)
    strength[list(_TEXTURED)] = rng.uniform(0.05, 0.2)
    texture = draw_field(rng, extent, scale=rng.uniform(4, 8))(positions)
    signal = contrast[labels] * np.maximum(1 + strength[labels] * texture, 0.1)
    for axis in range(3):  # half a voxel of partial volume
        signal = ndimage.correlate1d(signal, [0.15, 0.7, 0.15], axis=axis)
    return signal


def blend_brain(head: np.ndarray, brain: np.ndarray, depth: np.ndarray, offset: np.ndarray) -> None:
    """Put the brain's signal into the head's, in place; `offset` is where the brain's box begins in the head.

    `depth` mm below the brain's surface, as `Anatomy` holds it; parts beyond the head's lattice are left out.
    """
    there, here = overlap(offset, brain.shape, head.shape)
    share = np.clip((depth[here] + np.float32(1.5)) / np.float32(0.75), 0, 1)
    head[there] += share * (brain[here] - head[there])


def overlap(low: np.ndarray, part: tuple[int, ...], whole: tuple[int, ...]) -> tuple[tuple, tuple]:
    """Slices of a whole array and of a part that begins at its voxel `low`, where the two overlap."""
    first = np.maximum(low, 0)
    last = np.maximum(np.minimum(low + np.array(part), whole), first)
    pairs = list(zip(first, last, low, strict=True))
    return tuple(slice(a, b) for a, b, _ in pairs), tuple(slice(a - c, b - c) for a, b, c in pairs)
