"""Power laws: known curves come back, fits are as good as those of scipy, bounds hold, many at once as one by one."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from mstl.evaluation.power_law import EXPONENTS, fit_power_law, power_law

SIZES = (5, 10, 20, 40)


def misfit(curve, scores):
    return np.sqrt(np.mean((power_law(curve, SIZES, smallest=5) - scores) ** 2))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 1), st.floats(0.05, 0.5), st.floats(0.1, 2.5))
def test_a_known_curve_is_found_again(end, drop, exponent):
    scores = power_law(np.array([end, drop, exponent]), SIZES, smallest=5)
    found = fit_power_law(SIZES, scores)
    assert misfit(found, scores) < 0.002
    beyond = power_law(np.array([[end, drop, exponent], found]), [50], smallest=5)
    assert beyond[1] == pytest.approx(beyond[0], abs=0.004)


@pytest.mark.parametrize("seed", range(8))
def test_fits_are_as_good_as_those_of_scipy_within_the_same_bounds(seed):
    random = np.random.default_rng(seed)
    scores = 0.8 - 0.4 * (np.array(SIZES) / 5) ** -random.uniform(0.1, 2) + random.normal(0, 0.02, len(SIZES))
    bounds = ([-10, 0, EXPONENTS[0]], [1, 10, EXPONENTS[-1]])
    others = [least_squares(lambda curve: power_law(curve, SIZES, smallest=5) - scores, start, bounds=bounds).x
              for start in ([0.9, 0.3, 0.3], [0.8, 0.4, 1.5])]  # fmt: skip
    assert misfit(fit_power_law(SIZES, scores), scores) <= min(misfit(other, scores) for other in others) + 5e-4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_curves_never_fall_nor_pass_the_ceiling(scores):
    end, drop, exponent = fit_power_law(SIZES, np.array(scores))
    assert end <= 1
    assert drop >= 0
    assert EXPONENTS[0] <= exponent <= EXPONENTS[-1]
    assert (np.diff(power_law([end, drop, exponent], np.arange(5, 100, 5), smallest=5)) >= 0).all()


def test_falling_and_flat_scores_give_their_mean():
    for scores in ([0.6, 0.6, 0.6, 0.6], [0.7, 0.6, 0.5, 0.4]):
        assert fit_power_law(SIZES, np.array(scores))[:2] == pytest.approx([np.mean(scores), 0])


def test_an_end_beyond_the_ceiling_is_held_there():
    scores = np.array([0.1, 0.4, 0.7, 0.99])
    assert fit_power_law(SIZES, scores)[0] == 1
    assert fit_power_law(SIZES, scores - 1, ceiling=0.0)[0] == 0


def test_many_sets_of_scores_at_once_are_the_same_as_one_by_one():
    drawn = np.random.default_rng(0).uniform(0.2, 0.9, (3, 5, 4))
    together = fit_power_law(SIZES, drawn)
    assert together.shape == (3, 5, 3)
    assert together[1, 2] == pytest.approx(fit_power_law(SIZES, drawn[1, 2]))
    assert power_law(together, [5, 50], smallest=5).shape == (3, 5, 2)
