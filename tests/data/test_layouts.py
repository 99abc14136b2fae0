"""Patterns find the right files; the trees of public sets are known."""
from pathlib import Path

import pytest

from mstl.data.case import FILES, MODALITIES
from mstl.data.layouts import LAYOUTS, find_cases, find_files, find_layout
from mstl.errors import InputError


def grow(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


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


def test_two_files_of_one_case_and_column_are_an_error_that_names_both(tmp_path):
    grow(tmp_path, "p1/t1.nii.gz", "p1/t1ce.nii.gz")
    with pytest.raises(InputError, match=r"t1\.nii\.gz and .*t1ce\.nii\.gz"):
        find_cases(tmp_path, {"t1": "{subject}/*t1*.nii.gz"})


def test_an_unknown_layout_is_an_error_that_lists_the_known():
    with pytest.raises(InputError, match=r"'open_ms' is unknown.*open-ms"):
        find_layout("open_ms")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_has_sound_patterns_of_known_columns(tmp_path, name):
    layout = LAYOUTS[name]
    assert set(layout.patterns) <= set(FILES)
    assert set(layout.patterns) & set(MODALITIES)
    assert find_cases(tmp_path, layout.patterns) == {}
