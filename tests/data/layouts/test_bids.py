"""BIDS, raw and derivatives: entities say what a file is, and in which space it lies."""
from pathlib import Path

import pytest

from mstl.data.indexing import Index, index_scans
from mstl.errors import InputError
from tests.trees import grow


def files(index: Index) -> dict[str, dict[str, str]]:
    return {case.name: {column: path.name for column, path in case.files.items()} for case in index.cases}


def index_of(root: Path, *names: str, **options) -> Index:
    grow(root, *names)
    return index_scans(root, layout="bids", **options)


def test_modalities_are_suffixes_and_a_contrast_agent_makes_t1_t1ce(tmp_path):
    anat = "sub-01/ses-1/anat/sub-01_ses-1_"
    scans = (f"{anat}{name}.nii.gz" for name in ("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w"))
    index = index_of(tmp_path, *scans, f"{anat}PDw.nii.gz", "sub-01/ses-1/dwi/sub-01_ses-1_dwi.nii.gz")
    assert files(index) == {
        "sub-01_ses-1": {
            "flair": "sub-01_ses-1_FLAIR.nii.gz",
            "t1": "sub-01_ses-1_T1w.nii.gz",
            "t1ce": "sub-01_ses-1_ce-gadolinium_T1w.nii.gz",
            "t2": "sub-01_ses-1_T2w.nii.gz",
        }
    }
    assert {item.path.name for item in index.left_out} == {"sub-01_ses-1_PDw.nii.gz", "sub-01_ses-1_dwi.nii.gz"}


def test_of_complex_scans_only_the_magnitude_is_taken(tmp_path):
    parts = (f"sub-01/anat/sub-01_part-{part}_T2w.nii.gz" for part in ("phase", "mag", "real", "imag"))
    assert files(index_of(tmp_path, *parts))["sub-01"] == {"t2": "sub-01_part-mag_T2w.nii.gz"}


@pytest.mark.parametrize(
    "mask",
    [
        "derivatives/lesions/sub-01/anat/sub-01_label-lesion_mask.nii.gz",
        "derivatives/lesions/sub-01/anat/sub-01_space-FLAIR_label-lesion_mask.nii.gz",
        "derivatives/manual_masks/sub-01/anat/sub-01_space-orig_desc-lesion_mask.nii.gz",
        "derivatives/sub-01/anat/sub-01_desc-T1lesion_mask.nii.gz",
        "sub-01/anat/sub-01_T1w_label-lesion_roi.nii.gz",
        "sub-01/anat/sub-01_lesion_roi.nii",
    ],
)
def test_lesion_masks_are_known_by_label_desc_or_a_word_and_go_with_raw_images(tmp_path, mask):
    index = index_of(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", mask)
    assert files(index) == {"sub-01": {"flair": "sub-01_FLAIR.nii.gz", "mask": Path(mask).name}}


@pytest.mark.parametrize("name", ["desc-brain_mask", "label-brain_mask"])
def test_brain_masks_are_known_but_not_those_of_functional_data(tmp_path, name):
    index = index_of(
        tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", f"derivatives/fmriprep/sub-01/anat/sub-01_{name}.nii.gz",
        f"derivatives/fmriprep/sub-01/func/sub-01_task-rest_{name}.nii.gz",
        "derivatives/fmriprep/sub-01/anat/sub-01_label-GM_mask.nii.gz",
    )  # fmt: skip
    assert files(index)["sub-01"]["brain_mask"] == f"sub-01_{name}.nii.gz"
    assert len(index.left_out) == 2


def test_masks_in_another_space_than_the_images_are_left_out(tmp_path):
    mask = "derivatives/lesions/sub-01/anat/sub-01_space-MNI152NLin6Asym_label-lesion_mask.nii.gz"
    index = index_of(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", mask)
    assert index.cases[0].mask is None
    assert [item.reason for item in index.left_out] == ["in space MNI152NLin6Asym, no image is"]


def grow_derivatives(root: Path) -> None:
    anat = "derivatives/fmriprep/sub-01/anat/sub-01_"
    grow(root, "sub-01/anat/sub-01_T1w.nii.gz", f"{anat}desc-preproc_T1w.nii.gz", f"{anat}desc-brain_mask.nii.gz")
    grow(root, f"{anat}space-MNI_desc-preproc_T1w.nii.gz", f"{anat}space-MNI_desc-brain_mask.nii.gz")
    grow(root, "derivatives/lesions/sub-01/anat/sub-01_label-lesion_mask.nii.gz")
    grow(root, "derivatives/lesions/sub-01/anat/sub-01_space-MNI_label-lesion_mask.nii.gz")


@pytest.mark.parametrize(
    ("variant", "image", "space"),
    [
        ("", "sub-01_T1w.nii.gz", ""),
        ("fmriprep", "sub-01_desc-preproc_T1w.nii.gz", ""),
        ("fmriprep:MNI", "sub-01_space-MNI_desc-preproc_T1w.nii.gz", "space-MNI_"),
    ],
)
def test_images_of_a_pipeline_are_taken_where_asked_with_the_masks_of_their_space(tmp_path, variant, image, space):
    grow_derivatives(tmp_path)
    index = index_scans(tmp_path, layout="bids", variant=variant)
    assert files(index)["sub-01"] == {
        "t1": image,
        "mask": f"sub-01_{space}label-lesion_mask.nii.gz",
        "brain_mask": f"sub-01_{space}desc-brain_mask.nii.gz",
    }
    assert bool(index.notes) == (not variant)


def test_an_unknown_pipeline_is_an_error_that_lists_the_known(tmp_path):
    grow_derivatives(tmp_path)
    with pytest.raises(InputError, match=r"'fmriprp' is here .did you mean 'fmriprep'.*raw, fmriprep, fmriprep:MNI"):
        index_scans(tmp_path, layout="bids", variant="fmriprp")


def test_derivatives_alone_are_taken_without_asking(tmp_path):
    grow(tmp_path, "R001/sub-r1/ses-1/anat/sub-r1_ses-1_space-MNI_desc-T1FinalResampledNorm_T1w.nii.gz")
    index = index_of(tmp_path, "R001/sub-r1/ses-1/anat/sub-r1_ses-1_space-MNI_label-L_desc-T1lesion_mask.nii.gz")
    assert set(files(index)["sub-r1_ses-1"]) == {"t1", "mask"}


def test_of_several_runs_the_first_is_taken_and_the_others_are_told(tmp_path):
    anat = "sub-01/anat/sub-01_"
    index = index_of(tmp_path, f"{anat}run-02_T1w.nii.gz", f"{anat}run-10_T1w.nii.gz", f"{anat}run-01_T1w.nii.gz")
    assert files(index)["sub-01"] == {"t1": "sub-01_run-01_T1w.nii.gz"}
    assert {item.reason.partition(";")[0] for item in index.left_out} == {"another run of the same scan"}


def test_the_run_that_a_lesion_mask_was_drawn_on_goes_before_the_first(tmp_path):
    anat = "sub-01/anat/sub-01_"
    grow(tmp_path, f"{anat}run-1_FLAIR.nii.gz", f"{anat}run-2_FLAIR.nii.gz", f"{anat}run-1_T1w.nii.gz")
    index = index_of(tmp_path, "derivatives/m/sub-01/anat/sub-01_run-2_label-lesion_mask.nii.gz")
    assert files(index)["sub-01"]["flair"] == "sub-01_run-2_FLAIR.nii.gz"
    assert files(index)["sub-01"]["t1"] == "sub-01_run-1_T1w.nii.gz"


def test_of_several_acquisitions_none_is_taken_until_a_pattern_says_which(tmp_path):
    anat = "sub-01/anat/sub-01_"
    grow(tmp_path, f"{anat}acq-2D_FLAIR.nii.gz", f"{anat}acq-3D_FLAIR.nii.gz", "sub-02/anat/sub-02_FLAIR.nii.gz")
    with pytest.raises(InputError, match=r"acq-2D_FLAIR.* and .*acq-3D_FLAIR.*--pattern 'flair=\*acq-2D\*'"):
        index_scans(tmp_path, layout="bids")
    index = index_scans(tmp_path, layout="bids", patterns={"flair": "*acq-3D*"})
    assert files(index) == {
        "sub-01": {"flair": "sub-01_acq-3D_FLAIR.nii.gz"}, "sub-02": {"flair": "sub-02_FLAIR.nii.gz"}
    }


def test_raters_are_known_by_number(tmp_path):
    masks = (f"derivatives/m/sub-01/anat/sub-01_desc-rater{rater}_label-lesion_mask.nii.gz" for rater in (1, 2))
    index = index_of(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz", *masks, rater="2")
    assert files(index)["sub-01"]["mask"] == "sub-01_desc-rater2_label-lesion_mask.nii.gz"


def test_a_folder_named_code_above_the_root_hides_nothing(tmp_path):
    root = tmp_path / "code" / "study"
    index = index_of(root, "sub-01/anat/sub-01_FLAIR.nii.gz", "sourcedata/sub-01/anat/sub-01_FLAIR.nii.gz")
    assert len(index.cases) == 1
    assert len(index.left_out) == 1
