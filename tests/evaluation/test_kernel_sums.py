"""Sums of kernels over groups: those of the whole kernel matrix, whatever the blocks; wrong input is refused."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from mstl.errors import InputError
from mstl.evaluation.kernel_sums import kernel_sums, kernel_width


def sets(seed, n=23, m=17, d=5):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)), random.normal(0.5, 2, size=(m, d))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), block_size=st.integers(1, 50), kernel=st.sampled_from(["rbf", "linear"]))
def test_sums_over_unsorted_groups_are_those_of_the_whole_matrix(seed, block_size, kernel):
    x, y = sets(seed)
    random = np.random.default_rng(seed + 1)
    groups = random.permutation(np.arange(23) % 4), random.permutation(4 + np.arange(17) % 3)
    found = kernel_sums(x, y, groups=groups, kernel=kernel, block_size=block_size)
    pooled, labels = np.concatenate([x, y]), np.concatenate(groups)
    pooled = pooled - pooled.mean(axis=0)
    matrix = {"rbf": rbf_kernel, "linear": linear_kernel}[kernel](pooled)
    member = (labels[:, None] == np.arange(7)).astype(float)
    np.testing.assert_allclose(found.between, member.T @ matrix @ member, atol=1e-10)
    np.testing.assert_allclose(found.itself, member.T @ np.diag(matrix), atol=1e-10)
    assert found.counts.tolist() == member.sum(axis=0).tolist()


def test_gamma_is_one_by_the_features_unless_given():
    x, y = sets(0)
    assert kernel_width(x, y, kernel="rbf", gamma=None) == 1 / 5
    assert kernel_width(x, y, kernel="rbf", gamma=0.3) == 0.3
    assert kernel_width(x, y, kernel="linear", gamma=None) is None


def test_the_median_heuristic_halves_the_inverse_square_of_the_median_distance():
    x, y = np.array([[0.0], [1.0]]), np.array([[3.0]])
    assert kernel_width(x, y, kernel="rbf", gamma="median") == pytest.approx(1 / (2 * 2.0**2))


def test_the_median_heuristic_looks_at_samples_spread_over_large_sets():
    x = np.repeat([[0.0], [1.0]], 5000, axis=0)
    y = np.repeat([[2.0], [9.0]], 5000, axis=0)
    distances = np.abs(np.subtract.outer([0, 1, 2, 9], [0, 1, 2, 9]))
    expected = np.median(np.repeat(np.repeat(distances, 500, 0), 500, 1)[np.triu_indices(2000, 1)])
    assert kernel_width(x, y, kernel="rbf", gamma="median") == pytest.approx(1 / (2 * expected**2))


@pytest.mark.parametrize(("options", "words"), [
    ({"kernel": "cubic"}, "unknown. Choose one of rbf, linear"),
    ({"gamma": 0}, "gamma is 0; a number above 0"),
    ({"gamma": -1.0}, "gamma is -1.0"),
    ({"gamma": float("nan")}, "gamma is nan"),
    ({"gamma": "mean"}, "gamma is mean"),
    ({"kernel": "linear", "gamma": 1.0}, "the linear kernel has none"),
    ({"block_size": 0}, "block_size is 0"),
])
def test_what_no_kernel_takes_is_refused(options, words):
    x, y = sets(0)
    with pytest.raises(InputError, match=words):
        kernel_sums(x, y, groups=(np.zeros(23, int), np.ones(17, int)), **options)


def test_a_median_distance_of_zero_is_refused():
    with pytest.raises(InputError, match="median distance of samples is 0"):
        kernel_width(np.zeros((9, 2)), np.ones((1, 2)), kernel="rbf", gamma="median")
