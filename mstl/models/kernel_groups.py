"""Groups of 3x3x3 convolutions whose kernels look alike: those that read maps of one resolution, on one side."""
from __future__ import annotations

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.groups import groups_of
from mstl.models.resolution import Step, steps_of
from mstl.models.tree import layers_of

CUBE = (3, 3, 3)
RESOLUTIONS = ("full", "half", "quarter", "eighth", "sixteenth")  # by level


def kernel_groups(model: keras.Model) -> dict[str, tuple[str, ...]]:
    """Names of groups to the paths of their 3x3x3 convolutions, both in the order of the data.

    A group is "encoder_full", "encoder_half", ... "decoder_full": the side that the layer stands on (see
    `mstl.models.groups.groups_of`; a stem counts as encoder, a head as decoder) and the resolution of what it reads,
    a convolution of stride 2 by its larger side. Subclasses of `Conv3D` count as it does, transposed ones do not.
    Raises `InputError` for a model without a 3x3x3 convolution, or without a graph.

    Source: Kuzina et al. 2019, doi 10.3389/fnins.2019.00844, where a 3D U-Net of four levels has seven.
    """
    paths = {id(layer): path for path, layer in layers_of(model).items()}
    parts = groups_of(model)
    first = {*parts.get("stem", ()), *parts.get("encoder", ())}
    groups: dict[str, list[str]] = {}
    seen: set[str] = set()
    for step in steps_of(model):
        path = paths.get(id(step.layer))
        if is_cube(step.layer) and path not in seen:
            seen.add(path)
            side = "encoder" if path in first else "decoder"
            groups.setdefault(f"{side}_{_resolution(step)}", []).append(path)
    if not groups:
        raise InputError(f"Model '{model.name}' has no 3x3x3 convolution. Give one of volumes, as unet3d-residual.")
    return {name: tuple(members) for name, members in groups.items()}


def is_cube(layer: keras.layers.Layer) -> bool:
    """Whether a layer is a convolution with 3x3x3 kernels, no transposed one."""
    convolves = isinstance(layer, keras.layers.Conv3D) and not isinstance(layer, keras.layers.Conv3DTranspose)
    return convolves and tuple(layer.kernel_size) == CUBE


def _resolution(step: Step) -> str:
    level = max(parent.level for parent in step.parents)
    return RESOLUTIONS[level] if 0 <= level < len(RESOLUTIONS) else f"level{level}"
