"""Placement: only a pose that clearly fits better is told, in words of the patient's body."""
import numpy as np
import pytest

from mstl.data.checks.placement import displaced_masks, foreign_masks
from mstl.data.checks.pose import Fit, Pose
from mstl.data.grid import Grid


def fit(pose: Pose, contrast: float, as_is: float, **contrasts) -> Fit:
    return Fit(pose, contrast, as_is, {"flair": as_is, **contrasts})


@pytest.mark.parametrize(("pose", "rule", "words"), [
    (Pose(flips=(0,)), "mirrored-mask", "mirrored left-right"),
    (Pose(flips=(0, 2)), "mirrored-mask", "left-right and top-bottom"),
    (Pose(order=(1, 0, 2)), "turned-mask", "axes exchanged"),
    (Pose(shift=(4, 0, -2)), "shifted-mask", "6 mm towards right, 3 mm towards bottom"),
])  # fmt: skip
def test_a_clear_gain_is_an_error_in_words(case, mask, pose, rule, words):
    (found,) = displaced_masks(case(mask=mask(fit=fit(pose, 1.8, 0.0))))
    assert (found.level, found.rule) == ("error", rule)
    assert words in found.message


def test_the_world_is_named_whatever_the_arrays_axes(case, mask):
    grid = Grid((100, 100, 100), np.array([[0, 0, -1.5, 0], [1.5, 0, 0, 0], [0, 1.5, 0, 0], [0, 0, 0, 1]]))
    (found,) = displaced_masks(case(mask=mask(grid=grid, fit=fit(Pose(flips=(2,)), 1.8, 0.0))))
    assert "left-right" in found.message


@pytest.mark.parametrize("unclear", [
    fit(Pose(flips=(0,)), 1.2, 1.0), fit(Pose(flips=(0,)), 0.5, -0.2), fit(Pose(shift=(1, 0, 0)), 1.8, 0.0),
    fit(Pose(shift=(4, 0, 0)), 2.0, 1.5),
])  # fmt: skip
def test_an_unclear_gain_is_nothing(case, mask, unclear):
    assert list(displaced_masks(case(mask=mask(fit=unclear)))) == []


def test_few_voxels_or_no_flair_make_a_warning(case, mask):
    mirrored = fit(Pose(flips=(0,)), 1.8, 0.0)
    assert [one.level for one in displaced_masks(case(mask=mask(fit=mirrored, voxels=50)))] == ["warning"]
    other = Fit(Pose(flips=(0,)), 1.8, 0.0, {"t2": 0.0})
    assert [one.level for one in displaced_masks(case(mask=mask(fit=other)))] == ["warning"]


def test_exchanged_modalities_are_not_taken_for_a_displaced_mask(case, mask):
    exchanged = fit(Pose(flips=(0,)), 1.8, -0.8, t1=-2.0)
    assert list(displaced_masks(case(mask=mask(fit=exchanged)))) == []
    assert list(foreign_masks(case(mask=mask(fit=exchanged)))) == []


def test_a_mask_without_contrast_anywhere_may_be_another_patients(case, mask):
    (found,) = foreign_masks(case(mask=mask(fit=fit(Pose(), 0.1, 0.0))))
    assert (found.level, found.rule) == ("warning", "foreign-mask")
    assert list(foreign_masks(case(mask=mask(fit=fit(Pose(), 1.0, 1.0))))) == []
    assert list(foreign_masks(case(mask=mask(fit=None)))) == []
