"""Masks of several raters become files beside the cohort."""
import nibabel as nib
import numpy as np
import pytest

from mstl.data.consensus import write_consensus
from mstl.data.indexing import index_scans
from mstl.data.volume import read_mask, read_volume
from mstl.errors import InputError
from tests.trees import plant


@pytest.fixture
def tree(tmp_path):
    """Two patients with three raters' masks, one with a single one, one with none; a consensus that must not vote."""
    for patient in ("01016SACH", "01038PAGU", "01039VITE", "01040VANE"):
        plant(tmp_path / patient / "3DFLAIR.nii", "flair")
    for patient, raters in (("01016SACH", 3), ("01038PAGU", 3), ("01039VITE", 1)):
        for rater in range(raters):
            plant(tmp_path / patient / f"ManualSegmentation_{rater + 1}.nii", "mask", seed=rater)
    plant(tmp_path / "01016SACH" / "Consensus.nii", "mask", seed=9)
    return tmp_path


@pytest.mark.parametrize("rule", ["majority", "staple"])
def test_a_mask_is_written_for_each_case_of_several_raters(tree, rule):
    seen = []
    index = index_scans(tree, layout="msseg2016", rater=rule)
    with pytest.warns(UserWarning, match=r"a single mask, kept as it is: 1 \(01039VITE"):
        cohort = write_consensus(index, tree / "masks", rule=rule, progress=seen.append)
    assert seen == ["01016SACH", "01038PAGU", "01039VITE", "01040VANE"]
    assert sorted(path.name for path in (tree / "masks").iterdir()) == [
        f"01016SACH_{rule}.nii.gz", f"01038PAGU_{rule}.nii.gz"
    ]
    assert [case.mask and case.mask.name for case in cohort] == [
        f"01016SACH_{rule}.nii.gz", f"01038PAGU_{rule}.nii.gz", "ManualSegmentation_1.nii", None
    ]
    for case in cohort[:2]:
        assert read_mask(case.mask).grid.difference(read_volume(case.images["flair"]).grid) is None


def test_a_consensus_is_no_vote(tree):
    index = index_scans(tree / "01016SACH", layout="msseg2016", rater="majority")
    mask = read_mask(write_consensus(index, tree / "masks", rule="majority")[0].mask)
    votes = sum(read_mask(tree / "01016SACH" / f"ManualSegmentation_{n}.nii").data.astype(int) for n in (1, 2, 3))
    assert np.array_equal(mask.data, votes >= 2)


def test_masks_on_different_grids_are_an_error_that_names_the_case_and_both(tree):
    path = tree / "01016SACH" / "ManualSegmentation_2.nii"
    image = nib.load(path, mmap=False)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[1:], image.affine), path)
    index = index_scans(tree, layout="msseg2016", rater="majority")
    with pytest.raises(InputError, match=r"Case 01016SACH: .*ManualSegmentation_2.*different grids"), pytest.warns():
        write_consensus(index, tree / "masks", rule="majority")
    assert not (tree / "masks").exists()


def test_a_rule_that_has_no_raters_or_is_unknown_is_an_error(tree):
    index = index_scans(tree / "01039VITE", layout="msseg2016")
    with pytest.raises(InputError, match="No case has masks by two raters, which staple needs"):
        write_consensus(index, tree / "masks", rule="staple")
    with pytest.raises(InputError, match=r"Rule 'mean' is unknown\. Use majority or staple"):
        write_consensus(index, tree / "masks", rule="mean")
