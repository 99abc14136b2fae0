import cv2
import pytest

from mstl.data.opencv import one_thread


def test_opencv_has_one_thread_inside_and_those_of_before_afterwards():
    before = cv2.getNumThreads()
    with pytest.raises(KeyError), one_thread():
        assert cv2.getNumThreads() == 1
        raise KeyError
    assert cv2.getNumThreads() == before
