"""Random changes of volumes and their masks in 3D, each drawn once for both: a function of a seed alone."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mstl.data._albumentations import A
from mstl.data.transforms import Seed, augment_all
from mstl.errors import InputError

Sides = Sequence[int]


class FlipAxis(A.Transform3D):
    """Mirror a volume along one axis: 0 is D, 1 is H, 2 is W (left and right of a prepared case)."""

    class InitSchema(A.Transform3D.InitSchema):
        """The axis is checked where it is given."""

        axis: int

    def __init__(self, axis: int = 2, p: float = 0.5) -> None:
        super().__init__(p=p)
        if axis not in (0, 1, 2):
            raise InputError(f"axis is {axis}, expected 0, 1 or 2. Choose one.")
        self.axis = axis

    def apply_to_volume(self, volume: np.ndarray, **params: Any) -> np.ndarray:
        """Mirror `(D, H, W)` or `(D, H, W, C)`."""
        return np.flip(volume, self.axis)


def flips_3d() -> A.Compose:
    """Mirror images along each axis, each with probability 0.5."""
    return A.Compose([FlipAxis(axis) for axis in range(3)])


AUGMENTATIONS_3D: dict[str, Callable[[Sides | None], A.Compose | None]] = {
    "none": lambda crop: None,
    "flips": lambda crop: flips_3d(),
}


def as_augmentation_3d(transform: object, *, crop: Sides | None = None) -> A.Compose | None:
    """A Compose from a name, a Compose or None; `crop` are the sides of the patches that it shall end in.

    Raises `InputError` for anything else.
    """
    if transform is None or isinstance(transform, A.Compose):
        return transform
    if isinstance(transform, str) and transform in AUGMENTATIONS_3D:
        return AUGMENTATIONS_3D[transform](crop)
    raise InputError(
        f"augment is {transform!r}, expected None, an albumentations.Compose of 3D transforms, or one of "
        f"{', '.join(AUGMENTATIONS_3D)}. Choose one."
    )


def margin_of(transform: A.Compose) -> float:
    """How many times larger than its patch an image must be cut, so that no transform brings in what is not there."""
    return max((getattr(part, "margin", 1.0) for part in transform.transforms), default=1.0)


def augment_volume(
    transform: A.Compose, image: np.ndarray, mask: np.ndarray, *, seed: Seed, crop: Sides
) -> tuple[np.ndarray, np.ndarray]:
    """Transform image `(D, H, W, C)` float32 and mask `(D, H, W)` uint8 together, then cut `crop` out of their middle.

    Equal seeds give equal results in any process. Masks keep their values.
    """
    result = augment_all(transform, {"volume": image, "mask3d": mask}, seed=seed)
    starts = [(length - side) // 2 for length, side in zip(result["mask3d"].shape, crop, strict=True)]
    middle = tuple(slice(start, start + side) for start, side in zip(starts, crop, strict=True))
    return result["volume"][middle], result["mask3d"][middle]
