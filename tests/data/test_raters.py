"""Several raters' masks become one: by majority, and by STAPLE."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mstl.data.indexing import COMPUTED
from mstl.data.raters import RULES, majority, staple
from mstl.data.volume import Volume
from mstl.errors import InputError

AFFINE = np.array([[0, -2.0, 0, 5], [1.0, 0, 0, -7], [0, 0, 3.0, 2], [0, 0, 0, 1]])
MASKS = st.lists(arrays(np.uint8, (3, 4, 2), elements=st.integers(0, 1)), min_size=1, max_size=5)


def volumes(masks) -> list[Volume]:
    return [Volume(np.asarray(mask, np.uint8), AFFINE) for mask in masks]


def ball(centre: float, *, noise: float = 0, seed: int = 0) -> np.ndarray:
    i, j, k = np.ogrid[:20, :22, :18]
    mask = (i - centre) ** 2 + (j - 11) ** 2 + (k - 9) ** 2 < 30
    return mask ^ (np.random.default_rng(seed).random(mask.shape) < noise)


def test_the_rules_that_an_index_leaves_are_those_there_are():
    assert set(COMPUTED) == set(RULES)


@settings(max_examples=30, deadline=None)
@given(MASKS)
def test_a_majority_is_more_than_half_whatever_the_order(masks):
    found = majority(volumes(masks))
    assert np.array_equal(found.data, np.mean(masks, 0) > 0.5)
    assert np.array_equal(found.data, majority(volumes(masks[::-1])).data)
    assert found.data.dtype == np.uint8
    assert np.array_equal(found.affine, AFFINE)


def test_where_raters_tie_it_is_background():
    assert majority(volumes([np.ones((2, 2, 2)), np.zeros((2, 2, 2))])).data.sum() == 0


@pytest.mark.parametrize("rule", RULES.values())
@pytest.mark.parametrize("mask", [np.zeros((20, 22, 18)), np.ones((20, 22, 18)), ball(9)])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_raters_who_agree_are_taken_at_their_word(rule, mask, count):
    assert np.array_equal(rule(volumes([mask] * count)).data, mask)


def test_staple_trusts_those_who_agree_more_than_one_who_does_not():
    good = [ball(9, noise=0.02, seed=seed) for seed in range(3)]
    found = staple(volumes([*good, ball(9, noise=0.4, seed=9)]))
    assert found.data.shape == (20, 22, 18)
    assert np.mean(found.data != ball(9)) < np.mean(good[0] != ball(9))


@pytest.mark.parametrize("order", ["C", "F"])
def test_staple_keeps_axes_where_they_are(order):
    masks = [np.asarray(ball(9), np.uint8, order=order), np.asarray(ball(10), np.uint8, order=order)]
    found = staple([Volume(mask, AFFINE) for mask in masks]).data
    assert not np.any(found & ~(masks[0] | masks[1]))
    assert np.all(found[masks[0] & masks[1] == 1])


def test_staple_of_masks_larger_than_a_page_of_memory_is_read_while_it_lives():
    one = np.zeros((70, 70, 70), np.uint8)
    one[20:40, 20:40, 20:40] = 1
    other = np.roll(one, 1, axis=0)
    found = staple(volumes([one, other, one])).data
    assert np.all(found[(one & other) == 1])
    assert not np.any(found[(one | other) == 0])


def test_staple_of_one_rater_who_marked_nothing_holds_no_nan():
    found = staple(volumes([np.zeros((20, 22, 18)), ball(9)]))
    assert set(np.unique(found.data)) <= {0, 1}


@pytest.mark.parametrize("rule", RULES.values())
def test_masks_on_different_grids_or_none_are_an_error(rule):
    with pytest.raises(InputError, match="different grids"):
        rule([Volume(np.zeros((2, 2, 2)), AFFINE), Volume(np.zeros((2, 2, 2)), AFFINE + 1e-2)])
    with pytest.raises(InputError, match="No mask was given"):
        rule([])
