import nibabel as nib
import numpy as np
import pytest

from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.indexing import index_scans
from mstl.data.volume import read_mask, read_volume, write_volume
from mstl.errors import InputError
from mstl.evaluation.agreement import rater_agreement
from mstl.evaluation.pooled import pooled_path, read_pooled
from mstl.evaluation.scores import read_scores, score_case
from tests.trees import plant

PATIENTS = ("01016SACH", "01038PAGU", "01039VITE")


@pytest.fixture
def tree(tmp_path):
    """Two patients with masks by three raters, of the first a consensus; one patient with a single mask."""
    for patient in PATIENTS:
        plant(tmp_path / patient / "3DFLAIR.nii", "flair")
        for rater in (1,) if patient == PATIENTS[2] else (1, 2, 3):
            plant(mask(tmp_path, patient, rater), "mask", seed=rater - 1)
    plant(tmp_path / PATIENTS[0] / "Consensus.nii", "mask", seed=1)
    return tmp_path


def mask(root, patient, rater):
    return root / patient / f"ManualSegmentation_{rater}.nii"


def agreement(root, **options):
    with pytest.warns(UserWarning, match="by both raters, left out"):
        return rater_agreement(index_scans(root, layout="msseg2016"), **options)


def test_the_second_rater_is_scored_against_the_first_where_both_marked(tree):
    told = []
    found = agreement(tree, progress=told.append)
    assert found.raters == ("1", "2")
    assert found.scores["case"].tolist() == told == list(PATIENTS[:2])
    one, other = (read_mask(mask(tree, PATIENTS[0], rater)) for rater in (1, 2))
    expected = score_case(other.data, one.data, spacing=one.spacing)
    assert found.scores.iloc[0][list(expected)].to_dict() == pytest.approx(expected, nan_ok=True)
    assert 0 < expected["dice"] < 1


def test_raters_are_chosen_and_a_consensus_only_by_name(tree):
    assert agreement(tree, raters=("1", "3")).scores["dice"][0] < agreement(tree).scores["dice"][0]
    against = agreement(tree, raters=("consensus", "2"))
    assert against.scores["dice"].tolist() == [1]


def test_exchanged_raters_have_the_same_dice_and_exchange_the_others(tree):
    one, other = (agreement(tree, raters=raters).scores for raters in (("1", "3"), ("3", "1")))
    for column in ("dice", "iou", "lesion_f1", "hausdorff95_mm", "surface_distance_mm"):
        assert one[column].tolist() == pytest.approx(other[column].tolist(), nan_ok=True)
    assert one["precision"].tolist() == pytest.approx(other["sensitivity"].tolist())


def test_pooled_scores_are_of_all_voxels_together(tree):
    found = agreement(tree)
    sums = np.zeros(3)
    for patient in PATIENTS[:2]:
        one, other = (read_mask(mask(tree, patient, rater)).data > 0 for rater in (1, 2))
        sums += (one & other).sum(), one.sum(), other.sum()
    assert found.pooled["subject"].tolist() == ["", *PATIENTS[:2]]
    assert found.pooled["dice_1"][0] == pytest.approx(2 * sums[0] / (sums[1] + sums[2]))


def test_cases_that_both_left_empty_are_counted_apart(tree):
    for rater in (1, 2):
        volume = read_volume(mask(tree, PATIENTS[0], rater))
        write_volume(mask(tree, PATIENTS[0], rater), np.zeros(volume.shape, np.uint8), volume.affine)
    found = agreement(tree)
    assert found.scores["dice"][0] == 1
    assert found.marked["case"].tolist() == [PATIENTS[1]]


def test_tables_are_written_with_the_raters_named(tree):
    found = agreement(tree, raters=("1", "3"), out=tree / "agreement.csv")
    assert "by rater 3 (prediction) scored against those by rater 1" in (tree / "agreement.csv").read_text("utf-8")
    assert read_scores(tree / "agreement.csv")["dice"].tolist() == pytest.approx(found.scores["dice"].tolist())
    assert read_pooled(pooled_path(tree / "agreement.csv"))["mdice"][0] == pytest.approx(found.pooled["mdice"][0])


def test_classes_are_pooled_each_and_merged_for_the_scores(tree):
    for patient in PATIENTS[:2]:
        for rater in (1, 2):
            volume = read_volume(mask(tree, patient, rater))
            labels = np.where(np.arange(volume.shape[0])[:, None, None] % 2, 2, 1) * (volume.data > 0)
            write_volume(mask(tree, patient, rater), labels.astype(np.uint8), volume.affine)
    found = agreement(tree, labels=(1, 2))
    assert {"dice_1", "dice_2"} <= set(found.pooled)
    one, other = (read_mask(mask(tree, PATIENTS[0], rater), labels=(1, 2)).data == 1 for rater in (1, 2))
    assert found.pooled["dice_1"][1] == pytest.approx(2 * (one & other).sum() / (one.sum() + other.sum()))
    merged = agreement(tree, binarise_masks=True)
    assert merged.scores["dice"].tolist() == found.scores["dice"].tolist()


@pytest.mark.parametrize(
    ("raters", "message"),
    [
        (("1", "9"), r"No mask by rater '9' is here\. There are masks by 1, 2, 3, consensus\."),
        (("1",), "Raters are 1; two different ones are expected"),
        (("2", "2"), "Raters are 2, 2; two different ones"),
    ],
)
def test_raters_that_are_not_two_of_those_here_are_errors(tree, raters, message):
    with pytest.raises(InputError, match=message):
        rater_agreement(index_scans(tree, layout="msseg2016"), raters=raters)


def test_a_tree_of_one_rater_is_an_error(tree):
    index = index_scans(tree / PATIENTS[2], layout="msseg2016")
    with pytest.raises(InputError, match=r"needs masks by two raters\. There are masks by 1\."):
        rater_agreement(index)


def test_raters_without_a_common_case_are_an_error(tree):
    mask(tree, PATIENTS[1], 2).unlink()
    mask(tree, PATIENTS[0], 1).unlink()
    mask(tree, PATIENTS[2], 1).rename(mask(tree, PATIENTS[2], 2))
    with pytest.raises(InputError, match="No case has masks by both raters, 1 and 2"):
        rater_agreement(index_scans(tree, layout="msseg2016"))


def test_masks_on_different_grids_are_an_error_that_names_the_case(tree):
    path = mask(tree, PATIENTS[0], 2)
    image = nib.load(path, mmap=False)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[1:], image.affine), path)
    with pytest.raises(InputError, match=r"Case 01016SACH: .*ManualSegmentation_2.*different grids"), pytest.warns():
        rater_agreement(index_scans(tree, layout="msseg2016"))


def test_pictures_are_compared_too_in_pixels(tmp_path):
    for folder, corner in (("image", 0), ("fluid_1", 2), ("fluid_2", 4)):
        data = np.full((16, 20), 9 if folder == "image" else 0, np.uint8)
        data[corner : corner + 4, 2:7] = 1
        write_volume(tmp_path / folder / "img_0.png", data[..., None], PICTURE_AFFINE)
    found = rater_agreement(index_scans(tmp_path, layout="oct-dme"), out=tmp_path / "agreement.csv")
    assert found.pictures
    assert found.scores[["dice", "hausdorff95_mm"]].iloc[0].tolist() == [0.5, 2]
    assert "1000 pixels are 1 ml" in (tmp_path / "agreement.csv").read_text("utf-8")
