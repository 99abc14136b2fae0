"""Clean-up of predicted masks: connected components that are too small to be believed are dropped."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from mstl.errors import InputError

TOLERANCE = 1e-6  # relative, of a component's volume: three voxels of 0.001 ml are 0.003 ml


@dataclass(frozen=True)
class CleanUp:
    """Which components of a mask stay: those of at least `minimum_ml`, and with `largest_only` the largest alone.

    Components are 26-connected, as in scores. Where a mask holds several classes, those of all classes together decide
    and are dropped whole: a small core within a large tumour stays, and a speck of any class goes. Raises `InputError`
    for a volume below 0.
    """

    minimum_ml: float = 0.0
    largest_only: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.minimum_ml < np.inf:
            raise InputError(f"minimum_ml is {self.minimum_ml}; 0 or more ml are expected, as 0.01.")

    def __str__(self) -> str:
        parts = [f"without components below {self.minimum_ml:g} ml"] if self.minimum_ml else []
        parts += ["the largest component alone"] if self.largest_only else []
        return ", ".join(parts) or "no clean-up"

    def __call__(self, mask: np.ndarray, *, voxel_ml: float) -> np.ndarray:
        """The mask, 3D class numbers with voxels of `voxel_ml`, without the components that do not stay; a copy."""
        cleaned = mask.copy()
        boxes = ndimage.find_objects((mask != 0).astype(np.uint8)) if self != NO_CLEAN_UP else []
        for box in boxes:  # one around all, or none
            components, voxels = components_of(mask[box])
            cleaned[box][~np.append(False, self.stay(voxels, voxel_ml=voxel_ml))[components]] = 0
        return cleaned

    def stay(self, voxels: np.ndarray, *, voxel_ml: float) -> np.ndarray:
        """For components of so many `voxels` each, which ones stay, bool; of equally large ones the first."""
        stay = voxels * voxel_ml * (1 + TOLERANCE) >= self.minimum_ml
        if self.largest_only and voxels.size:
            stay &= np.arange(voxels.size) == voxels.argmax()
        return stay


NO_CLEAN_UP = CleanUp()
CLEAN_UPS = (*(CleanUp(ml) for ml in (0.003, 0.01, 0.03, 0.1, 0.3)), CleanUp(largest_only=True))


def components_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the 26-connected component (from 1, 0 beyond) of each voxel that is not 0; voxels of each component."""
    components, count = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return components, np.bincount(components.ravel(), minlength=count + 1)[1:]


def dice_by_clean_up(
    prediction: np.ndarray, mask: np.ndarray, *, voxel_ml: float, clean_ups: Sequence[CleanUp] = CLEAN_UPS
) -> np.ndarray:
    """Dice of a prediction against `mask` after each clean-up, float64: the mean over the classes that `mask` holds.

    Both are 3D class numbers; `mask` holds at least one class. The prediction is taken apart once: what stays of its
    components is added up.
    """
    components, voxels = components_of(prediction)
    classes = [number for number in np.unique(mask) if number]
    stays = np.array([np.append(False, one.stay(voxels, voxel_ml=voxel_ml)) for one in clean_ups])
    dice = np.zeros((len(classes), len(clean_ups)))
    for row, number in enumerate(classes):
        predicted, labelled = prediction == number, mask == number
        size, shared = (_by_component(components, what, stays) for what in (predicted, predicted & labelled))
        dice[row] = 2 * shared / (size + np.count_nonzero(labelled))
    return dice.mean(axis=0)


def _by_component(components: np.ndarray, voxels: np.ndarray, stays: np.ndarray) -> np.ndarray:
    """How many of the `voxels` stay by each row of `stays`."""
    return stays @ np.bincount(components[voxels], minlength=stays.shape[1])
