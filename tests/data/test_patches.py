import pickle

import numpy as np
import pytest

from mstl.data.patches import PatchSampler
from mstl.errors import InputError


def test_a_batch_is_a_function_of_seed_epoch_and_index(cases):
    options = {"patch": 8, "augment": "flips", "steps_per_epoch": 3, "seed": 5}
    sampler = PatchSampler(cases, **options)
    images, masks = sampler.batch(2, 1)
    sampler.batch(0, 0)
    again = pickle.loads(pickle.dumps(sampler)).batch(2, 1)
    assert np.array_equal(images, again[0])
    assert np.array_equal(masks, again[1])
    assert images.shape == (2, 8, 8, 8, 2)
    assert masks.shape == (2, 8, 8, 8, 1)
    assert images.dtype == masks.dtype == np.float32
    assert not np.array_equal(images, PatchSampler(cases, **options | {"seed": 6}).batch(2, 1)[0])


def test_patches_around_lesions_hold_a_lesion(cases):
    sampler = PatchSampler(cases, patch=8, lesion_share=1, steps_per_epoch=20)
    assert all(sampler.batch(0, index)[1].any(axis=(1, 2, 3, 4)).all() for index in range(20))


def test_a_volume_smaller_than_the_patch_is_padded_and_noted(cases):
    sampler = PatchSampler(cases, patch=(8, 40, 32), shuffle=False)
    images, masks = sampler.batch(0, 0)
    assert np.array_equal(images[0, :, 5:35, 3:29], cases[0].image.astype(np.float32))
    assert np.array_equal(masks[0, :, 5:35, 3:29, 0], cases[0].mask)
    assert sampler.notes == (
        "Patch (8, 40, 32) is larger than 3 cases (a, bb, ccc): they are padded with background.",
    )


def test_a_case_without_a_mask_is_named(write_prepared, tmp_path):
    with pytest.raises(InputError, match="bare has none"):
        PatchSampler([write_prepared(tmp_path / "bare", masked=False)], patch=8)
