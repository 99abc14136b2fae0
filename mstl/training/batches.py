"""The batches that a model is trained and validated with: slices for 2D models, patches or volumes for 3D ones."""
from __future__ import annotations

import warnings

from mstl._keras import keras
from mstl.config import AUTO, Training
from mstl.data.grid_patches import GridSampler
from mstl.data.patches import PatchSampler
from mstl.data.prepared import PreparedCohort
from mstl.data.sequences import BatchSequence, PatchSequence, SliceSequence
from mstl.data.slices import SliceSampler
from mstl.data.workers import Sampler
from mstl.errors import InputError
from mstl.models.sides import check_sides, is_volumetric, side_multiple

AUGMENT = {False: "thesis", True: "flips"}  # of slices, of volumes
OF_SLICES = ("crop", "class_share", "context", "window", "keep")  # settings that say nothing of volumes
PREVIEWS = 4  # slices or patches on a sheet
OF_VOLUMES = ("patch", "lesion_patches")


def training_batches(
    model: keras.Model, train: PreparedCohort, validation: PreparedCohort | None, training: Training
) -> tuple[Sampler, BatchSequence | None]:
    """What draws training batches for `model`, and the validation batches: all of it once, or a fixed draw.

    Warns where volumes are padded. Raises `InputError` for settings that are for models of the other kind, a crop of
    slices that the model cannot take, and as the samplers do.
    """
    volumetric, multiple = is_volumetric(model), side_multiple(model)
    _check_settings(training, volumetric=volumetric)
    augment = AUGMENT[volumetric] if training.augment == AUTO else training.augment
    make = (_training_patches, _validation_patches) if volumetric else (_training_slices, _validation_slices)
    held_out = None if validation is None else make[1](validation, training, multiple)
    sampler = make[0](train, training, multiple, augment)
    for note in getattr(sampler, "notes", ()):
        warnings.warn(note, stacklevel=3)
    return sampler, held_out


def _check_settings(training: Training, *, volumetric: bool) -> None:
    default = Training()
    strange = OF_SLICES if volumetric else OF_VOLUMES
    given = [name for name in strange if getattr(training, name) != getattr(default, name)]
    if given:
        kinds = ("a 3D model", "slices") if volumetric else ("a 2D model", "volumes")
        instead = "patch" if volumetric else "crop"
        raise InputError(
            f"{given[0]} is {getattr(training, given[0])!r}, but {kinds[0]} is trained, and that is a setting of "
            f"{kinds[1]}. Leave it out, or give {instead}."
        )


def _training_slices(cases: PreparedCohort, training: Training, multiple: int, augment: str) -> SliceSampler:
    if training.crop is not None:
        check_sides((training.crop, training.crop), multiple=multiple)
    return SliceSampler(
        cases,
        batch_size=training.batch_size,
        keep=training.keep,
        seed=training.seed,
        augment=augment,
        crop=None if training.crop is None else (training.crop, training.crop),
        class_share=training.class_share,
        context=training.context,
        multiple_of=multiple,
        steps_per_epoch=training.steps_per_epoch,
    )


def _validation_slices(cases: PreparedCohort, training: Training, multiple: int) -> SliceSequence:
    """Every slice in order, or the same random draw of `validation_steps` batches in every epoch."""
    sampler = SliceSampler(
        cases,
        batch_size=training.batch_size,
        keep="all",
        shuffle=training.validation_steps is not None,
        seed=training.seed,
        context=training.context,
        multiple_of=multiple,
        steps_per_epoch=training.validation_steps,
    )
    return SliceSequence(sampler, advance=False)


def _training_patches(cases: PreparedCohort, training: Training, multiple: int, augment: str) -> PatchSampler:
    return PatchSampler(
        cases,
        batch_size=training.batch_size,
        patch=training.patch or None,
        lesion_share=training.lesion_patches,
        seed=training.seed,
        augment=augment,
        multiple_of=multiple,
        steps_per_epoch=training.steps_per_epoch,
    )


def _validation_patches(cases: PreparedCohort, training: Training, multiple: int) -> PatchSequence:
    """Windows that cover each brain once, or the same random draw of `validation_steps` batches in every epoch."""
    common = {"batch_size": training.batch_size, "patch": training.patch or None, "multiple_of": multiple}
    if training.validation_steps is None:
        return PatchSequence(GridSampler(cases, **common), advance=False)
    steps, share = training.validation_steps, training.lesion_patches
    sampler = PatchSampler(cases, **common, lesion_share=share, seed=training.seed, steps_per_epoch=steps)
    return PatchSequence(sampler, advance=False)


def preview_sampler(model: keras.Model, cases: PreparedCohort, training: Training) -> SliceSampler | PatchSampler:
    """Draws slices, or patches of volumes, of `cases` one by one for a preview: with lesion where there is some.

    Slices are whole; nothing is augmented. They are drawn by the seed: always the same.
    """
    common = {"batch_size": 1, "seed": training.seed, "multiple_of": side_multiple(model), "steps_per_epoch": PREVIEWS}
    if is_volumetric(model):
        return PatchSampler(cases, patch=training.patch or None, lesion_share=1.0, **common)
    shown = "lesion" if any(sum(case.lesion_voxels) for case in cases) else "all"
    return SliceSampler(cases, keep=shown, context=training.context, **common)
