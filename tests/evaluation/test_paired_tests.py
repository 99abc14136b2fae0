"""Tests of paired differences: equal to scipy and to sums by hand, honest where there is little; intervals cover."""
import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mstl.evaluation.paired_tests import (
    bca_interval,
    holm,
    probability_of_gain,
    rank_biserial,
    signed_rank_p,
    smallest_signed_rank_p,
)

numbers = st.lists(st.integers(-50, 50).map(lambda value: value / 100), min_size=1, max_size=12)


def draw(seed, n=20, mean=0.3):
    return np.random.default_rng(seed).normal(mean, 1, n)


def test_the_interval_of_the_mean_is_the_bca_interval_of_scipy():
    values = np.random.default_rng(0).exponential(1, 25)
    expected = stats.bootstrap((values,), np.mean, n_resamples=2999, random_state=np.random.default_rng(7))
    assert bca_interval(values, resamples=2999, seed=7) == tuple(expected.confidence_interval)
    assert bca_interval(values, seed=7) != bca_interval(values, seed=8)


def test_the_bca_interval_leans_to_the_long_tail():
    values = np.random.default_rng(0).exponential(1, 25)
    low, high = bca_interval(values)
    assert high - values.mean() > values.mean() - low


@pytest.mark.parametrize(("values", "expected"), [
    ([], (np.nan, np.nan)), ([0.1], (np.nan, np.nan)), ([0.1, 0.3], (np.nan, np.nan)), ([0.2] * 3, (0.2, 0.2)),
    ([0.0] * 9, (0.0, 0.0)),
])
def test_too_few_or_equal_differences_have_no_interval_or_a_point(values, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(bca_interval(np.array(values)), expected, equal_nan=True)


@pytest.mark.parametrize("values", [[0, 0, 1], [0.1, 0.1, 0.1, 0.1000001], [-1, 1, 1], [0, 0, 0, 0, 0, 5]])
def test_few_and_lopsided_differences_have_an_interval_around_their_mean(values):
    low, high = bca_interval(np.array(values))
    assert low <= np.mean(values) <= high


@pytest.mark.parametrize("n", [6, 12, 40, 80])
def test_p_is_that_of_scipy(n):
    values = draw(n, n)
    assert signed_rank_p(values) == stats.wilcoxon(values).pvalue
    assert signed_rank_p(np.append(values, [0.0, 0.0])) == signed_rank_p(values)


def test_p_of_few_is_what_counting_all_signs_gives():
    values = np.array([0.5, -0.1, 0.3, 0.8, 0.2])
    ranks = stats.rankdata(np.abs(values))
    sums = [np.dot(signs, ranks) for signs in itertools.product((-1, 1), repeat=5)]
    observed = abs(np.dot(np.sign(values), ranks))
    assert signed_rank_p(values) == pytest.approx(np.mean(np.abs(sums) >= observed))


@pytest.mark.parametrize("values", [[1, 1, 2, -2, 3], [-1, 1, 1, 1, 1, 1, 1], [3, 3, -3, 3, 3, -1, 2, 2], [1, -1]])
def test_p_with_ties_is_what_counting_all_signs_gives(values):
    ranks = stats.rankdata(np.abs(values))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((-1, 1), repeat=len(values))])
    observed = abs(np.dot(np.sign(values), ranks))
    assert signed_rank_p(np.array(values)) == pytest.approx(np.mean(np.abs(sums) >= observed))


def test_p_of_many_with_ties_is_near_the_normal_approximation_of_scipy():
    values = np.round(draw(5, 50), 1)
    expected = stats.wilcoxon(values[values != 0], method="asymptotic").pvalue
    assert signed_rank_p(values) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_smallest_p_is_that_of_gains_alone(n):
    assert smallest_signed_rank_p(n) == pytest.approx(signed_rank_p(np.arange(1.0, n + 1)))


def test_p_of_nothing_is_nan_and_of_no_difference_one():
    assert np.isnan([signed_rank_p(np.array([])), smallest_signed_rank_p(0), rank_biserial(np.array([]))]).all()
    assert (signed_rank_p(np.zeros(4)), rank_biserial(np.zeros(4))) == (1.0, 0.0)


def test_holm_is_what_is_counted_by_hand_and_what_r_gives():
    # R: p.adjust(c(.042, .001, .031, .014, .007), "holm"); sorted 5 x .001, 4 x .007, 3 x .014, 2 x .031, 1 x .042
    assert holm([0.042, 0.001, 0.031, 0.014, 0.007]) == pytest.approx([0.062, 0.005, 0.062, 0.042, 0.028])
    assert holm([0.01, 0.01, 0.9]) == pytest.approx([0.03, 0.03, 0.9])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).shape == (0,)


def test_holm_leaves_out_what_could_not_be_tested_as_r_does():
    adjusted = holm([0.01, np.nan, 0.04])
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[1])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_never_below_p_nor_above_one_and_keeps_the_order(p):
    p, adjusted = np.array(p), holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p)) + 1e-12).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_rank_biserial_is_the_share_of_ranks_for_less_the_share_against():
    assert rank_biserial(np.array([0.4, 0.3, 0.2, -0.1])) == pytest.approx((9 - 1) / 10)
    assert rank_biserial(np.array([0.1, 0.2, 0.0])) == 1


@settings(max_examples=40, deadline=None)
@given(numbers)
def test_effect_and_p_of_the_turned_differences_are_turned(values):
    values = np.array(values)
    assert rank_biserial(-values) == pytest.approx(-rank_biserial(values))
    assert signed_rank_p(-values) == pytest.approx(signed_rank_p(values))
    share, (low, high) = probability_of_gain(values)
    turned, (turned_low, turned_high) = probability_of_gain(-values)
    assert (turned, turned_low, turned_high) == pytest.approx((1 - share, 1 - high, 1 - low))
    assert 0 <= low <= share <= high <= 1


def test_the_probability_of_a_gain_counts_equal_ones_half():
    share, (low, high) = probability_of_gain(np.array([1, 1, 0, -1]))
    assert share == 2.5 / 4
    assert (low, high) == pytest.approx(stats.beta(3.0, 2.0).interval(0.95))
    assert probability_of_gain(np.ones(5))[1][1] == 1
    assert np.isnan(probability_of_gain(np.array([]))[0])


@pytest.mark.parametrize("kind", ["normal", "skewed"])
def test_bca_intervals_cover_the_mean_about_as_often_as_they_say(kind):
    random = np.random.default_rng(1)
    drawn = random.normal(0, 1, (300, 20)) if kind == "normal" else random.exponential(1, (300, 20)) - 1
    limits = np.array([bca_interval(values, resamples=999, seed=number) for number, values in enumerate(drawn)])
    covered = np.mean((limits[:, 0] <= 0) & (limits[:, 1] >= 0))
    assert 0.88 <= covered <= 0.97


@pytest.mark.parametrize("truth", [0.5, 0.8])
def test_intervals_of_the_probability_cover_as_often_as_they_say(truth):
    wins = np.random.default_rng(2).random((400, 20)) < truth
    found = [probability_of_gain(np.where(one, 1.0, -1.0))[1] for one in wins]
    assert 0.92 <= np.mean([low <= truth <= high for low, high in found]) <= 0.985


def test_p_is_uniform_where_nothing_differs():
    p = np.array([signed_rank_p(draw(seed, 15, mean=0)) for seed in range(400)])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.025)
