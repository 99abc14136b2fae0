"""What is safe to mend is mended in a copy; the originals stay, and the copy passes the doctor."""
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from mstl.data.check import check_cohort
from mstl.data.cohort import Cohort
from mstl.data.mend import mend_cohort
from mstl.data.volume import read_mask, read_volume
from mstl.errors import InputError
from mstl.files import sha256
from tests.corpus import FAULTS, copy_case, write_case

FIXABLE = [name for name, fault in FAULTS.items() if fault.fixable]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("sound"), "sound", seed=1)


def planted(case, folder, *names):
    case = copy_case(case, folder)
    for name in names:
        FAULTS[name].plant(case, case)
    return Cohort([case])


@pytest.mark.parametrize("name", FIXABLE)
def test_the_mended_copy_has_the_fault_no_more(tmp_path, sound, name):
    cohort = planted(sound, tmp_path / "bad", name)
    before = {role: sha256(path) for role, path in cohort[0].files.items()}
    mended, fixes = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert [(fix.rule, fix.role) for fix in fixes] == [(FAULTS[name].rule, FAULTS[name].role)]
    assert {finding.level for finding in check_cohort(mended)} <= {"note"}
    assert FAULTS[name].rule not in {finding.rule for finding in check_cohort(mended)}
    assert {role: sha256(path) for role, path in cohort[0].files.items()} == before


def test_a_mended_mask_is_the_sound_one(tmp_path, sound):
    for name in ("a mask without affine", "a mask of 0 and 255", "a cropped mask"):
        cohort = planted(sound, tmp_path / name, name)
        mended, _ = mend_cohort(cohort, check_cohort(cohort), tmp_path / f"{name} mended")
        mask, truth = read_mask(mended[0].mask), read_mask(sound.mask)
        assert mask.grid.difference(truth.grid) is None
        assert np.array_equal(mask.data, truth.data)


def test_a_brain_mask_that_lost_its_affine_gets_that_of_the_scan(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "a brain mask without affine")
    mended, (fix,) = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert fix.done == "gave the array the affine of flair"
    mask, truth = read_mask(mended[0].brain_mask), read_mask(sound.brain_mask)
    assert mask.grid.difference(truth.grid) is None
    assert np.array_equal(mask.data, truth.data)


def test_the_form_that_the_other_scans_share_is_kept(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "a qform that mirrors")
    mended, (fix,) = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert "sform" in fix.done
    image = nib.load(mended[0].images["t1"])
    assert np.allclose(image.get_qform(), read_volume(sound.images["t1"]).affine, atol=1e-4)


def test_two_faults_of_one_file_are_mended_together(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "a mask of 0 and 255", "a cropped mask")
    mended, fixes = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert [fix.rule for fix in fixes] == ["scaled-mask", "mask-grid"]
    assert np.array_equal(read_mask(mended[0].mask).data, read_mask(sound.mask).data)


def test_what_is_not_safe_stays_as_it_is(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "NaN in the brain", "a mask of labels")
    mended, fixes = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert fixes == []
    assert mended[0].files == cohort[0].files


def test_sound_files_are_referred_to_and_the_copy_can_be_read_back(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "a mask of 0 and 255")
    _, fixes = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    again = Cohort.from_csv(tmp_path / "mended" / "cohort.csv")[0]
    assert again.images == cohort[0].images
    assert again.mask == tmp_path / "mended" / "sound" / "mask.nii.gz"
    assert json.loads((tmp_path / "mended" / "fixes.json").read_text())["fixes"][0]["path"] == fixes[0].path


def test_a_folder_that_holds_something_is_refused(tmp_path, sound):
    (tmp_path / "mended").mkdir()
    (tmp_path / "mended" / "x").touch()
    with pytest.raises(InputError, match="not empty"):
        mend_cohort(Cohort([sound]), [], tmp_path / "mended")


def test_one_volume_of_several_is_mended_into_a_file_of_its_own(tmp_path, sound):
    case = copy_case(sound, tmp_path / "bad")
    image = nib.load(case.mask)
    data = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(np.stack([data * 0, data * 255], axis=-1), image.affine), case.mask)
    cohort = Cohort([replace(case, mask=case.mask.with_name("mask.nii.gz#1"))])
    mended, (fix,) = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert fix.rule == "scaled-mask"
    assert np.array_equal(read_mask(mended[0].mask).data, data)


def test_a_mask_is_brought_to_the_scan_that_could_be_read(tmp_path, sound):
    cohort = planted(sound, tmp_path / "bad", "a cropped mask")
    flair = cohort[0].images["flair"]
    flair.write_bytes(flair.read_bytes()[:100])
    mended, fixes = mend_cohort(cohort, check_cohort(cohort), tmp_path / "mended")
    assert [fix.done for fix in fixes] == ["resampled to the grid of t1, nearest neighbour"]
    assert np.array_equal(read_mask(mended[0].mask).data, read_mask(sound.mask).data)
