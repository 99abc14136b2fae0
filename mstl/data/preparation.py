"""What `prepare` is asked to do: its parameters, checked."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mstl.data.normalise import NORMALISATIONS
from mstl.errors import InputError


@dataclass(frozen=True)
class Preparation:
    """Parameters of `prepare`.

    modalities: channels, in order; the first one is the reference, whose grid predictions return to.
    spacing: mm along D, H, W; None keeps the scanner's own.
    shape: voxels (D, H, W); None takes the brain's bounding box, H and W rounded up to multiples of 32.
    normalise: "max", "minmax", "zscore" or "percentile", within the brain.
    binarise_masks: cut soft masks at 0.5. resample_masks: accept masks on another grid than the scan.
    """

    modalities: tuple[str, ...]
    spacing: tuple[float, float, float] | None = None
    shape: tuple[int, int, int] | None = None
    normalise: str = "zscore"
    binarise_masks: bool = False
    resample_masks: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "modalities", tuple(self.modalities))
        object.__setattr__(self, "spacing", _three(self.spacing, "spacing", float))
        object.__setattr__(self, "shape", _three(self.shape, "shape", int))
        if not self.modalities:
            raise InputError("The cases have no modality in common. Name at least one: --modalities flair.")
        if len(set(self.modalities)) < len(self.modalities):
            raise InputError(f"Modalities {', '.join(self.modalities)} name one twice. Name each once.")
        if self.normalise not in NORMALISATIONS:
            raise InputError(
                f"Normalisation '{self.normalise}' is unknown. Choose one of {', '.join(NORMALISATIONS)}."
            )


def _three(value, name: str, kind: type) -> tuple | None:
    """One number for all axes or three of them, all positive."""
    if value is None:
        return None
    numbers = (value,) * 3 if isinstance(value, (int, float)) else tuple(value)
    numbers = numbers * 3 if len(numbers) == 1 else numbers
    if len(numbers) != 3 or not all(0 < number < np.inf for number in numbers):
        raise InputError(f"{name} is {value}; one or three positive numbers (D, H, W) are expected.")
    return tuple(kind(number) for number in numbers)
