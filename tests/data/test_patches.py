import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.geometry3d import FlipAxis
from mstl.data.patches import PatchSampler
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError
from tests.opened import opened_files


@pytest.fixture
def classes(write_prepared, tmp_path) -> PreparedCase:
    """A case with 300 voxels of class 1, 3 of class 2 and 1 of class 4, far from each other."""
    case = write_prepared(tmp_path / "classes", shape=(12, 40, 40))
    mask = np.zeros(case.shape, np.uint8)
    mask[2:5, 5:15, 5:15] = 1
    mask[9, 30, 5:8] = 2
    mask[2, 34, 34] = 4
    np.save(case.folder / "mask.npy", mask)
    case.record["lesion_voxels"] = (mask > 0).sum((1, 2)).tolist()
    return case


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 99), batch_size=st.integers(1, 4), data=st.data())
def test_a_batch_is_a_function_of_seed_epoch_and_index(cases, seed, epoch, batch_size, data):
    sampler = PatchSampler(cases, patch=8, batch_size=batch_size, seed=seed, augment="strong", steps_per_epoch=3)
    index = data.draw(st.integers(0, 2))
    images, masks = sampler.batch(epoch, index)
    sampler.batch(data.draw(st.integers(0, 9)), 0)
    again = pickle.loads(pickle.dumps(sampler)).batch(epoch, index)
    assert np.array_equal(images, again[0])
    assert np.array_equal(masks, again[1])
    assert images.shape == (batch_size, 8, 8, 8, 2)
    assert masks.shape == (batch_size, 8, 8, 8, 1)
    assert images.dtype == masks.dtype == np.float32
    assert set(np.unique(masks)) <= {0, 1}


def test_epochs_and_seeds_have_patches_of_their_own(cases):
    sampler, other = PatchSampler(cases, patch=8), PatchSampler(cases, patch=8, seed=1)
    batches = [sampler.batch(0, 0), sampler.batch(0, 1), sampler.batch(1, 0), other.batch(0, 0)]
    assert len({images.tobytes() for images, _ in batches}) == 4


def test_a_pass_shows_every_case_once(cases):
    sampler = PatchSampler(cases, patch=8)
    assert sampler.steps == 2
    for epoch in range(3):
        names = [name for index in range(2) for name in sampler.batch_cases(epoch, index)]
        assert sorted(names) == ["a", "bb", "ccc"]
    assert len(sampler.batch(0, 1)[0]) == 1
    assert PatchSampler(cases, patch=8, shuffle=False).batch_cases(5, 0) == ["a", "bb"]
    endless = PatchSampler(cases, patch=8, batch_size=1, steps_per_epoch=3)
    shown = [endless.batch_cases(epoch, index)[0] for epoch in range(2) for index in range(3)]
    assert Counter(shown) == {"a": 2, "bb": 2, "ccc": 2}
    for index in (-1, 2):
        with pytest.raises(IndexError):
            sampler.batch(0, index)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_share_of_patches_around_lesions_is_kept(write_prepared, tmp_path, share):
    case = write_prepared(tmp_path / "large", shape=(16, 90, 90), lesions=(2,))
    sampler = PatchSampler([case], patch=8, lesion_share=share, steps_per_epoch=1, batch_size=200)
    hit = sampler.batch(0, 0)[1].any(axis=(1, 2, 3, 4)).mean()
    assert abs(hit - share) < 0.1


def test_patches_around_lesions_do_not_all_have_them_in_the_middle(cases):
    masks = PatchSampler(cases, patch=8, lesion_share=1, steps_per_epoch=1, batch_size=60).batch(0, 0)[1]
    assert masks.any(axis=(1, 2, 3, 4)).all()
    assert len({mask.tobytes() for mask in masks}) > 30


def test_rare_classes_are_drawn_as_often_as_others(classes):
    sampler = PatchSampler([classes], patch=8, lesion_share=1, steps_per_epoch=1, batch_size=300)
    masks = sampler.batch(0, 0)[1]
    for label in (1, 2, 4):
        assert 0.25 < (masks == label).any(axis=(1, 2, 3, 4)).mean() < 0.45


def test_every_voxel_of_a_class_is_as_likely(classes):
    sampler = PatchSampler([classes], patch=8)
    random = np.random.default_rng(0)
    voxels = Counter(sampler._lesion_voxel(0, random) for _ in range(600))
    assert voxels[2, 34, 34] > 150
    assert min(voxels[9, 30, column] for column in (5, 6, 7)) > 40
    assert len(voxels) > 130


def test_other_patches_lie_around_brain(cases):
    images = PatchSampler(cases, patch=(8, 8, 8), lesion_share=0, steps_per_epoch=1, batch_size=60).batch(0, 0)[0]
    assert (images != 0).any(axis=(1, 2, 3, 4)).all()


def test_a_case_without_lesion_gives_patches_of_its_brain(write_prepared, cases, tmp_path):
    healthy = write_prepared(tmp_path / "healthy", lesions=())
    sampler = PatchSampler([healthy, cases[0]], patch=8, lesion_share=1, shuffle=False)
    images, masks = sampler.batch(0, 0)
    assert images[0].any()
    assert not masks[0].any()
    assert masks[1].any()
    with pytest.raises(InputError, match=r"None of the 1 cases \(healthy\) has a lesion"):
        PatchSampler([healthy], patch=8)


def test_a_volume_smaller_than_the_patch_is_padded_and_noted(cases):
    sampler = PatchSampler(cases, patch=(8, 40, 32), shuffle=False)
    images, masks = sampler.batch(0, 0)
    assert np.array_equal(images[0, :, 5:35, 3:29], cases[0].image.astype(np.float32))
    assert np.array_equal(masks[0, :, 5:35, 3:29, 0], cases[0].mask)
    assert images.sum(dtype=np.float64) == sum(np.sum(case.image, dtype=np.float64) for case in cases[:2])
    assert sampler.notes == (
        "Patch (8, 40, 32) is larger than 3 cases (a, bb, ccc): they are padded with background.",
    )


@pytest.mark.parametrize("augment", [None, "strong"])
def test_whole_volumes_are_padded_to_one_shape(cases, augment):
    sampler = PatchSampler(cases, shuffle=False, augment=augment)
    images, masks = sampler.batch(0, 0)
    assert sampler.image_shape == images.shape[1:] == (8, 40, 32, 2)
    assert "common shape (8, 40, 32)" in sampler.notes[0]
    if augment is None:
        assert np.array_equal(masks[1, :, 5:35, 3:29, 0], cases[1].mask)


def test_an_augmented_patch_has_no_black_corners(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "full", shape=(40, 90, 90))
    np.save(case.folder / "image.npy", np.ones((*case.shape, 2), np.float16))
    mask = np.zeros(case.shape, np.uint8)
    mask[20, 45, 45] = 1
    np.save(case.folder / "mask.npy", mask)
    case.record["lesion_voxels"] = mask.sum((1, 2)).tolist()
    sampler = PatchSampler([case], patch=16, lesion_share=1, augment="strong", steps_per_epoch=1, batch_size=20)
    assert (sampler.batch(0, 0)[0] != 0).all()


def test_a_pipeline_of_one_s_own_is_taken(cases):
    plain = PatchSampler(cases, patch=8, shuffle=False).batch(0, 0)
    flipped = PatchSampler(cases, patch=8, shuffle=False, augment=A.Compose([FlipAxis(2, p=1)])).batch(0, 0)
    assert all(np.array_equal(left[:, :, :, ::-1], right) for left, right in zip(plain, flipped, strict=True))


def test_arrays_come_from_the_given_maker(cases):
    made = []

    def empty(shape, dtype):
        made.append(np.full(shape, np.nan, dtype))
        return made[-1]

    sampler = PatchSampler(cases, patch=8)
    images, masks = sampler.batch(0, 0, empty=empty)
    assert images is made[0]
    assert masks is made[1]
    assert np.isfinite(images).all()
    assert images.nbytes + masks.nbytes == sampler.batch_bytes


def test_without_labels_masks_are_never_opened(cases):
    with opened_files() as opened:
        sampler = PatchSampler(cases, patch=8, labels=False, augment="flips")
        (images,) = sampler.batch(0, 0)
    assert {path.name for path in opened if path.suffix == ".npy"} == {"image.npy"}
    assert images.nbytes == sampler.batch_bytes


def test_a_pickled_sampler_carries_no_arrays(write_prepared, tmp_path):
    large = write_prepared(tmp_path / "large", shape=(20, 100, 100))
    sampler = PatchSampler([large], patch=8)
    sampler.batch(0, 0)
    assert len(pickle.dumps(sampler)) < 20_000


@pytest.mark.parametrize(("arguments", "word"), [
    ({"batch_size": 0}, "batch_size"), ({"patch": (8, 8)}, "patch"), ({"seed": -1}, "seed"),
    ({"lesion_share": 1.5}, "lesion_share"), ({"steps_per_epoch": 0}, "steps_per_epoch"),
    ({"augment": "thesis"}, "strong"), ({"augment": 3}, "augment is 3"), ({"multiple_of": 0}, "multiple_of"),
])
def test_wrong_numbers_and_names_are_refused(cases, arguments, word):
    with pytest.raises(InputError, match=word):
        PatchSampler(cases, **{"patch": 8, **arguments})


def test_cases_that_do_not_fit_are_refused(write_prepared, cases, tmp_path):
    with pytest.raises(InputError, match="bare has none"):
        PatchSampler([*cases, write_prepared(tmp_path / "bare", masked=False)], patch=8)
    with pytest.raises(InputError, match="wide has the modalities"):
        PatchSampler([*cases, write_prepared(tmp_path / "wide", channels=3)], patch=8)
    with pytest.raises(InputError, match="at least one"):
        PatchSampler([], patch=8)
