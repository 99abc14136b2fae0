"""From a folder to cases: variants, raters and doubles are chosen by name, what is left out is told."""
import warnings
from pathlib import Path

import pytest

from mstl.data.cohort import Cohort
from mstl.data.indexing import index_scans
from mstl.data.layouts import LAYOUTS
from mstl.data.volume import read_volume
from mstl.errors import InputError
from tests.trees import grow, plant

IMAGES = ("flair", "t1", "t2")
OPEN = {"flair": "FLAIR", "t1": "T1W", "t2": "T2W"}
ISBI = {"flair": "flair", "t1": "mprage", "t2": "t2"}


def plant_visits(root: Path, name: str, visits: tuple[str, ...], words: dict[str, str], mask: str) -> None:
    for visit in visits:
        for column, word in words.items():
            plant(root / name.format(visit=visit, what=word), column)
        if mask:
            plant(root / mask.format(visit=visit), "mask")


def plant_isbi(root: Path, subject: str) -> None:
    name = f"{subject}/preprocessed/{subject}_{{visit}}_{{what}}_pp.nii"
    plant_visits(root, name, ("01", "02"), ISBI, f"{subject}/masks/{subject}_{{visit}}_mask1.nii")


def plant_open_ms(root: Path, subject: str) -> None:
    name = f"longitudinal/coregistered/{subject}/{{visit}}_{{what}}.nii.gz"
    plant_visits(root, name, ("study1", "study2"), OPEN, "")


def plant_bids(root: Path, subject: str) -> None:
    name = f"sub-{subject}/{{visit}}/anat/sub-{subject}_{{visit}}_{{what}}.nii.gz"
    mask = f"derivatives/m/sub-{subject}/{{visit}}/anat/sub-{subject}_{{visit}}_label-lesion_mask.nii.gz"
    plant_visits(root, name, ("ses-1", "ses-2"), {"flair": "FLAIR", "t1": "T1w", "t2": "T2w"}, mask)


@pytest.mark.parametrize(
    ("layout", "write", "subjects"),
    [
        ("isbi2015", plant_isbi, ("training01", "training02", "training03")),
        ("open-ms", plant_open_ms, ("patient01", "patient02", "patient03")),
        ("bids", plant_bids, ("01", "02", "03")),
    ],
)
def test_all_sessions_of_a_subject_stay_on_one_side_of_a_split(tmp_path, layout, write, subjects):
    for subject in subjects:
        write(tmp_path, subject)
    cohort = Cohort.from_layout(tmp_path, layout=layout)
    assert len(cohort) == 6
    assert len(cohort.subjects) == 3
    for case in cohort:
        assert read_volume(case.images["t1"]).shape == read_volume(case.images["flair"]).shape
    sides = cohort.split(ratios=(0.4, 0.3, 0.3), seed=3)
    assert sum(len(side) for side in sides) == 6
    assert len({subject for side in sides for subject in side.subjects}) == sum(len(side.subjects) for side in sides)


def test_sessions_of_a_pattern_stay_together_too(tmp_path):
    for subject in ("a", "b"):
        for session in ("1", "2"):
            plant(tmp_path / f"{subject}/{session}/x_T2_FLAIR.nii.gz", "flair")
            plant(tmp_path / f"{subject}/{session}/x_lesion.nii.gz", "mask")
    cohort = Cohort.from_glob(tmp_path, patterns="{subject}/{session}/*{modality}*.nii.gz")
    assert [case.name for case in cohort] == ["a_1", "a_2", "b_1", "b_2"]
    assert [len(side) for side in cohort.split(ratios=(0.5, 0.5))] == [2, 2]
    assert {case.dataset for case in cohort} == {""}


def test_a_root_of_another_layout_is_an_error_that_names_it(tmp_path):
    grow(tmp_path, "BraTS20_Training_001/BraTS20_Training_001_flair.nii")
    for layout in set(LAYOUTS) - {"brats2020", "msd"}:
        with pytest.raises(InputError, match=rf"laid out as {layout} .*It looks like brats2020\."):
            index_scans(tmp_path, layout=layout)


def test_trees_of_two_sets_below_one_root_do_not_mix(tmp_path):
    grow(tmp_path, "brats/BraTS20_Training_001/BraTS20_Training_001_flair.nii")
    grow(tmp_path, "isbi/training01/preprocessed/training01_01_flair_pp.nii")
    index = index_scans(tmp_path, layout="isbi2015")
    assert [case.name for case in index.cases] == ["training01_01"]
    assert [item.path.name for item in index.left_out] == ["BraTS20_Training_001_flair.nii"]


def test_two_copies_of_a_set_below_one_root_are_an_error_that_says_how_to_choose(tmp_path):
    for copy in ("old", "new"):
        grow(tmp_path, f"{copy}/BraTS20_Training_001/BraTS20_Training_001_flair.nii")
    with pytest.raises(InputError, match=r"Two files match flair for subject BraTS20_Training_001: .*'flair=\*new\*'"):
        index_scans(tmp_path, layout="brats2020")
    index = index_scans(tmp_path, layout="brats2020", patterns={"flair": "*new*"})
    assert "new" in index.cases[0].images["flair"].parts


def test_two_files_of_a_pattern_of_ones_own_are_an_error_that_asks_for_a_narrower_pattern(tmp_path):
    grow(tmp_path, "p1/p1_flair.nii", "p1/p1_brain_mask.nii", "p1/p1_mask.nii")
    patterns = {"flair": "{subject}/*flair.nii", "mask": "{subject}/*_mask.nii"}
    with pytest.raises(InputError, match=r"Two files match mask for .*so that it fits one of them") as error:
        index_scans(tmp_path, layout="glob", patterns=patterns)
    assert "--pattern" not in str(error.value)


@pytest.mark.parametrize("patterns", ["{subject}/{session}/*{modality}*.nii", {"flair": "{subject}/*FLAIR*.nii"}])
def test_patterns_that_fit_no_file_are_an_error_that_shows_how_files_lie(tmp_path, patterns):
    grow(tmp_path, "p1/p1_flair.nii")
    with pytest.raises(InputError, match=r"A file there is 'p1/p1_flair\.nii'\.$"):
        index_scans(tmp_path, layout="glob", patterns=patterns)


def test_a_folder_without_scans_is_an_error_that_says_so(tmp_path):
    with pytest.raises(InputError, match=r"There is no scan below it\.$"):
        index_scans(tmp_path, layout="glob", patterns="{subject}/*{modality}*.nii")


def test_the_same_scan_packed_and_unpacked_is_an_error_whose_pattern_chooses_one(tmp_path):
    name = "BraTS20_Training_001/BraTS20_Training_001_t1.nii"
    grow(tmp_path, name, f"{name}.gz")
    with pytest.raises(InputError, match=r"'t1=(.*)', give a sub-folder") as error:
        index_scans(tmp_path, layout="brats2020")
    pattern = str(error.value).partition("'t1=")[2].partition("'")[0]
    assert len(index_scans(tmp_path, layout="brats2020", patterns={"t1": pattern}).cases) == 1


def test_a_case_without_images_is_left_out_with_its_masks(tmp_path):
    grow(tmp_path, "training01/preprocessed/training01_01_flair_pp.nii")
    grow(tmp_path, "training01/masks/training01_02_mask1.nii", "training01/masks/training01_02_mask2.nii")
    index = index_scans(tmp_path, layout="isbi2015")
    assert [case.name for case in index.cases] == ["training01_01"]
    assert {item.path.name: item.reason for item in index.left_out} == dict.fromkeys(
        ("training01_02_mask1.nii", "training01_02_mask2.nii"), "no image of its case is here"
    )


def grow_raters(root: Path) -> None:
    grow(root, "01016SACH/3DFLAIR.nii", "01016SACH/Consensus.nii", "01016SACH/ManualSegmentation_2.nii")
    grow(root, "01038PAGU/3DFLAIR.nii", "01038PAGU/ManualSegmentation_10.nii", "01038PAGU/ManualSegmentation_2.nii")
    grow(root, "01039VITE/3DFLAIR.nii")


@pytest.mark.parametrize(
    ("rater", "masks"),
    [
        ("", ["Consensus.nii", "ManualSegmentation_2.nii", None]),
        ("consensus", ["Consensus.nii", None, None]),
        ("2", ["ManualSegmentation_2.nii", "ManualSegmentation_2.nii", None]),
        ("10", [None, "ManualSegmentation_10.nii", None]),
        ("majority", [None, None, None]),
    ],
)
def test_masks_are_of_the_rater_asked_for_else_the_consensus_else_the_first(tmp_path, rater, masks):
    grow_raters(tmp_path)
    index = index_scans(tmp_path, layout="msseg2016", rater=rater)
    assert [case.mask and case.mask.name for case in index.cases] == masks
    assert set(index.raters["01038PAGU"]) == {"2", "10"}


def test_which_rater_was_taken_of_several_is_told(tmp_path):
    grow_raters(tmp_path)
    assert index_scans(tmp_path, layout="msseg2016").notes == (
        "The published consensus is taken for mask; there are also masks by rater 2, 10 (choose with --rater).",
        "Cases without a mask by consensus, whose first other is taken: 1.",
    )
    assert index_scans(tmp_path / "01039VITE", layout="msseg2016").notes == ()


def test_an_unknown_rater_is_an_error_that_lists_the_known(tmp_path):
    grow_raters(tmp_path)
    with pytest.raises(InputError, match=r"rater '3' is here\. There are consensus, 2, 10; computed are majority and"):
        index_scans(tmp_path, layout="msseg2016", rater="3")
    with pytest.raises(InputError, match="There are no masks"):
        index_scans(tmp_path / "01039VITE", layout="msseg2016", rater="1")


def test_a_cohort_says_by_warnings_what_was_taken_and_refuses_rules_that_write(tmp_path):
    grow_raters(tmp_path)
    with pytest.warns(UserWarning, match="published consensus is taken"):
        Cohort.from_layout(tmp_path, layout="msseg2016")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Cohort.from_layout(tmp_path / "01016SACH", layout="msseg2016", rater="consensus")
    with pytest.raises(InputError, match="Masks by staple are computed"):
        Cohort.from_layout(tmp_path, layout="msseg2016", rater="staple")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"layout": "glob"}, "needs a pattern"),
        ({"layout": "glob", "patterns": "{subject}/*{modality}*.nrrd"}, "No image below"),
        ({"layout": "glob", "patterns": "{subject}/{modality}.nii", "variant": "raw"}, "has no variants"),
        ({"layout": "isbi2015", "patterns": "*flair*"}, "names no column"),
        ({"layout": "isbi2015", "patterns": {"flare": "*"}}, r"'flare' takes no pattern .did you mean 'flair'"),
        ({"layout": "isbi2016"}, "'isbi2016' is unknown"),
    ],
)
def test_wrong_options_are_an_error_of_one_line(tmp_path, options, expected):
    grow(tmp_path, "p1/flair.nii", "training01/preprocessed/training01_01_flair_pp.nii")
    with pytest.raises(InputError, match=expected) as error:
        index_scans(tmp_path, **options)
    assert "\n" not in str(error.value)
