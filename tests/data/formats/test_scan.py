"""What an opened file may claim: as many voxels as its bytes can hold, and the volumes that it has."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.formats.scan import Scan, check_3d, check_size, trimmed
from mstl.errors import InputError

PATH = Path("a.nii.gz")


def scan(*shape) -> Scan:
    return Scan(PATH, shape, np.eye(4), np.dtype("i2"), lambda volume: np.zeros(shape))


def test_voxels_must_fit_into_the_bytes_on_disk():
    check_size(PATH, (10, 10, 10), itemsize=2, skipped=352, stored=2352, packed=False)
    with pytest.raises(InputError, match=r"10 x 10 x 10 voxels \(2 kB\), but 2.35 kB on disk hold 2 kB at most"):
        check_size(PATH, (10, 10, 10), itemsize=2, skipped=353, stored=2351, packed=False)


def test_packed_voxels_must_fit_into_1032_times_the_bytes_on_disk():
    check_size(PATH, (1032, 10), itemsize=1, skipped=0, stored=10, packed=True)
    with pytest.raises(InputError, match="declares 1033 x 10 voxels"):
        check_size(PATH, (1033, 10), itemsize=1, skipped=0, stored=10, packed=True)


@pytest.mark.parametrize("shape", [(), (0, 3, 3), (3, -3, -3)])
def test_sides_must_be_positive(shape):
    with pytest.raises(InputError, match="at least 1 along each axis"):
        check_size(PATH, shape, itemsize=1, skipped=0, stored=100, packed=False)


def test_a_number_too_large_for_any_machine_word_is_refused():
    with pytest.raises(InputError, match="TB"):
        check_size(PATH, (2**62, 2**62, 2**62), itemsize=8, skipped=0, stored=10**9, packed=True)


def test_bytes_before_the_voxels_cannot_be_negative():
    with pytest.raises(InputError, match="truncated or damaged"):
        check_size(PATH, (3, 3, 3), itemsize=1, skipped=-1, stored=100, packed=False)


def test_axes_of_one_voxel_at_the_end_are_left_out():
    assert trimmed((3, 4, 5, 1, 1)) == (3, 4, 5)
    assert trimmed((3, 4, 5, 1, 2)) == (3, 4, 5, 1, 2)
    assert trimmed((3, 4, 1)) == (3, 4, 1)
    assert scan(3, 4, 5, 1, 2).volumes == 2


@pytest.mark.parametrize(
    ("shape", "path"), [((3, 4, 5), "a"), ((3, 4, 5), "a#0"), ((3, 4, 5, 2), "a#1"), ((3, 4, 5, 2, 3), "a#5")]
)
def test_one_volume_is_one_volume(shape, path):
    check_3d(scan(*shape), path)


@pytest.mark.parametrize(
    ("shape", "path"), [((3, 4), "a"), ((3, 4, 5), "a#1"), ((3, 4, 5, 2), "a"), ((3, 4, 5, 2), "a#2")]
)
def test_what_is_not_one_volume_is_an_error_that_states_the_shape(shape, path):
    with pytest.raises(InputError, match=r"has shape \(3, 4"):
        check_3d(scan(*shape), path)
