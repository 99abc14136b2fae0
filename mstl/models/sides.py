"""The sides of images and volumes that a model can take: what its halvings ask for."""
from __future__ import annotations

from collections.abc import Sequence

from mstl._keras import keras
from mstl.config import CROP_MULTIPLE, SIDE_MULTIPLE
from mstl.errors import InputError
from mstl.models.max_unpool import MaxUnpool
from mstl.models.resolution import steps_of

VOLUME_RANK = 5  # (N, D, H, W, C)


def is_volumetric(model: keras.Model) -> bool:
    """Whether the model takes volumes `(N, D, H, W, C)`; else it takes images `(N, H, W, C)`."""
    return len(model.input_shape) == VOLUME_RANK


def side_multiple(model: keras.Model) -> int:
    """Number of pixels or voxels that the sides of a model's inputs must be multiples of.

    2 to the number of halvings on the way to its lowest resolution, for images at least 16; 32 for a model without a
    graph. A model that unpools to the places of its maxima gets odd sides back and would take any: 16, for images.
    """
    if any(isinstance(layer, MaxUnpool) for layer in model._flatten_layers(include_self=False, recursive=True)):
        return CROP_MULTIPLE
    try:
        halvings = max(step.level for step in steps_of(model))
    except InputError:
        return SIDE_MULTIPLE
    return 2**halvings if is_volumetric(model) else max(CROP_MULTIPLE, 2**halvings)


def check_sides(sides: Sequence[int | None], *, multiple: int) -> None:
    """Raise `InputError`, which names the size to pad to, unless all sides are multiples; None is any side."""
    padded = tuple(side if side is None else max(-(-side // multiple), 1) * multiple for side in sides)
    if tuple(sides) != padded:
        raise InputError(
            f"Images of {tuple(sides)} do not fit the model. Pad them to {padded}, multiples of {multiple}."
        )
