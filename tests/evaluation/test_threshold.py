"""Thresholds: the counts of one pass are those of cutting anew at every candidate."""
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mstl.errors import InputError
from mstl.evaluation.cleanup import CLEAN_UPS, NO_CLEAN_UP, CleanUp
from mstl.evaluation.threshold import (
    CANDIDATES,
    apply_threshold,
    choose_cut,
    choose_threshold,
    dice_by_cut,
    dice_by_threshold,
)

AT_A_CANDIDATE = st.sampled_from(CANDIDATES).map(np.float32)


def _brute_force(probability, mask, candidates):
    scores = []
    for candidate in candidates:
        prediction = apply_threshold(probability, candidate)
        total = int(prediction.sum()) + int(mask.sum())
        scores.append(2 * int((prediction & mask).sum()) / total if total else 1.0)
    return scores


def _case(seed, *, best=0.5, shape=(6, 7, 8)):
    """Probabilities that separate lesion from background exactly at `best`."""
    rng = np.random.default_rng(seed)
    mask = (rng.random(shape) < 0.3).astype(np.uint8)
    low, high = rng.uniform(0, best - 0.02, shape), rng.uniform(best + 0.02, 1, shape)
    return np.where(mask, high, low).astype(np.float32), mask


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (3, 4, 5), elements=st.floats(0, 1, width=32) | AT_A_CANDIDATE),
    arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 1)),
)
def test_one_pass_equals_cutting_at_every_candidate(probability, mask):
    np.testing.assert_allclose(
        dice_by_threshold(probability, mask), _brute_force(probability, mask, CANDIDATES), rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_pass_equals_cutting_for_every_float_type_and_any_candidates(dtype):
    probability, mask = _case(0)
    candidates = [0.013, 0.1, 0.5, 0.77, 1.0]
    probability = probability.astype(dtype)
    expected = _brute_force(probability, mask, candidates)
    np.testing.assert_allclose(dice_by_threshold(probability, mask, candidates), expected)


def test_a_probability_at_the_threshold_is_a_lesion():
    assert apply_threshold(np.array([0.95, 0.1], np.float32), 0.95).tolist() == [1, 0]


def test_dice_of_nothing_predicted_on_an_empty_mask_is_one():
    assert dice_by_threshold(np.full((2, 2, 2), 0.4), np.zeros((2, 2, 2)), [0.3, 0.5]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("best", [0.1, 0.35, 0.8])
def test_the_threshold_that_separates_is_chosen(best):
    choice = choose_threshold(_case(seed, best=best) for seed in range(3))
    assert choice.threshold == best
    assert max(choice.mean_dice) == choice.mean_dice[CANDIDATES.index(best)] == 1.0


def test_the_mean_is_over_cases_not_over_voxels():
    large = (np.full((20, 20, 20), 0.3, np.float32), np.ones((20, 20, 20), np.uint8))
    small = [(np.array([[[0.3, 0.7]]], np.float32), np.array([[[0, 1]]], np.uint8))] * 9
    choice = choose_threshold([large, *small], candidates=[0.2, 0.5])
    assert choice.mean_dice == pytest.approx([(1 + 9 * 2 / 3) / 10, 0.9])
    assert choice.threshold == 0.5


def test_of_equal_thresholds_the_nearest_to_a_half_is_chosen():
    assert choose_threshold([(np.eye(3), np.eye(3))]).threshold == 0.5
    assert choose_threshold([(np.eye(3), np.eye(3))], candidates=[0.1, 0.4, 0.6, 0.9]).threshold == 0.4


def test_empty_masks_are_counted_apart_and_do_not_move_the_choice():
    cases = [_case(1, best=0.3), (np.full((2, 2, 2), 0.6), np.zeros((2, 2, 2)))]
    choice = choose_threshold(cases)
    assert (choice.threshold, choice.cases, choice.empty_reference) == (0.3, 1, 1)


def test_cases_are_read_one_at_a_time():
    born, held = [], []

    def stream():
        for seed in range(5):
            case = _case(seed)
            born.append(weakref.ref(case[0]))
            yield case
            del case
            held.append(sum(array() is not None for array in born))

    assert choose_threshold(stream()).cases == 5
    assert held == [1] * 5


def test_no_lesion_in_any_validation_case_is_an_error():
    with pytest.raises(InputError, match="None of 2 validation cases has a lesion"):
        choose_threshold([(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))] * 2)


@pytest.mark.parametrize("candidates", [[], [0.5, 0.5], [0.6, 0.4], [0.0, 0.5], [0.5, 1.1], [float("nan")]])
def test_candidates_that_do_not_ascend_within_reach_are_refused(candidates):
    with pytest.raises(InputError, match="ascending"):
        dice_by_threshold(np.ones((2, 2)), np.ones((2, 2)), candidates)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_values_that_are_no_probabilities_are_refused(value):
    with pytest.raises(InputError, match="within 0 and 1"):
        dice_by_threshold(np.array([0.5, value]), np.array([0, 1]))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match="must be equal"):
        dice_by_threshold(np.zeros((2, 3)), np.zeros((3, 2)))


ML = 0.001  # of a voxel


def _dice(prediction, mask):
    classes = [number for number in np.unique(mask) if number]
    pairs = [(prediction == number, mask == number) for number in classes]
    return np.mean([2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) for ours, theirs in pairs])


@settings(max_examples=20, deadline=None)
@given(
    arrays(np.float32, (3, 4, 5, 1), elements=st.floats(0, 1, width=32) | AT_A_CANDIDATE),
    arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 1)).filter(np.any),
)
def test_dice_by_cut_is_that_of_the_mask_after_threshold_and_clean_up(probability, mask):
    table = dice_by_cut(probability, mask, voxel_ml=ML)
    for row, clean_up in enumerate((NO_CLEAN_UP, *CLEAN_UPS)):
        masks = [clean_up(apply_threshold(probability[..., 0], cut), voxel_ml=ML) for cut in CANDIDATES]
        np.testing.assert_allclose(table[row], [_dice(one, mask) for one in masks], atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    arrays(np.float32, (3, 4, 5, 3), elements=st.floats(0, 1, width=16)),
    arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2)).filter(np.any),
)
def test_the_clean_up_that_is_chosen_never_lowers_the_dice_of_validation(probability, mask):
    for channels, labels in ((3, mask), (1, (mask > 0).astype(np.uint8))):
        choice = choose_cut([(probability[..., :channels], labels, ML)])
        assert max(choice.mean_dice) >= max(choice.mean_dice_uncleaned)
        if choice.clean_up == NO_CLEAN_UP:
            assert choice.mean_dice == choice.mean_dice_uncleaned


def _with_specks():
    """A lesion of 64 voxels, and 20 false ones of two voxels; both equally probable."""
    mask = np.zeros((12, 12, 24), np.uint8)
    mask[4:8, 4:8, 2:6] = 1
    probability = np.where(mask, 0.6, 0.1).astype(np.float32)
    probability[::3, ::3, 10:24:5] = probability[::3, ::3, 11:24:5] = 0.6
    return probability, mask


def test_specks_that_cost_dice_are_cleaned_up():
    probability, mask = _with_specks()
    choice = choose_cut([(probability[..., None], mask, ML)])
    assert choice.clean_up == CleanUp(0.003)
    assert choice.threshold == 0.5
    assert max(choice.mean_dice) == 1
    assert max(choice.mean_dice_uncleaned) < 0.7


def test_a_clean_up_that_gains_next_to_nothing_is_not_chosen():
    probability, mask = np.zeros((2, 20, 40, 60), np.float32)
    mask[2:18, 2:38, 2:58] = probability[2:18, 2:38, 2:58] = 1
    probability[0, 0, 0] = 1
    choice = choose_cut([(probability[..., None], mask.astype(np.uint8), ML)])
    assert choice.clean_up == NO_CLEAN_UP


def test_of_several_classes_only_the_clean_up_is_chosen():
    probability, mask = _with_specks()
    mask[4, 4, 2] = 2
    classes = np.where(mask == 2, 2, probability > 0.5)
    choice = choose_cut([(np.eye(3, dtype=np.float32)[classes], mask, ML)] * 2)
    assert (choice.threshold, choice.candidates, choice.mean_dice) == (None, (), (1.0,))
    assert choice.clean_up == CleanUp(0.003)
    assert choice.cases == 2


def test_two_classes_are_cut_by_the_probability_of_the_second():
    probability, mask = _case(0, best=0.3)
    pair = np.stack([1 - probability, probability], axis=-1)
    assert choose_cut([(pair, mask, ML)]) == choose_cut([(probability[..., None], mask, ML)])
