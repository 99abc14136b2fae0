"""The trees of public sets of multiple sclerosis, in miniature: what is found, and what every file is."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.indexing import Index, index_scans
from mstl.data.volume import read_volume
from tests.trees import grow, plant

PARTS = ("FLAIR", "T1", "T2", "GADO", "DP")


def files(index: Index, root: Path) -> dict[str, dict[str, str]]:
    return {
        case.name: {column: path.relative_to(root).as_posix() for column, path in case.files.items()}
        for case in index.cases
    }


def reasons(index: Index) -> dict[str, str]:
    return {item.path.name: item.reason for item in index.left_out}


def grow_msseg(root: Path, patient: str, *, suffix: str = ".nii.gz") -> None:
    grow(root, *(f"{patient}/Preprocessed_Data/{name}_preprocessed{suffix}" for name in PARTS))
    grow(root, *(f"{patient}/Raw_Data/{name}{suffix}" for name in PARTS))
    grow(root, *(f"{patient}/Masks/{name}{suffix}" for name in ("Consensus", "Brain_Mask")))
    grow(root, *(f"{patient}/Masks/ManualSegmentation_{number}{suffix}" for number in range(1, 8)))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_msseg_2016_gives_preprocessed_images_and_the_consensus(tmp_path, suffix):
    grow_msseg(tmp_path, "MSSEG-Training/Training/Center_01/Patient_01", suffix=suffix)
    index = index_scans(tmp_path, layout="msseg2016")
    patient = "MSSEG-Training/Training/Center_01/Patient_01"
    assert files(index, tmp_path) == {
        "Training_Center_01_Patient_01": {
            "flair": f"{patient}/Preprocessed_Data/FLAIR_preprocessed{suffix}",
            "t1": f"{patient}/Preprocessed_Data/T1_preprocessed{suffix}",
            "t1ce": f"{patient}/Preprocessed_Data/GADO_preprocessed{suffix}",
            "t2": f"{patient}/Preprocessed_Data/T2_preprocessed{suffix}",
            "mask": f"{patient}/Masks/Consensus{suffix}",
            "brain_mask": f"{patient}/Masks/Brain_Mask{suffix}",
        }
    }
    assert len(index.raters["Training_Center_01_Patient_01"]) == 8
    assert "another modality" in reasons(index)[f"DP_preprocessed{suffix}"]
    assert reasons(index)[f"FLAIR{suffix}"] == "belongs to variant raw"


@pytest.mark.parametrize("start", ["MSSEG/Testing", "MSSEG/Testing/Center_03", "MSSEG/Testing/Center_03/Patient_02"])
def test_a_patient_of_msseg_has_one_name_from_whichever_folder_it_is_read(tmp_path, start):
    grow_msseg(tmp_path, "MSSEG/Testing/Center_03/Patient_02")
    index = index_scans(tmp_path / start, layout="msseg2016", variant="RAW", rater="3")
    assert [case.name for case in index.cases] == ["Testing_Center_03_Patient_02"]
    assert index.cases[0].images["flair"].name == "FLAIR.nii.gz"
    assert index.cases[0].mask.name == "ManualSegmentation_3.nii.gz"


def test_equal_patient_numbers_of_two_parts_of_msseg_are_two_subjects(tmp_path):
    for part in ("Training", "Testing"):
        grow_msseg(tmp_path, f"{part}/Center_01/Patient_01")
    assert len({case.subject for case in index_scans(tmp_path, layout="msseg2016").cases}) == 2


def test_the_first_release_of_msseg_is_known_by_its_patients_codes(tmp_path):
    grow(tmp_path, *(f"TrainingDataset_MSSEG/01016SACH/{name}.nii.gz" for name in
                     ("3DFLAIR", "3DT1", "3DT1GADO", "T2", "DP", "Consensus", "ManualSegmentation_1")))  # fmt: skip
    grow(tmp_path, "test/01045BRPO_1/3DFLAIR.nii.gz", "pre/01016SACH/FLAIR_preprocessed.nii.gz")
    index = index_scans(tmp_path, layout="msseg2016", variant="raw")
    assert [case.name for case in index.cases] == ["01016SACH", "01045BRPO_1"]
    assert index.cases[0].modalities == ("flair", "t1", "t1ce", "t2")
    assert index.cases[0].mask.name == "Consensus.nii.gz"
    pre = index_scans(tmp_path, layout="msseg2016").cases
    assert [(case.name, case.mask.name) for case in pre] == [("01016SACH", "Consensus.nii.gz")]


def grow_isbi(root: Path, subject: str, *visits: str, masks: bool = True) -> None:
    for visit in visits:
        name = f"{subject}_{visit}"
        grow(root, *(f"{subject}/preprocessed/{name}_{what}_pp.nii" for what in ("flair", "mprage", "t2", "pd")))
        grow(root, *(f"{subject}/orig/{name}_{what}.nii.gz" for what in ("flair", "mprage", "t2", "pd")))
        if masks:
            grow(root, *(f"{subject}/masks/{name}_mask{rater}.nii" for rater in (1, 2)))


def test_isbi_2015_keeps_the_time_points_of_a_subject(tmp_path):
    grow_isbi(tmp_path / "training", "training01", "01", "02", "03")
    grow_isbi(tmp_path / "testdata_website", "test01", "01", masks=False)
    index = index_scans(tmp_path, layout="isbi2015")
    assert [(case.subject, case.session) for case in index.cases] == [
        ("test01", "01"), ("training01", "01"), ("training01", "02"), ("training01", "03"),
    ]  # fmt: skip
    assert index.cases[0].mask is None
    assert index.cases[1].images["t1"].name == "training01_01_mprage_pp.nii"
    assert index.cases[1].mask.name == "training01_01_mask1.nii"
    assert any("Rater 1's mask is taken; there are also masks by rater 2" in note for note in index.notes)


def test_raw_images_of_isbi_go_without_the_masks_that_lie_on_another_grid(tmp_path):
    grow_isbi(tmp_path, "training01", "01")
    index = index_scans(tmp_path, layout="isbi2015", variant="raw")
    assert index.cases[0].images["t2"].name == "training01_01_t2.nii.gz"
    assert index.cases[0].mask is None
    assert reasons(index)["training01_01_mask1.nii"] == "belongs to variant preprocessed"


def plant_miccai(root: Path) -> None:
    for column in ("flair", "t1", "t2"):
        name = "FLAIR" if column == "flair" else column.upper()
        plant(root / f"CHB_train_Part1/CHB_train_Case01/CHB_train_Case01_{name}.nhdr", column)
        plant(root / f"UNC_train_Part1/UNC_train_Case01/UNC_train_Case01_{name}.nhdr", column)
        plant(root / f"UNC_test1_Part1/UNC_test1_Case01/UNC_test1_Case01_{name}.nhdr", column)
    for place in ("CHB", "UNC"):
        plant(root / f"{place}_train_Part1/{place}_train_Case01/{place}_train_Case01_lesion.nhdr", "mask")
    plant(root / "UNC_train_lesion_byCHB/UNC_train_Case01/UNC_train_Case01_lesion_byCHB.nhdr", "mask")


def test_miccai_2008_is_read_from_pairs_of_header_and_raw_data(tmp_path):
    plant_miccai(tmp_path)
    index = index_scans(tmp_path, layout="miccai2008")
    by_name = {case.name: case for case in index.cases}
    assert list(by_name) == ["CHB_train_Case01", "UNC_test1_Case01", "UNC_train_Case01"]
    assert by_name["UNC_test1_Case01"].mask is None
    assert by_name["UNC_train_Case01"].mask.name == "UNC_train_Case01_lesion.nhdr"
    assert set(index.raters["UNC_train_Case01"]) == {"1", "2"}
    flair, mask = (read_volume(by_name["CHB_train_Case01"].files[column]) for column in ("flair", "mask"))
    assert flair.shape == mask.shape
    assert np.allclose(flair.affine, mask.affine)
    assert mask.data.any()


def test_the_second_rater_of_miccai_2008_is_chosen_by_number(tmp_path):
    plant_miccai(tmp_path)
    index = index_scans(tmp_path, layout="miccai2008", rater="2")
    masks = {case.name: case.mask for case in index.cases}
    assert masks["UNC_train_Case01"].name == "UNC_train_Case01_lesion_byCHB.nhdr"
    assert masks["CHB_train_Case01"] is None
    assert "Cases whose masks are by others than rater 2, left without: 1." in index.notes


OPEN = "cross_sectional"
MNI = "N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"


def grow_open_ms(root: Path) -> None:
    grow(root, *(f"{OPEN}/MNI/patient01/{name}_{MNI}" for name in ("FLAIR", "T1", "T1POST", "T2", "GOLD_STANDARD")))
    images = ("FLAIR", "T1W", "T1WKS", "T2W")
    for tree in ("coregistered", "coregistered_resampled", "raw"):
        grow(root, *(f"{OPEN}/{tree}/patient01/{name}.nii.gz" for name in (*images, "consensus_gt")))
        grow(root, *(f"{OPEN}/{tree}/patient02/patient02_{name}.nii.gz" for name in (*images, "consensus_gt")))
    for tree in ("coregistered", "coregistered_resampled"):
        grow(root, f"{OPEN}/{tree}/patient01/brainmask.nii.gz", f"{OPEN}/{tree}/patient02/patient02_brainmask.nii.gz")
    for study in ("study1", "study2"):
        for tree in ("coregistered", "raw"):
            grow(root, *(f"longitudinal/{tree}/patient01/{study}_{name}.nii.gz" for name in ("FLAIR", "T1W", "T2W")))
    grow(root, "longitudinal/coregistered/patient01/gt.nii.gz", "longitudinal/coregistered/patient01/brainmask.nii.gz")


@pytest.mark.parametrize(
    ("variant", "folder", "brain"),
    [
        ("coregistered", "coregistered", "coregistered"),
        ("coregistered_resampled", "coregistered_resampled", "coregistered_resampled"),
        ("raw", "raw", "coregistered"),
    ],
)
def test_each_tree_of_open_ms_has_its_own_files(tmp_path, variant, folder, brain):
    grow_open_ms(tmp_path)
    found = files(index_scans(tmp_path, layout="open-ms", variant=variant), tmp_path)
    for case, prefix in (("patient01", ""), ("patient02", "patient02_")):
        assert found[case] == {
            "flair": f"{OPEN}/{folder}/{case}/{prefix}FLAIR.nii.gz",
            "t1": f"{OPEN}/{folder}/{case}/{prefix}T1W.nii.gz",
            "t1ce": f"{OPEN}/{folder}/{case}/{prefix}T1WKS.nii.gz",
            "t2": f"{OPEN}/{folder}/{case}/{prefix}T2W.nii.gz",
            "mask": f"{OPEN}/{folder}/{case}/{prefix}consensus_gt.nii.gz",
            "brain_mask": f"{OPEN}/{brain}/{case}/{prefix}brainmask.nii.gz",
        }


def test_of_several_trees_of_open_ms_the_one_in_mni_space_is_taken_and_the_others_are_told(tmp_path):
    grow_open_ms(tmp_path)
    index = index_scans(tmp_path, layout="open-ms")
    assert [case.images["flair"].parent.parent.name for case in index.cases] == ["MNI"]
    assert index.notes == (
        "The images of variant MNI are taken; there are also coregistered_resampled, coregistered, raw, "
        "longitudinal-coregistered, longitudinal-raw (choose with --variant).",
    )


@pytest.mark.parametrize("tree", ["MNI", "raw", "coregistered", "coregistered_resampled"])
def test_a_tree_of_open_ms_is_chosen_by_giving_its_folder(tmp_path, tree):
    grow_open_ms(tmp_path)
    index = index_scans(tmp_path / OPEN / tree, layout="open-ms")
    assert {case.images["t1"].parent.parent.name for case in index.cases} == {tree}
    assert index.notes == ()


def test_both_studies_of_a_patient_of_open_ms_share_one_brain_mask_and_have_no_lesion_mask(tmp_path):
    grow_open_ms(tmp_path)
    index = index_scans(tmp_path / "longitudinal", layout="open-ms")
    assert [(case.subject, case.session) for case in index.cases] == [("patient01", "study1"), ("patient01", "study2")]
    assert {case.brain_mask.name for case in index.cases} == {"brainmask.nii.gz"}
    assert {case.mask for case in index.cases} == {None}
    assert "how lesions changed" in reasons(index)["gt.nii.gz"]


def test_the_archive_that_open_ms_was_made_from_has_raw_folders_within_patients(tmp_path):
    names = ("FLAIR", "T1W", "T1WKS", "T2W")
    grow(tmp_path, *(f"patient03/patient03_{name}.nii.gz" for name in (*names, "consensus_gt", "brainmask")))
    grow(tmp_path, *(f"patient03/raw/patient03_{name}.nii.gz" for name in names))
    taken = files(index_scans(tmp_path, layout="open-ms"), tmp_path)["patient03"]
    assert taken["flair"] == "patient03/patient03_FLAIR.nii.gz"
    raw = files(index_scans(tmp_path, layout="open-ms", variant="raw"), tmp_path)["patient03"]
    assert raw["flair"] == "patient03/raw/patient03_FLAIR.nii.gz"
    assert raw["mask"] == taken["mask"] == "patient03/patient03_consensus_gt.nii.gz"
