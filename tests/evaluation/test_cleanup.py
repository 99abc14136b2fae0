"""Clean-up: it takes components away whole, and nothing else."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mstl.errors import InputError
from mstl.evaluation.cleanup import CLEAN_UPS, NO_CLEAN_UP, CleanUp, components_of, dice_by_clean_up

MASKS = arrays(np.uint8, (4, 5, 6), elements=st.sampled_from([0, 0, 0, 1, 2]))
CLEANED = st.builds(CleanUp, st.sampled_from([0.0, 0.002, 0.003, 0.01, 1.0]), st.booleans())


def specks(*sizes):
    """Rows of 1 voxel thickness, each of so many voxels."""
    mask = np.zeros((3, 2 * len(sizes) + 1, 20), np.uint8)
    for number, size in enumerate(sizes):
        mask[1, 2 * number + 1, 1 : 1 + size] = 1
    return mask


@settings(max_examples=60, deadline=None)
@given(MASKS, CLEANED)
def test_cleaning_twice_is_cleaning_once_and_never_adds_a_voxel(mask, clean_up):
    before = mask.copy()
    cleaned = clean_up(mask, voxel_ml=0.001)
    assert np.array_equal(mask, before)
    assert np.all((cleaned == mask) | (cleaned == 0))
    assert np.array_equal(clean_up(cleaned, voxel_ml=0.001), cleaned)


@settings(max_examples=60, deadline=None)
@given(MASKS, CLEANED)
def test_components_stay_or_go_whole(mask, clean_up):
    cleaned = clean_up(mask, voxel_ml=0.001)
    components, voxels = components_of(mask)
    kept = np.unique(components[cleaned > 0])
    assert np.array_equal(cleaned > 0, np.isin(components, kept[kept > 0]))
    assert all(voxels[number - 1] * 0.001 > clean_up.minimum_ml - 1e-9 for number in kept)
    if clean_up.largest_only and kept.size:
        assert voxels[kept - 1].tolist() == [voxels.max()]


def test_components_below_the_minimum_are_dropped():
    mask = specks(1, 3, 9)
    cleaned = CleanUp(0.003)(mask, voxel_ml=0.001)
    assert cleaned.sum() == 12
    assert not cleaned[1, 1].any()


def test_voxels_that_touch_by_a_corner_are_one_component():
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[1, 1, 1] = mask[2, 2, 2] = 1
    assert CleanUp(0.002)(mask, voxel_ml=0.001).sum() == 2


def test_the_largest_alone_stays_and_of_equal_ones_the_first():
    assert CleanUp(largest_only=True)(specks(2, 7, 3), voxel_ml=1).sum() == 7
    cleaned = CleanUp(largest_only=True)(specks(4, 4), voxel_ml=1)
    assert np.array_equal(cleaned[1, 1], specks(4)[1, 1])
    assert cleaned.sum() == 4


def test_components_of_all_classes_together_decide():
    mask = specks(9, 2)
    mask[1, 1, 4] = 2  # a core of one voxel in the middle of a lesion
    cleaned = CleanUp(0.003)(mask, voxel_ml=0.001)
    assert np.bincount(cleaned.ravel()).tolist() == [mask.size - 9, 8, 1]


@pytest.mark.parametrize("clean_up", [NO_CLEAN_UP, *CLEAN_UPS])
def test_an_empty_mask_stays_empty(clean_up):
    assert not clean_up(np.zeros((3, 3, 3), np.uint8), voxel_ml=1).any()


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS.filter(np.any))
def test_dice_after_each_clean_up_is_that_of_the_cleaned_mask(prediction, mask):
    expected = []
    for clean_up in CLEAN_UPS:
        cleaned = clean_up(prediction, voxel_ml=0.002)
        pairs = [(cleaned == number, mask == number) for number in np.unique(mask) if number]
        expected.append(np.mean([2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) for ours, theirs in pairs]))
    np.testing.assert_allclose(dice_by_clean_up(prediction, mask, voxel_ml=0.002), expected)


@pytest.mark.parametrize("minimum", [-0.1, float("nan"), float("inf")])
def test_a_minimum_that_is_no_volume_is_refused(minimum):
    with pytest.raises(InputError, match="0 or more ml"):
        CleanUp(minimum)
