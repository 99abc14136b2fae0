"""Augmentation of volumes with their masks: which random changes, by name, and how one of them is drawn."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from mstl.data._albumentations import A
from mstl.data.geometry3d import Deform, FlipAxis, centre_of
from mstl.data.intensity import ChannelBias, ChannelBlur, ChannelContrast, ChannelNoise, LowResolution
from mstl.data.transforms import Seed, augment_all, walk
from mstl.data.warp import Triple
from mstl.errors import InputError

Sides: TypeAlias = Sequence[int] | None


def flips_3d() -> A.Compose:
    """Mirror volumes along each of their axes with probability 0.5."""
    return A.Compose([FlipAxis(axis) for axis in range(3)])


def strong_3d(*, crop: Sides = None, spacing: Sequence[float] = (1, 1, 1)) -> A.Compose:
    """Left-right flips, turns, scale and elastic deformation; contrast, bias field, blur and noise of each channel.

    `crop`: sides of the patch in the middle that is kept, else all; `spacing` of the voxels, mm (D, H, W). Intensity
    changes act on images of any range, never on masks, and leave the background 0.
    """
    return A.Compose([
        Deform(crop=crop, spacing=spacing),
        FlipAxis(2),
        ChannelContrast(p=0.8),
        ChannelBias(p=0.3),
        A.OneOf([ChannelBlur(p=1), LowResolution(p=1)], p=0.3),
        ChannelNoise(p=0.3),
    ])


AUGMENTATIONS_3D: dict[str, Callable[..., A.Compose | None]] = {
    "none": lambda **_: None,
    "flips": lambda **_: flips_3d(),
    "strong": strong_3d,
}


def augmentation_3d(name: str, *, crop: Sides = None, spacing: Sequence[float] = (1, 1, 1)) -> A.Compose | None:
    """The augmentation called `name`: "none" (None), "flips" or "strong"; `InputError` for another name.

    `crop` and `spacing` as in `strong_3d`.
    """
    if name not in AUGMENTATIONS_3D:
        raise InputError(f"Augmentation {name!r} of volumes is unknown. Choose one of {', '.join(AUGMENTATIONS_3D)}.")
    return AUGMENTATIONS_3D[name](crop=crop, spacing=spacing)


def border_of(transform: A.Compose, sides: Sequence[int]) -> Triple:
    """How many voxels beyond a patch of `sides` the transforms may reach into on each side, so that they are read."""
    borders = [part.border(sides) for part in walk(transform) if isinstance(part, Deform)]
    return tuple(np.sum(borders, axis=0, dtype=int).tolist()) if borders else (0, 0, 0)


def augment_volume(
    transform: A.Compose, image: np.ndarray, mask: np.ndarray, *, seed: Seed, sides: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Transform image `(D, H, W, C)` float32 and mask `(D, H, W)` uint8 together; see `augment_all`.

    The result is the window of `sides` in the middle. Raises `InputError` where the transforms leave less.
    """
    result = augment_all(transform, {"volume": image, "mask3d": mask}, seed=seed)
    volume, mask = result["volume"], result["mask3d"]
    if volume.shape[:3] != mask.shape or np.less(mask.shape, sides).any():
        raise InputError(
            f"The augmentation makes a volume of {volume.shape[:3]} with a mask of {mask.shape}, expected at least "
            f"{tuple(sides)}. Use 3D transforms that keep the shape."
        )
    return centre_of(volume, sides), centre_of(mask, sides)
