"""Masks: values, emptiness, size, background and specks."""
import pytest

from mstl.data.checks.masks import (
    brain_masks_outside,
    empty_masks,
    large_masks,
    mask_values,
    masks_outside,
    specks,
)


@pytest.mark.parametrize(("kind", "fixable"), [("soft", True), ("scaled", True), ("other", False)])
def test_other_values_than_0_and_1_are_an_error_unless_asked_for(case, mask, kind, fixable):
    soft = case(mask=mask(kind=kind, values=(0.0, 0.3, 1.0)))
    (found,) = mask_values(soft)
    assert (found.level, found.rule, found.fixable) == ("error", f"{kind}-mask", fixable)
    assert [one.level for one in mask_values(soft, binarise=True)] == ["note"]


def test_an_empty_mask_is_a_warning_and_an_empty_brain_mask_an_error(case, mask):
    assert [one.level for one in empty_masks(case(mask=mask(voxels=0)))] == ["warning"]
    assert [one.level for one in empty_masks(case(brain_mask=mask(voxels=0)))] == ["error"]
    assert list(empty_masks(case(mask=None))) == []


def test_a_mask_as_large_as_the_brain_is_an_error(case, mask):
    assert [one.rule for one in large_masks(case(mask=mask(ml=1400.0)))] == ["large-mask"]
    assert list(large_masks(case(mask=mask(ml=200.0)))) == []


@pytest.mark.parametrize(("share", "levels"), [(0.05, []), (0.2, ["warning"]), (0.8, ["error"]), (None, [])])
def test_lesions_on_background_are_told_by_their_share(case, mask, share, levels):
    assert [one.level for one in masks_outside(case(mask=mask(outside=share)))] == levels


@pytest.mark.parametrize(("count", "levels"), [(0, []), (2, ["note"]), (8, ["warning"])])
def test_a_few_specks_are_noted_and_many_are_a_warning(case, mask, count, levels):
    assert [one.level for one in specks(case(mask=mask(specks=count)))] == levels


@pytest.mark.parametrize(("share", "levels"), [(0.2, []), (0.8, ["error"]), (None, [])])
def test_a_brain_mask_on_background_is_an_error(case, mask, share, levels):
    assert [one.level for one in brain_masks_outside(case(brain_mask=mask(outside=share)))] == levels
    assert list(brain_masks_outside(case())) == []
