"""Files that cannot be read: which rule they break, and what can safely be mended."""
import nibabel as nib
import numpy as np
import pytest

from mstl.data.checks.reading import (
    file_finding,
    forms_differ,
    header_findings,
    nan_outside_brain,
    possible_grids,
    right_form,
)
from mstl.data.grid import Grid
from mstl.data.volume import write_volume

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def scan(*, sform=None, qform=None) -> nib.Nifti1Image:
    image = nib.Nifti1Image(np.arange(120, dtype=np.int16).reshape(4, 5, 6), AFFINE)
    image.set_qform(AFFINE if qform is None else qform, code=1)
    image.set_sform(AFFINE if sform is None else sform, code=1)
    return image


def rule(tmp_path, image, name="x.nii.gz") -> tuple[str, bool]:
    nib.save(image, tmp_path / name)
    found = file_finding("a", "t1", tmp_path / name, "It is wrong.", grids=[])
    assert (found.level, found.message) == ("error", "It is wrong.")
    return found.rule, found.fixable


def test_each_fault_has_its_rule(tmp_path):
    flat = nib.Nifti1Image(np.full((4, 5, 6), 3, np.int16), AFFINE)
    four = nib.Nifti1Image(np.ones((4, 5, 6, 2), np.int16), AFFINE)
    assert rule(tmp_path, flat) == ("constant", False)
    assert rule(tmp_path, four) == ("four-d", False)
    assert file_finding("a", "t1", tmp_path / "none.nii", "", grids=[]).rule == "missing"
    (tmp_path / "text.nii.gz").write_text("no scan")
    assert file_finding("a", "t1", tmp_path / "text.nii.gz", "", grids=[]).rule == "unreadable"


def test_the_form_of_another_file_of_the_case_is_right():
    mirrored = AFFINE @ np.diag([-1, 1, 1, 1])
    image = scan(qform=mirrored)
    assert forms_differ(image)
    assert np.allclose(right_form(image, [Grid((4, 5, 6), AFFINE)]), AFFINE)
    assert np.allclose(right_form(image, [Grid((4, 5, 6), mirrored)]), mirrored)
    assert right_form(image, []) is None


@pytest.mark.parametrize("broken", [np.diag([2.0, 2.0, 9.0, 1.0]), AFFINE + 0.9 * np.eye(4, k=1)])
def test_a_form_whose_axes_are_wrong_is_not_sane(tmp_path, broken):
    broken[:3, 3] = 0
    image = scan(sform=broken)
    assert np.allclose(right_form(image, []), AFFINE, atol=1e-5)
    assert rule(tmp_path, image) == ("forms", True)


def test_forms_that_agree_or_stand_alone_do_not_differ():
    assert not forms_differ(scan())
    image = scan(qform=AFFINE @ np.diag([-1, 1, 1, 1]))
    image.set_qform(None, code=0)
    assert not forms_differ(image)


def test_nan_around_a_brain_is_told_from_nan_within():
    data = np.zeros((20, 20, 20), np.float32)
    data[5:15, 5:15, 5:15] = 100
    around, within = data.copy(), data.copy()
    around[data == 0] = np.nan
    within[10, 10, 10] = np.nan
    assert nan_outside_brain(around)
    assert not nan_outside_brain(within)
    assert not nan_outside_brain(np.full((3, 3, 3), np.nan))


def test_one_volume_in_4d_is_a_note_that_can_be_mended(tmp_path):
    nib.save(nib.Nifti1Image(np.ones((4, 5, 6, 1), np.int16), AFFINE), tmp_path / "x.nii")
    (found,) = header_findings("a", "t1", tmp_path / "x.nii")
    assert (found.rule, found.level, found.fixable) == ("one-volume", "note", True)
    nib.save(scan(), tmp_path / "y.nii")
    assert list(header_findings("a", "t1", tmp_path / "y.nii")) == []


def test_a_header_that_declares_more_than_the_file_holds_is_unreadable(tmp_path):
    image = scan(qform=AFFINE @ np.diag([-1, 1, 1, 1]))
    header = image.header.copy()
    header.set_data_shape((30000, 30000, 1000))
    content = header.binaryblock + b"\0" * 100
    (tmp_path / "x.nii").write_bytes(content)
    assert file_finding("a", "t1", tmp_path / "x.nii", "", grids=[]).rule == "unreadable"


def test_one_volume_of_several_and_other_formats_are_diagnosed_too(tmp_path):
    data = np.zeros((12, 12, 12, 2), np.float32)
    data[3:9, 3:9, 3:9] = 50
    data[0, 0, 0, 1] = np.nan
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "x.nii.gz")
    found = file_finding("a", "t1", tmp_path / "x.nii.gz#1", "", grids=[])
    assert (found.rule, found.fixable) == ("nan", True)
    write_volume(tmp_path / "x.nrrd", np.full((3, 4, 5), 2, np.int16), AFFINE)
    assert file_finding("a", "t1", tmp_path / "x.nrrd", "", grids=[]).rule == "constant"


def test_a_scan_without_position_and_one_volume_of_several_are_told_apart(tmp_path):
    bare = nib.Nifti1Image(np.ones((4, 5, 6, 2), np.float32), None)
    nib.save(bare, tmp_path / "bare.nii")
    assert [one.rule for one in header_findings("a", "t1", tmp_path / "bare.nii#1")] == ["no-position"]
    assert list(header_findings("a", "mask", tmp_path / "bare.nii#1")) == []


def test_the_message_names_the_file_shortly_and_says_why_it_cannot_be_mended(tmp_path):
    path, other = tmp_path / "x.nii.gz", AFFINE @ np.diag([-1, 1, 1, 1])
    nib.save(scan(qform=other), path)
    message = file_finding("a", "t1", path, f"{path} states two positions.", grids=[]).message
    assert message.startswith("x.nii.gz states two positions. --fix cannot: no other file of the case")
    assert "--fix" not in file_finding("a", "t1", path, "", grids=[Grid((4, 5, 6), other)]).message


def test_the_grids_that_an_unreadable_scan_may_lie_on(tmp_path):
    other = AFFINE @ np.diag([-1, 1, 1, 1])
    nib.save(scan(qform=other), tmp_path / "two.nii.gz")
    assert [np.allclose(grid.affine, one) for grid, one in
            zip(possible_grids(tmp_path / "two.nii.gz"), (AFFINE, other), strict=True)] == [True, True]  # fmt: skip
    write_volume(tmp_path / "flat.nii.gz", np.full((4, 5, 6), 3, np.int16), AFFINE)
    (known,) = possible_grids(tmp_path / "flat.nii.gz")
    assert known.difference(Grid((4, 5, 6), AFFINE)) is None
    (tmp_path / "text.nii.gz").write_text("no scan")
    assert possible_grids(tmp_path / "text.nii.gz") == possible_grids(tmp_path / "none.nii.gz") == ()
