"""Grids: other ones are told with what to do, oblique and thick scans are noted."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mstl.data.checks.grids import (
    affine_is_lost,
    mask_grids,
    modality_grids,
    oblique_scans,
    obliquity,
    thick_slices,
)
from mstl.data.checks.pose import Fit, Pose
from mstl.data.grid import Grid
from tests.data.checks.conftest import GRID

OTHER = Grid((90, 120, 100), np.diag([1.5, 1.5, 1.5, 1.0]))


def fit(contrast: float) -> Fit:
    return Fit(Pose(), contrast, contrast, {})


def test_modalities_on_two_grids_are_a_warning_that_names_the_step(case, scan):
    (found,) = modality_grids(case(scans={"flair": scan(), "t1": scan(grid=OTHER)}))
    assert (found.level, found.role) == ("warning", "t1")
    assert "--steps coregister" in found.message


def test_a_mask_on_the_grid_of_any_modality_is_well(case):
    assert list(mask_grids(case())) == []


@pytest.mark.parametrize(
    ("stored", "resampled", "fixable"),
    [(None, 1.5, True), (1.5, 0.0, True), (0.1, 0.0, False), (0.7, 0.35, False)],
)
def test_a_mask_on_another_grid_can_be_mended_where_the_lesions_tell_how(case, mask, stored, resampled, fixable):
    fits = {"stored_fit": stored and fit(stored), "resampled_fit": fit(resampled)}
    (found,) = mask_grids(case(mask=mask(grid=OTHER, twins=(), **fits)))
    assert (found.level, found.rule, found.fixable) == ("error", "mask-grid", fixable)
    assert ("copy the scan's affine" in found.message) == (stored == 1.5)


def test_an_affine_is_lost_only_where_the_array_fits_and_the_affine_does_not():
    assert affine_is_lost(1.5, 0.0)
    assert not affine_is_lost(1.5, 1.4)
    assert not affine_is_lost(0.3, -9.0)


@pytest.mark.parametrize(
    ("overlaps", "fixable", "lost"),
    [((0.9, 0.1), True, True), ((0.0, 0.8), True, False), ((0.55, 0.2), False, False), ((0.1, 0.0), False, False)],
)
def test_a_brain_mask_on_another_grid_can_be_mended_where_the_head_tells_how(case, mask, overlaps, fixable, lost):
    (found,) = mask_grids(case(brain_mask=mask(grid=OTHER, twins=(), overlaps=overlaps)))
    assert (found.role, found.fixable, found.details["affine_is_lost"]) == ("brain_mask", fixable, lost)


def test_an_oblique_scan_is_noted_with_its_angle(case, scan):
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("x", 20, degrees=True).as_matrix() * 1.5
    grid = Grid((100, 120, 100), affine)
    assert obliquity(grid) == pytest.approx(20)
    (found,) = oblique_scans(case(scans={"t1": scan(grid=grid)}))
    assert found.level == "note"
    assert list(oblique_scans(case())) == []


def test_thick_slices_are_noted(case, scan):
    (found,) = thick_slices(case(scans={"t1": scan(grid=Grid((9, 9, 9), np.diag([1.0, 1, 5, 1])))}))
    assert "5 mm" in found.message
    assert list(thick_slices(case())) == []


@pytest.mark.parametrize(
    ("unread", "scans", "told"),
    [
        ({"flair": (OTHER,)}, ("t1",), False),
        ({"flair": (GRID, OTHER)}, ("t1", "t2"), False),
        ({"flair": (GRID,)}, ("t1",), True),
        ({"flair": ()}, ("t1",), False),
        ({"flair": ()}, ("t1", "t2"), True),
    ],
)
def test_a_mask_that_may_lie_on_a_scan_that_cannot_be_read_is_not_told(case, scan, mask, unread, scans, told):
    one = case(scans={role: scan() for role in scans}, mask=mask(grid=OTHER, twins=()), unread=unread)
    assert [found.rule for found in mask_grids(one)] == ["mask-grid"] * told
