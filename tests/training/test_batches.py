"""Which batches a model is trained with: slices for 2D models, patches for 3D ones."""
import warnings

import numpy as np
import pytest

from mstl.config import Training
from mstl.data.grid_patches import GridSampler
from mstl.data.patches import PatchSampler
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from mstl.models import residual_unet3d, unet_small
from mstl.training.batches import training_batches


@pytest.fixture(scope="module")
def flat():
    return unet_small(channels=2, width=2, depth=2)


@pytest.fixture(scope="module")
def deep():
    return residual_unet3d(channels=2, filters=(2, 2))


def test_a_2d_model_gets_slices_and_a_3d_model_patches(prepared, flat, deep):
    sampler, held_out = training_batches(flat, prepared, prepared, Training(batch_size=2))
    assert isinstance(sampler, SliceSampler)
    assert [array.ndim for array in held_out[0]] == [4, 4]
    sampler, held_out = training_batches(deep, prepared, prepared, Training(batch_size=2, patch=8))
    assert isinstance(sampler, PatchSampler)
    assert [array.shape[1:] for array in held_out[0]] == [(8, 8, 8, 2), (8, 8, 8, 1)]


def test_validation_of_volumes_is_every_window_or_the_same_draw_in_every_epoch(prepared, deep):
    whole = training_batches(deep, prepared, prepared, Training(patch=8))[1]
    assert isinstance(whole.sampler, GridSampler)
    drawn = training_batches(deep, prepared, prepared, Training(patch=8, validation_steps=2))[1]
    assert len(drawn) == 2
    first = drawn[1][0]
    drawn.on_epoch_end()
    np.testing.assert_array_equal(first, drawn[1][0])


def test_what_auto_means_depends_on_the_model(prepared, flat, deep):
    assert training_batches(flat, prepared, None, Training())[0].augment is not None
    flips = training_batches(deep, prepared, None, Training(patch=8))[0].augment
    assert len(flips.transforms) == 3
    assert training_batches(deep, prepared, None, Training(patch=8, augment="none"))[0].augment is None


def test_a_patch_that_does_not_divide_is_enlarged_and_said_so(prepared, deep):
    with pytest.warns(UserWarning, match="7"):
        sampler, _ = training_batches(deep, prepared, None, Training(patch=7))
    assert sampler.sides == (8, 8, 8)


def test_whole_volumes_that_divide_are_not_spoken_of(prepared, deep):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler, _ = training_batches(deep, prepared, None, Training())
    assert all(side % 2 == 0 for side in sampler.sides)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("deep", {"crop": 32}, "crop is 32, but a 3D model"),
        ("deep", {"crop": 32, "class_share": 0.75}, "crop is 32, but a 3D model"),
        ("deep", {"window": 32}, "window is 32, but a 3D model"),
        ("deep", {"context": 1}, "context is 1, but a 3D model"),
        ("deep", {"keep": "all"}, "keep is 'all', but a 3D model"),
        ("flat", {"patch": 8}, r"patch is \(8, 8, 8\), but a 2D model"),
        ("flat", {"lesion_patches": 0.1}, "lesion_patches is 0.1, but a 2D model"),
        ("flat", {"augment": "flips"}, "Augmentation 'flips' is unknown"),
        ("deep", {"augment": "thesis"}, "Augmentation 'thesis' of volumes"),
        ("flat", {"crop": 36}, "a multiple of 16"),
    ],
)
def test_settings_for_the_other_kind_of_model_are_refused(prepared, request, kind, settings, message):
    with pytest.raises(InputError, match=message):
        training_batches(request.getfixturevalue(kind), prepared, None, Training(**settings))
