import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.case_windows import CaseWindows, inside, patch_sides
from mstl.errors import InputError


@settings(max_examples=25, deadline=None)
@given(case=st.integers(0, 2), start=st.tuples(*3 * [st.integers(-12, 40)]), sides=st.tuples(*3 * [st.integers(1, 45)]))
def test_a_window_is_a_part_of_the_volume_in_zeros(cases, case, start, sides):
    image, mask = CaseWindows(cases).read(case, start, sides)
    padded = np.pad(cases[case].image.astype(np.float32), [(12, 90)] * 3 + [(0, 0)])
    window = tuple(slice(first + 12, first + 12 + side) for first, side in zip(start, sides, strict=True))
    assert np.array_equal(image, padded[window])
    assert np.array_equal(mask, np.pad(cases[case].mask, [(12, 90)] * 3)[window])
    assert image.dtype == np.float32
    assert mask.dtype == np.uint8


def test_only_the_slices_and_rows_of_a_window_are_read(write_prepared, tmp_path):
    case = write_prepared(tmp_path / "cut", shape=(9, 30, 26))
    windows = CaseWindows([case])
    whole = windows.read(0, (2, 5, 3), (3, 10, 8))
    for file in (windows.images[0], windows.masks[0]):
        with open(file.path, "r+b") as stream:
            stream.truncate(file.offset + (4 * 30 + 15) * int(np.prod(file.shape[2:])) * file.dtype.itemsize)
    assert all(np.array_equal(*pair) for pair in zip(windows.read(0, (2, 5, 3), (3, 10, 8)), whole, strict=True))
    with pytest.raises(InputError, match=r"image\.npy is shorter"):
        windows.read(0, (2, 6, 3), (3, 10, 8))


def test_windows_are_small_to_send(cases):
    assert len(pickle.dumps(CaseWindows(cases))) < 3000


def test_cases_that_do_not_fit_together_are_named(write_prepared, cases, tmp_path):
    with pytest.raises(InputError, match=r"wide has the modalities flair, t1, t2, a has flair, t1\."):
        CaseWindows([*cases, write_prepared(tmp_path / "wide", channels=3)])
    bare = write_prepared(tmp_path / "bare", masked=False)
    with pytest.raises(InputError, match="bare has none"):
        CaseWindows([*cases, bare])
    assert not CaseWindows([bare], labels=False).read(0, (0, 0, 0), (8, 30, 26))[1].any()
    with pytest.raises(InputError, match="at least one"):
        CaseWindows([])


def test_sides_become_multiples_and_what_is_padded_is_said(cases):
    assert patch_sides(cases, 6, multiple_of=2) == ((6, 6, 6), ())
    sides, notes = patch_sides(cases, (5, 20, 30), multiple_of=8)
    assert sides == (8, 24, 32)
    assert notes == (
        "Sides of patch (5, 20, 30) are no multiples of 8: it is enlarged to (8, 24, 32).",
        "Patch (8, 24, 32) is larger than 3 cases (a, bb, ccc): they are padded with background.",
    )
    assert patch_sides(cases[2:], (8, 16, 16), multiple_of=8)[1] == (
        "Patch (8, 16, 16) is larger than 1 case (ccc): it is padded with background.",
    )


def test_whole_volumes_share_the_shape_that_the_largest_fits_into(cases):
    for whole in (None, ()):
        sides, notes = patch_sides(cases, whole, multiple_of=8)
        assert sides == (8, 40, 32)
        assert notes[0].startswith("The common shape (8, 40, 32) of whole volumes is larger than 3 cases")
    assert patch_sides(cases[:1], None, multiple_of=2) == ((8, 30, 26), ())


@pytest.mark.parametrize("patch", [(8, 8), (8, 0, 8), -4, (1, 2, 3, 4)])
def test_patches_of_wrong_sides_are_refused(cases, patch):
    with pytest.raises(InputError, match="patch is"):
        patch_sides(cases, patch, multiple_of=1)


@given(start=st.integers(-50, 50), side=st.integers(1, 30), length=st.integers(1, 30))
def test_windows_are_moved_into_the_volume_as_little_as_possible(start, side, length):
    place = inside(start, side=side, length=length)
    if side <= length:
        assert 0 <= place <= length - side
        assert place == start or place in (0, length - side)
    else:
        assert place <= 0
        assert place + side >= length
        assert abs(-place - (place + side - length)) <= 1
