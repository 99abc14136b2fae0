"""Scanner profiles."""
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mstl.data.heads.anatomy import HEAD_CENTRE
from mstl.data.heads.scanner import RAW_SCANNERS, SCANNERS, find_scanner, with_skull
from mstl.errors import InputError


@pytest.mark.parametrize("name", SCANNERS)
def test_the_grid_has_the_spacing_and_orientation_stated(name):
    scanner = SCANNERS[name]
    grid = scanner.grid()
    np.testing.assert_allclose(grid.spacing, scanner.spacing, atol=1e-6)
    assert "".join(nib.aff2axcodes(grid.affine)) == scanner.axes
    middle = grid.affine @ [*((np.array(grid.shape) - 1) / 2), 1]
    np.testing.assert_allclose(middle[:3], HEAD_CENTRE, atol=1e-6)


def test_profiles_differ_as_their_names_say():
    assert SCANNERS["research"].spacing == (1, 1, 1)
    assert SCANNERS["clinical-thick"].spacing == (1, 1, 3)
    assert SCANNERS["quick"].spacing == (2, 2, 2)
    assert SCANNERS["low-field"].noise > SCANNERS["research"].noise


def test_an_oblique_grid_is_turned_by_twelve_degrees():
    directions = SCANNERS["oblique"].grid().affine[:3, :3] / SCANNERS["oblique"].spacing
    assert np.count_nonzero(np.abs(directions) > 1e-3) == 9
    tilt = np.degrees(np.arccos(abs(directions[2, 2])))
    assert tilt == pytest.approx(12, abs=1)


def test_thick_slices_are_averaged_from_thin_sections():
    assert SCANNERS["clinical-thick"].sections == (1, 1, 3)
    assert SCANNERS["research"].sections == (1, 1, 1)


def test_an_unknown_scanner_is_answered_with_the_known():
    with pytest.raises(InputError, match=r"'hospital'.*research.*oblique"):
        find_scanner("hospital")


def test_a_name_with_skull_behind_it_is_the_profile_with_the_head_left_on():
    assert find_scanner("quick-skull") == replace(SCANNERS["quick"], skull=True)
    assert not find_scanner("quick").skull


@pytest.mark.parametrize("name", RAW_SCANNERS)
def test_raw_sessions_have_thick_slices_skulls_and_patients_who_move(name):
    session = find_scanner(name)
    assert session.scanner.skull
    assert session.scanner.spacing[2] > 5
    assert session.turn > 0
    assert session.shift > 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [("quick", "quick-skull"), ("quick-skull", "quick-skull"), ("quick-raw", "quick-raw"), ("mixed", "mixed-skull")],
)
def test_names_with_skull_are_given_once_and_raw_ones_have_it(name, expected):
    assert with_skull(name) == expected
