"""Scans and masks of a case come into one world, masks with the scan that they were drawn on."""
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mstl.data.case import Case
from mstl.data.case_scans import CaseScans, coregister, find_brain, read_scans, without_bias
from mstl.data.grid import resample
from mstl.data.phantom import write_phantoms
from mstl.data.preparation import Preparation
from mstl.data.step_log import StepLog
from mstl.data.volume import Volume, read_volume, write_volume
from mstl.errors import InputError

BOTH = ("flair", "t1")


def preparation(**parameters) -> Preparation:
    return Preparation(modalities=BOTH, **parameters)


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Case:
    """A head that moved between two thick scans, each on its own grid; the masks lie on flair's."""
    folder = tmp_path_factory.mktemp("raw") / "scans"
    return write_phantoms(folder, subjects=1, scanner="quick-raw", modalities=BOTH, seed=5)[0]


@pytest.fixture(scope="module")
def together(raw):
    log = StepLog()
    return coregister(read_scans(raw, preparation(steps=("coregister",))), log), log.steps[0]


def crop(path) -> None:
    nib.save(nib.load(path).slicer[:, 1:, :], path)


def test_scans_on_several_grids_need_a_step_that_brings_them_together(raw):
    with pytest.raises(InputError, match=r"t1\.nii\.gz and .*flair\.nii\.gz lie .*--steps coregister"):
        read_scans(raw, preparation())
    for step in ("regrid", "coregister"):
        assert tuple(read_scans(raw, preparation(steps=(step,))).scans) == BOTH


@pytest.mark.parametrize("role", ["mask", "brain_mask"])
def test_a_mask_may_lie_on_the_grid_of_any_scan_of_its_case_and_of_no_other(tmp_path, make_case, role):
    case = make_case(tmp_path, "p")
    case = replace(case, brain_mask=case.mask)
    crop(case.images["t1"])
    other = tmp_path / "other.nii.gz"
    other.write_bytes(case.mask.read_bytes())
    crop(other)
    regrid = preparation(steps=("regrid",))
    assert read_scans(replace(case, **{role: other}), regrid).masks[role].shape == (24, 27, 20)
    crop(other)
    with pytest.raises(InputError, match=r"other\.nii\.gz does not share the grid .*--resample-masks"):
        read_scans(replace(case, **{role: other}), regrid)
    lenient = preparation(steps=("regrid",), resample_masks=True)
    assert read_scans(replace(case, **{role: other}), lenient).masks[role].shape == (24, 26, 20)


def test_coregistration_moves_affines_and_no_voxel(raw, together):
    before, (after, record) = read_scans(raw, preparation(steps=("coregister",))), together
    for modality in BOTH:
        assert_array_equal(after.scans[modality].data, before.scans[modality].data)
    assert_array_equal(after.reference.affine, before.reference.affine)
    matrix = np.array(record["scans"]["t1"]["matrix"])
    assert_allclose(after.scans["t1"].affine, matrix @ before.scans["t1"].affine)
    information = record["scans"]["t1"]["mutual_information"]
    assert information["after"] > 1.3 * information["before"]
    assert record["reference"] == "flair"


def test_a_mask_moves_with_the_scan_that_it_was_drawn_on(raw, together):
    t1 = read_volume(raw.images["t1"])
    flair = read_volume(raw.images["flair"])
    shift = np.eye(4)
    shift[:3, 3] = (8, 0, 0)
    moved = Volume(flair.data, shift @ flair.affine, flair.path)
    marks = {"mask": Volume(np.ones(t1.shape, np.uint8), t1.affine),
             "brain_mask": Volume(np.ones(moved.shape, np.uint8), moved.affine)}  # fmt: skip
    found = coregister(CaseScans({"t1": t1, "flair": moved}, marks), StepLog())
    assert_array_equal(found.masks["mask"].affine, t1.affine)
    assert_array_equal(found.masks["brain_mask"].affine, found.scans["flair"].affine)
    assert np.abs(found.scans["flair"].affine - moved.affine).max() > 4


def test_a_given_brain_mask_is_the_brain(raw, together):
    log = StepLog()
    brain = find_brain(together[0], preparation(), log)
    assert_array_equal(brain, read_volume(raw.brain_mask).data > 0)
    assert log.steps[0]["method"] == "given mask"
    assert log.steps[0]["ml"] == pytest.approx(brain.sum() * together[0].reference.grid.voxel_ml, rel=1e-3)


def test_without_a_mask_or_a_step_the_brain_is_what_is_not_background(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    brain = find_brain(read_scans(case, preparation()), preparation(), StepLog())
    inside = read_volume(case.images["flair"]).data > 5
    assert np.mean(brain == inside) > 0.99


def test_an_empty_brain_mask_is_an_error_that_names_it(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    case = replace(case, brain_mask=tmp_path / "brain.nii.gz")
    scan = read_volume(case.mask)
    write_volume(case.brain_mask, np.zeros_like(scan.data), scan.affine)
    with pytest.raises(InputError, match=r"No brain was found. Check .*brain\.nii\.gz"):
        find_brain(read_scans(case, preparation()), preparation(), StepLog())


def test_each_scan_loses_its_own_bias_on_its_own_grid(together):
    case, _ = together
    brain = case.masks["brain_mask"].data > 0
    log = StepLog()
    mended = without_bias(case, brain, log)
    assert [step["name"] for step in log.steps] == ["n4"]
    for modality, scan in mended.scans.items():
        assert scan.grid.difference(case.scans[modality].grid) is None
        inside = resample(brain.view(np.uint8), case.reference.grid, scan.grid, nearest=True) > 0
        assert 0 < np.std(np.log(scan.data[inside] + 1) - np.log(case.scans[modality].data[inside] + 1)) < 0.5
    assert mended.masks is case.masks
