"""Initial weights of a model by one word."""
from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace

from mstl._keras import keras
from mstl.config import RANDOM
from mstl.errors import TransferError
from mstl.models.recipes import recipe_of
from mstl.models.segnet import KERNEL, WIDTH
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.plan import TransferReport, plan_transfer
from mstl.transfer.source import Source, find_source

SEGMENTER, U_NET = "pix2pix-segmenter", "unet-s5"
SIGNED = "tanh"  # activation of a generator for images in [-1, 1]
SIGNED_IMAGES = (
    "These weights know images in [-1, 1], for their generator ended in tanh; the model sees them as prepared. "
    "Pre-train with activation: sigmoid."
)
HELD_OUT = "have learned from subjects held out here"
SEGNET, VGG16, VGG16_SHAPE = "segnet", "imagenet-vgg16", {"kernel": 3, "width": 64}
OTHER_SHAPE = (
    "VGG16 has 3x3 kernels and 64 filters at the top, this SegNet {kernel}x{kernel} and {width}. Build it alike: "
    "model_options: {{kernel: 3, width: 64}}."
)


def initialise(
    model: keras.Model,
    init: str,
    *,
    model_name: str = "",
    preparation: Mapping | None = None,
    held_out: Iterable[str] = (),
    allow_partial: bool = False,
    **options,
) -> TransferReport | None:
    """Put the weights that `init` means into `model`; None for "random", which leaves them as they were drawn.

    init: "random", or what `mstl.transfer.source.find_source` finds: a Keras file, the folder of a run or of a
    pretrained GAN, a published name, "imagenet" for the encoder of the model `model_name`. options: those of
    `plan_transfer`; where they have no `include` or `rename`, the source's own hold. preparation: the record of how the
    cases were prepared, held_out: the subjects that the model shall not learn from; where the weights were trained on
    other images, or on these subjects, the report notes it and a warning says so. Raises as `find_source`,
    `plan_transfer` and `TransferPlan.apply` do.
    """
    if init == RANDOM:
        return None
    source = find_source(init, model_name=model_name)
    with Checkpoint.open(source.path) as checkpoint:
        plan = plan_transfer(checkpoint, model, **source.completed(options))
        about = (other_images(source, preparation or {}), _other_build(source, model), known_subjects(source, held_out))
        notes = [note for part in about for note in part]
        plan = replace(plan, notes=(*plan.notes, *notes))
        try:
            report = plan.apply(allow_partial=allow_partial, init=init)
        except TransferError as error:
            raise TransferError(" ".join([str(error), *notes])) from error
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return report


def other_images(source: Source, preparation: Mapping) -> list[str]:
    """A sentence for each respect in which the cases are not like those that the weights know."""
    notes = []
    ours, theirs = preparation.get("modalities", ()), source.modalities
    if ours and theirs and tuple(ours) != theirs:
        notes.append(f"These weights know the channels {', '.join(theirs)}; the cases have {', '.join(ours)}.")
    ours, theirs = preparation.get("normalise"), source.normalise
    if ours and theirs and ours != theirs:
        notes.append(
            f"These weights were trained on images normalised by '{theirs}'; the cases are by '{ours}'. "
            f"Prepare them with --normalise {theirs} to show the network the values that it knows."
        )
    return notes


def known_subjects(source: Source, held_out: Iterable[str]) -> list[str]:
    """A sentence where the weights have learned from subjects that are held out now."""
    known = [subject for subject in held_out if subject in source.subjects]
    if not known:
        return []
    shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    return [
        f"These weights {HELD_OUT} ({shown}), with labels or without: their scores are "
        "not those of new patients. Train the weights without them (train_subjects)."
    ]


def _other_build(source: Source, model: keras.Model) -> list[str]:
    """A sentence for each option by which a model is not built as the network whose encoder it gets."""
    recipe = recipe_of(model) or {}
    if recipe.get("model") == SEGNET:
        return _other_shape(source, recipe)
    if recipe.get("model") == U_NET and source.activation == SIGNED:
        return [SIGNED_IMAGES]
    if recipe.get("model") != SEGMENTER:
        return []
    notes = []
    signed, mode = source.activation == SIGNED, recipe.get("norm_mode", "batch")
    if source.activation and recipe.get("rescale", True) != signed:
        known = "[-1, 1]" if signed else "[0, 1]"
        notes.append(
            f"This encoder knows images in {known}, for its generator ended in {source.activation}. Give it those: "
            f"model_options: {{rescale: {str(signed).lower()}}}."
        )
    if source.norm_mode and source.norm_mode != mode:
        notes.append(
            f"This encoder was trained with norm_mode '{source.norm_mode}'; the model has '{mode}'. Build it alike: "
            f"model_options: {{norm_mode: {source.norm_mode}}}."
        )
    return notes


def _other_shape(source: Source, recipe: Mapping) -> list[str]:
    """A sentence where a SegNet is not as wide as VGG16, or of other kernels, and shall begin with its weights."""
    ours = {"kernel": recipe.get("kernel", KERNEL), "width": recipe.get("width", WIDTH)}
    fits = source.entry is None or source.entry.name != VGG16 or ours == VGG16_SHAPE
    return [] if fits else [OTHER_SHAPE.format(**ours)]
