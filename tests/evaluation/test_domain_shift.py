"""The maximum mean discrepancy: that of the formula, by blocks of any size, with the properties of a distance."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mstl.errors import InputError
from mstl.evaluation.domain_shift import mmd2

NUMBERS = st.floats(-5, 5, allow_subnormal=False)


@st.composite
def two_sets(draw, smallest=2):
    n, m, d = draw(st.integers(smallest, 12)), draw(st.integers(smallest, 12)), draw(st.integers(1, 4))
    return draw(arrays(float, (n, d), elements=NUMBERS)), draw(arrays(float, (m, d), elements=NUMBERS))


def formula(x, y, kernel, biased):
    """Both estimates as Gretton et al. write them, from whole kernel matrices of scikit-learn."""
    function = {"rbf": rbf_kernel, "linear": linear_kernel}[kernel]
    xx, yy, xy = function(x, x), function(y, y), function(x, y)
    if biased:
        return xx.mean() + yy.mean() - 2 * xy.mean()
    n, m = len(x), len(y)
    return (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1)) - 2 * xy.mean()


@settings(max_examples=60, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), biased=st.booleans(), block=st.integers(1, 15))
def test_it_is_what_the_formula_says_whatever_the_blocks(sets, kernel, biased, block):
    found = mmd2(*sets, kernel=kernel, biased=biased, block_size=block)
    assert found == pytest.approx(formula(*sets, kernel, biased), abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), biased=st.booleans())
def test_it_is_the_same_both_ways(sets, kernel, biased):
    x, y = sets
    options = {"kernel": kernel, "biased": biased}
    assert mmd2(x, y, **options) == pytest.approx(mmd2(y, x, **options), abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(smallest=1), kernel=st.sampled_from(["rbf", "linear"]))
def test_the_biased_estimate_is_never_below_zero_and_zero_between_a_set_and_itself(sets, kernel):
    x, y = sets
    assert mmd2(x, y, kernel=kernel, biased=True) >= -1e-12
    assert mmd2(x, x, kernel=kernel, biased=True) == pytest.approx(0, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(sets=two_sets(), kernel=st.sampled_from(["rbf", "linear"]), shift=st.sampled_from([-1e3, 0.5, 1e5]))
def test_moving_both_sets_together_changes_nothing(sets, kernel, shift):
    x, y = sets
    assert mmd2(x + shift, y + shift, kernel=kernel) == pytest.approx(mmd2(x, y, kernel=kernel), abs=1e-6)


def test_it_grows_as_the_sets_move_apart():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 200, 8))
    values = [mmd2(x, y + shift) for shift in (0, 0.3, 0.6, 1.2)]
    assert values == sorted(values)
    assert abs(values[0]) < 0.01 < values[1]


def test_half_precision_is_computed_in_double():
    x = np.full((3, 2), 1000, np.float16) + np.arange(3, dtype=np.float16)[:, None]
    assert mmd2(x, x + np.float16(4), kernel="linear", biased=True) == pytest.approx(32)


@pytest.mark.parametrize(("x", "y", "biased", "words"), [
    (np.zeros((1, 3)), np.zeros((5, 3)), False, "1 and 5 samples are too small: the unbiased estimate needs 2"),
    (np.zeros((4, 3)), np.zeros((0, 3)), True, "one sample or more"),
    (np.zeros((4, 3)), np.zeros((4, 2)), False, r"shapes \(4, 3\) and \(4, 2\) cannot be compared"),
    (np.zeros(4), np.zeros(4), False, "cannot be compared"),
    (np.zeros((4, 0)), np.zeros((4, 0)), False, "cannot be compared"),
    (np.zeros((4, 3)), np.full((4, 3), np.nan), False, "Second set holds values that are not finite"),
    (np.full((4, 3), np.inf), np.zeros((4, 3)), False, "First set holds values that are not finite"),
])
def test_sets_that_cannot_be_compared_are_refused(x, y, biased, words):
    with pytest.raises(InputError, match=words):
        mmd2(x, y, biased=biased)
