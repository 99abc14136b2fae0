"""The checks find what was planted, name the file, and find nothing where all is well."""
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mstl.data.check import check_cohort
from mstl.data.cohort import Cohort
from mstl.data.volume import read_volume, write_volume


def rewrite(path, change) -> None:
    volume = read_volume(path, allow_constant=True)
    write_volume(path, change(np.array(volume.data)), volume.affine)


def truncate(path) -> None:
    path.write_bytes(path.read_bytes()[:-500])


def turn_qform(path) -> None:
    image = nib.load(path)
    image.set_qform(image.affine @ np.diag([-1, 1, 1, 1]), code=1)
    nib.save(image, path)


def into_4d(path) -> None:
    image = nib.load(path)
    nib.save(nib.Nifti1Image(np.stack([np.asarray(image.dataobj)] * 2, axis=-1), image.affine), path)


def crop(path) -> None:
    nib.save(nib.load(path).slicer[:, 1:, :], path)


def with_nan(data: np.ndarray) -> np.ndarray:
    data = data.astype(np.float32)
    data[3, 4, 5] = np.nan
    return data


FAULTS = {
    "missing": ("flair", lambda path: path.unlink(), "does not exist"),
    "truncated": ("flair", truncate, "truncated or damaged"),
    "4D": ("t1", into_4d, "a 3D volume is expected"),
    "grid of a scan": ("t1", crop, "lie on different grids"),
    "grid of the mask": ("mask", crop, "lie on different grids"),
    "forms": ("t1", turn_qform, "sform and qform differ by 2 mm"),
    "nan": ("t1", lambda path: rewrite(path, with_nan), "1 NaN or infinite voxels"),
    "zero": ("flair", lambda path: rewrite(path, np.zeros_like), "is 0.0 everywhere"),
    "labels": ("mask", lambda path: rewrite(path, lambda data: data * 3), "only 0 and 1 are expected"),
}


def test_nothing_is_found_in_clean_data(tiny_cohort):
    seen = []
    assert check_cohort(tiny_cohort, progress=seen.append) == []
    assert seen == ["ras", "pil", "oblique"]


def test_nothing_is_found_in_the_real_scans(shared):
    cohort = Cohort.from_layout(shared / "data" / "open_ms_data", layout="open-ms")
    assert check_cohort(cohort) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found_with_its_file(tmp_path, make_case, fault):
    role, plant, message = FAULTS[fault]
    cases = [make_case(tmp_path, "good"), make_case(tmp_path, "bad")]
    plant(cases[1].files[role])
    (finding,) = check_cohort(Cohort(cases))
    assert (finding.case, finding.role) == ("bad", role)
    assert str(cases[1].files[role]) in finding.message
    assert message in finding.message
    assert "\n" not in finding.message


def test_all_that_is_wrong_is_found_in_one_go(tmp_path, make_case):
    cases = [make_case(tmp_path, "a"), make_case(tmp_path, "b")]
    truncate(cases[0].images["flair"])
    rewrite(cases[0].mask, lambda data: data * 3)
    crop(cases[1].images["t1"])
    cases[1].mask.unlink()
    found = [(finding.case, finding.role) for finding in check_cohort(Cohort(cases))]
    assert found == [("a", "flair"), ("a", "mask"), ("b", "t1"), ("b", "mask")]


def test_a_brain_mask_may_be_soft_but_not_empty(tmp_path, make_case):
    case = make_case(tmp_path, "a")
    case = replace(case, brain_mask=tmp_path / "brain.nii.gz")
    affine = read_volume(case.mask).affine
    write_volume(case.brain_mask, np.full((24, 28, 20), 0.9, np.float32), affine)
    assert check_cohort(Cohort([case])) == []
    write_volume(case.brain_mask, np.full((24, 28, 20), 0.4, np.float32), affine)
    (finding,) = check_cohort(Cohort([case]))
    assert finding.role == "brain_mask"
    assert "brain.nii.gz is empty" in finding.message


def test_a_mask_without_lesions_is_no_fault(tmp_path, make_case):
    case = make_case(tmp_path, "a")
    rewrite(case.mask, np.zeros_like)
    assert check_cohort(Cohort([case])) == []
