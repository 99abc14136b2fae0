"""Patterns find the right files, and tell by their words what these are."""
from pathlib import Path

import pytest

from mstl.data.layouts.patterns import find_by_patterns, find_files
from mstl.errors import InputError
from tests.trees import grow


def found(root: Path, pattern: str) -> list[tuple[str, str, str]]:
    return [(s, t, path.relative_to(root).as_posix()) for s, t, path in find_files(root, pattern)]


def test_subject_session_and_stars_are_matched_within_one_folder_name(tmp_path):
    grow(tmp_path, "p1/01/x_flair_1.nii.gz", "p1/02/flair.nii.gz", "p2/01/t1.nii.gz", "p2/a/b/flair.nii.gz")
    assert found(tmp_path, "{subject}/{session}/*flair*.nii.gz") == [
        ("p1", "01", "p1/01/x_flair_1.nii.gz"),
        ("p1", "02", "p1/02/flair.nii.gz"),
    ]


def test_a_name_repeated_in_a_pattern_must_be_the_same(tmp_path):
    grow(tmp_path, "t01/t01_02_flair.nii", "t01/t02_01_flair.nii")
    files = found(tmp_path, "{subject}/{subject}_{session}_flair.nii")
    assert files == [("t01", "02", "t01/t01_02_flair.nii")]


def test_brackets_and_question_marks_are_literal(tmp_path):
    grow(tmp_path, "a/flair[1].nii", "a/flair1.nii", "b/flair?.nii", "b/flairx.nii")
    assert found(tmp_path, "{subject}/flair[1].nii") == [("a", "", "a/flair[1].nii")]
    assert found(tmp_path, "{subject}/flair?.nii") == [("b", "", "b/flair?.nii")]


def test_hidden_files_and_folders_that_look_like_files_are_left_out(tmp_path):
    grow(tmp_path, "a/._flair.nii.gz", ".trash/flair.nii.gz", "b/flair.nii.gz/inside")
    assert found(tmp_path, "{subject}/*flair.nii.gz") == []


def test_upper_and_lower_case_are_kept_apart(tmp_path):
    grow(tmp_path, "a/T1.nii.gz")
    assert found(tmp_path, "{subject}/t1.nii.gz") == []


def test_linked_folders_of_subjects_are_followed(tmp_path):
    grow(tmp_path / "archive", "p1/flair.nii.gz")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "p1").symlink_to(tmp_path / "archive" / "p1")
    assert found(tmp_path / "study", "{subject}/flair.nii.gz") == [("p1", "", "p1/flair.nii.gz")]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("*/flair.nii.gz", "no {subject}"),
        ("/data/{subject}/flair.nii.gz", "not relative"),
        ("../{subject}/flair.nii.gz", "not relative"),
        ("{subject}/{visit}/flair.nii.gz", "braces"),
        ("{subject}*flair.nii.gz", "nothing between"),
        ("{subject}{session}.nii.gz", "nothing between"),
        ("{subject}/**/flair.nii.gz", "nothing between"),
    ],
)
def test_a_pattern_that_cannot_work_is_an_error_that_shows_a_good_one(tmp_path, pattern, problem):
    with pytest.raises(InputError, match=problem) as error:
        found(tmp_path, pattern)
    assert "{subject}/{session}/*flair*.nii.gz" in str(error.value)


def by_words(root: Path, pattern: str) -> dict[str, tuple[str, str]]:
    files = find_by_patterns(root, pattern).files
    return {file.path.relative_to(root).as_posix(): (file.subject, file.column) for file in files}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("sub_t1.nii.gz", "t1"),
        ("sub_T1W.nii.gz", "t1"),
        ("MPRAGE_norm.nii.gz", "t1"),
        ("sub_t1ce.nii.gz", "t1ce"),
        ("sub_T1_Gd.nii.gz", "t1ce"),
        ("t1-post.nii.gz", "t1ce"),
        ("sub_ce-gadolinium_T1w.nii.gz", "t1ce"),
        ("t1_sag_gd.nii.gz", "t1ce"),
        ("gado_flair.nii.gz", "flair"),
        ("GADO.nii.gz", "t1ce"),
        ("sub.t2.flair.nii.gz", "flair"),
        ("T2w_FLAIR_brain.nii.gz", "flair"),
        ("3DFLAIR.nii.gz", "flair"),
        ("sub_T2.nii.gz", "t2"),
        ("t1_reg_to_flair.nii.gz", "t1"),
        ("flair_lesion_mask.nii.gz", "mask"),
        ("Consensus.nii.gz", "mask"),
        ("t1_seg.nii.gz", "mask"),
        ("t1_brain_mask.nii.gz", "brain_mask"),
        ("patient07_brainmask.nii.gz", "brain_mask"),
    ],
)
def test_a_modality_is_known_by_the_word_that_says_most(tmp_path, name, column):
    grow(tmp_path, f"p1/{name}", "p1/x_flair_x.nii.gz")
    assert by_words(tmp_path, "{subject}/*{modality}*.nii.gz")[f"p1/{name}"] == ("p1", column)


@pytest.mark.parametrize("name", ["at1.nii.gz", "t1x.nii.gz", "t12.nii.gz", "bold.nii.gz", "flair2.nii.gz"])
def test_a_word_within_a_word_is_no_modality(tmp_path, name):
    grow(tmp_path, f"p1/{name}")
    assert by_words(tmp_path, "{subject}/*{modality}*.nii.gz") == {}


def test_what_stands_around_a_modality_is_literal(tmp_path):
    grow(tmp_path, "p1/p1_t2.nii.gz", "p1/p1_t2_reg.nii.gz", "p1/p2_t2.nii.gz", "P1/t2.nii.gz")
    assert by_words(tmp_path, "{subject}/{subject}_{modality}.nii.gz") == {"p1/p1_t2.nii.gz": ("p1", "t2")}


def test_a_long_word_is_not_cut_into_subject_and_modality(tmp_path):
    grow(tmp_path, "anna_t2_flair.nii.gz", "anna_t1_ce.nii.gz")
    columns = by_words(tmp_path, "{subject}_{modality}.nii.gz")
    assert columns == {"anna_t2_flair.nii.gz": ("anna", "flair"), "anna_t1_ce.nii.gz": ("anna", "t1ce")}


def test_the_number_behind_a_mask_is_its_rater(tmp_path):
    grow(tmp_path, "p/flair.nii", "p/mask1.nii", "p/mask_rater2.nii", "p/consensus.nii")
    files = find_by_patterns(tmp_path, "{subject}/*{modality}*.nii").files
    assert {file.rater for file in files if file.column == "mask"} == {"1", "2", "consensus"}


@pytest.mark.parametrize("pattern", ["{subject}/*.nii", "{subject}/{modality}_{modality}.nii"])
def test_one_pattern_for_all_columns_has_one_modality(tmp_path, pattern):
    with pytest.raises(InputError, match="once is expected"):
        find_by_patterns(tmp_path, pattern)


def test_a_modality_in_the_pattern_of_a_column_is_an_error(tmp_path):
    with pytest.raises(InputError, match="Give it alone, without t1="):
        find_by_patterns(tmp_path, {"t1": "{subject}/*{modality}*.nii"})


def test_scans_that_match_no_pattern_are_told(tmp_path):
    grow(tmp_path, "p1/t1.nii", "p1/pd.nii", "p1/notes.txt")
    left_out = find_by_patterns(tmp_path, {"t1": "{subject}/t1.nii"}).left_out
    assert [(item.path.name, item.reason) for item in left_out] == [("pd.nii", "matches no pattern")]


def test_pictures_are_scans_where_a_pattern_ends_as_one_and_else_previews(tmp_path):
    grow(tmp_path, "p1/oct.png", "p1/oct_mask.png", "p2/oct.png", "p2/view.tif")
    findings = find_by_patterns(tmp_path, "{subject}/*{modality}.png")
    assert {(file.subject, file.column) for file in findings.files} == {("p1", "oct"), ("p1", "mask"), ("p2", "oct")}
    assert not findings.left_out
    by_column = find_by_patterns(tmp_path, {"oct": "{subject}/oct.png"})
    assert [left.path.name for left in by_column.left_out] == ["oct_mask.png"]
    grow(tmp_path, "p1/flair.nii.gz")
    assert not find_by_patterns(tmp_path, "{subject}/{modality}.nii.gz").left_out
