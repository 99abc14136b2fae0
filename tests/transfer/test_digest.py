import hashlib

import numpy as np
import pytest

from mstl.transfer.digest import norm_of, sha256_of


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.uint8])
def test_the_norm_is_euclidean_for_every_type(dtype):
    assert norm_of(np.array([[3, 4]], dtype)) == 5


def test_squares_beyond_the_type_do_not_make_a_norm_infinite():
    assert norm_of(np.array([3e30, 4e30], np.float32)) == pytest.approx(5e30)
    assert norm_of(np.full(4, 60_000, np.float16)) == pytest.approx(2 * np.float16(60_000))


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_shows_in_the_norm(odd):
    assert not np.isfinite(norm_of(np.array([1, odd, 2], np.float32)))


@pytest.mark.parametrize("array", [np.arange(12, dtype="f4").reshape(3, 4).T, np.float32(3), np.zeros((0, 3), "f2")])
def test_the_hash_is_that_of_the_bytes_in_order(array):
    assert sha256_of(array) == hashlib.sha256(np.asarray(array).tobytes()).hexdigest()
