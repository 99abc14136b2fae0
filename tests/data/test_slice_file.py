import pickle

import numpy as np
import pytest

from mstl.data.slice_file import SliceFile
from mstl.errors import InputError


@pytest.fixture
def array(tmp_path):
    """A memory map of random float16 `(5, 4, 3, 2)`."""
    np.save(tmp_path / "image.npy", np.random.default_rng(0).normal(size=(5, 4, 3, 2)).astype(np.float16))
    return np.load(tmp_path / "image.npy", mmap_mode="r")


def test_slices_are_those_of_the_memory_map(array):
    file = SliceFile.of(array)
    assert file.shape == array.shape
    for first, last in ((0, 1), (2, 5), (4, 5)):
        assert np.array_equal(file.read(first, last), array[first:last])
        values = file.read_float32(first, last)
        assert values.dtype == np.float32
        assert np.array_equal(values, array[first:last].astype(np.float32))


def test_a_window_is_that_of_the_memory_map(array):
    window = SliceFile.of(array).read_window((1, 4), (2, 4), (0, 2))
    assert window.dtype == np.float16
    assert np.array_equal(window, array[1:4, 2:4, 0:2])


def test_types_that_opencv_does_not_read_become_float32_too(tmp_path):
    np.save(tmp_path / "mask.npy", np.arange(24, dtype=np.int64).reshape(2, 3, 4))
    values = SliceFile.of(np.load(tmp_path / "mask.npy", mmap_mode="r")).read_float32(1, 2)
    assert values.dtype == np.float32
    assert values.ravel().tolist() == list(range(12, 24))


def test_a_pickled_file_carries_no_array(array):
    file = SliceFile.of(array)
    assert pickle.loads(pickle.dumps(file)) == file
    assert len(pickle.dumps(file)) < 1000


def test_a_file_that_became_shorter_is_named(array, tmp_path):
    file = SliceFile.of(array)
    with (tmp_path / "image.npy").open("r+b") as stream:
        stream.truncate(200)
    with pytest.raises(InputError, match=r"image\.npy is shorter"):
        file.read(4, 5)
    with pytest.raises(InputError, match=r"image\.npy is shorter"):
        file.read_window((4, 5), (0, 1), (0, 1))
