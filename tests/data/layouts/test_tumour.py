"""Trees of BraTS: of 2020 with the mask that has kept another name, of 2021, and the visits of 2023 and after."""
from mstl.data.indexing import index_scans
from tests.trees import grow

MODALITIES = ("flair", "t1", "t1ce", "t2")


def test_training_and_validation_cases_of_brats_are_found_below_one_root(tmp_path):
    train = "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_{}.nii.gz"
    valid = "MICCAI_BraTS2020_ValidationData/BraTS20_Validation_001/BraTS20_Validation_001_{}.nii"
    grow(tmp_path, *(train.format(name) for name in (*MODALITIES, "seg")), *(valid.format(name) for name in MODALITIES))
    index = index_scans(tmp_path, layout="brats2020")
    assert [case.name for case in index.cases] == ["BraTS20_Training_001", "BraTS20_Validation_001"]
    assert all(case.modalities == MODALITIES for case in index.cases)
    assert [case.mask and case.mask.name for case in index.cases] == ["BraTS20_Training_001_seg.nii.gz", None]
    assert index.left_out == ()
    assert any("--binarise-masks" in note for note in index.notes)


def test_the_misnamed_mask_of_case_355_is_found(tmp_path):
    folder = tmp_path / "BraTS20_Training_355"
    grow(folder, "BraTS20_Training_355_flair.nii", "W39_1998.09.19_Segm.nii")
    case = index_scans(tmp_path, layout="brats2020").cases[0]
    assert case.name == "BraTS20_Training_355"
    assert case.mask == folder / "W39_1998.09.19_Segm.nii"


def test_a_file_of_that_name_elsewhere_is_no_mask(tmp_path):
    grow(tmp_path / "BraTS20_Training_354", "BraTS20_Training_354_flair.nii", "W39_1998.09.19_Segm.nii")
    index = index_scans(tmp_path, layout="brats2020")
    assert index.cases[0].mask is None
    assert [item.reason for item in index.left_out] == ["its name is none of this layout"]


def test_cases_of_brats_2021_are_found(tmp_path):
    grow(tmp_path, *(f"BraTS2021_00000/BraTS2021_00000_{name}.nii.gz" for name in (*MODALITIES, "seg")))
    (case,) = index_scans(tmp_path, layout="brats2021").cases
    assert (case.name, case.modalities) == ("BraTS2021_00000", MODALITIES)
    assert case.mask.name == "BraTS2021_00000_seg.nii.gz"


def test_visits_of_brats_2023_are_sessions_of_their_patient(tmp_path):
    visit = "TrainingData/BraTS-GLI-00008-{0}/BraTS-GLI-00008-{0}-{1}.nii.gz"
    grow(tmp_path, *(visit.format(number, name) for number in ("000", "001") for name in ("t2f", "t1n", "t1c", "seg")))
    index = index_scans(tmp_path, layout="brats2023")
    assert [(case.subject, case.session) for case in index.cases] == [
        ("BraTS-GLI-00008", "000"), ("BraTS-GLI-00008", "001"),
    ]
    first = index.cases[0]
    assert first.modalities == ("flair", "t1", "t1ce")
    assert first.images["t1ce"].name == "BraTS-GLI-00008-000-t1c.nii.gz"
    assert first.mask.name == "BraTS-GLI-00008-000-seg.nii.gz"
    assert any("--labels 1,2,3" in note for note in index.notes)
