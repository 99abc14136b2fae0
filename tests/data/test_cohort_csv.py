"""The CSV of a cohort: what is written can be read; what is wrong is said with its line."""
import os
import shutil
from pathlib import Path

import pytest

from mstl.data.case import Case
from mstl.data.cohort_csv import read_cases, write_cases
from mstl.errors import InputError


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a.nii.gz", "b.nii.gz", "m.nii.gz"):
        (tmp_path / name).touch()
    return tmp_path


def table(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "cohort.csv"
    path.write_text(text, encoding=encoding)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_cases(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_paths_are_relative_to_the_csv_and_empty_cells_are_absent(folder, monkeypatch):
    monkeypatch.chdir("/")
    (case,) = read_cases(table(folder, "subject,session,flair,t1,mask\n007,,a.nii.gz,,m.nii.gz\n"))
    assert case == Case("007", images={"flair": folder / "a.nii.gz"}, mask=folder / "m.nii.gz")


def test_written_cases_are_read_back_equal(folder):
    cases = [
        Case("p1", "1", "set, one", {"flair": folder / "a.nii.gz", "t1ce": folder / "b.nii.gz"}),
        Case("p1", "2", "ü", {"t2": folder / "a.nii.gz"}, folder / "m.nii.gz", folder / "b.nii.gz"),
    ]
    write_cases(folder / "deep" / "down" / "cohort.csv", cases)
    assert read_cases(folder / "deep" / "down" / "cohort.csv") == cases


def test_a_cell_may_name_a_volume_of_a_4d_file_whose_file_must_exist(folder):
    (case,) = read_cases(table(folder, "subject,flair,t1\np1,x/../a.nii.gz#0,a.nii.gz#1\n"))
    assert case.images == {"flair": folder / "a.nii.gz#0", "t1": folder / "a.nii.gz#1"}
    write_cases(folder / "deep" / "c.csv", [case])
    assert read_cases(folder / "deep" / "c.csv") == [case]
    assert "gone.nii.gz#0 does not exist" in error_of(table(folder, "subject,flair\np1,gone.nii.gz#0\n"))


def test_a_column_of_oct_is_there_where_some_case_has_it(folder):
    eye = Case("p1", images={"oct": folder / "a.png"}, mask=folder / "m.png")
    cases = [eye, Case("p2", images={"t1": folder / "b.nii"})]
    write_cases(folder / "c.csv", cases)
    assert (folder / "c.csv").read_text().splitlines()[0] == (
        "subject,session,dataset,flair,t1,t1ce,t2,oct,mask,brain_mask"
    )
    assert read_cases(folder / "c.csv", files_exist=False) == cases


def test_the_header_is_that_of_the_contract_and_paths_are_written_relative(folder):
    write_cases(folder / "lists" / "c.csv", [Case("p1", images={"t1": folder / "a.nii.gz"})])
    assert (folder / "lists" / "c.csv").read_text() == (
        "subject,session,dataset,flair,t1,t1ce,t2,mask,brain_mask\np1,,,,../a.nii.gz,,,,\n"
    )


def test_a_cohort_moves_with_its_scans(folder, tmp_path_factory):
    write_cases(folder / "c.csv", [Case("p1", images={"t1": folder / "a.nii.gz"})])
    there = tmp_path_factory.mktemp("there") / "copy"
    shutil.copytree(folder, there)
    assert read_cases(there / "c.csv")[0].images["t1"] == there / "a.nii.gz"


def test_a_csv_written_through_a_linked_folder_is_read_from_either_name(folder):
    (folder / "x" / "y").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "x" / "y")
    write_cases(folder / "link" / "c.csv", [Case("p1", images={"t1": folder / "a.nii.gz"})])
    for csv in (folder / "link" / "c.csv", folder / "x" / "y" / "c.csv"):
        assert read_cases(csv)[0].images["t1"] == folder / "a.nii.gz"


def test_spreadsheet_habits_are_understood(folder):
    text = "subject,t1\r\n p1 , a.nii.gz \r\n,\r\np2,b.nii.gz\r\n"
    assert [case.name for case in read_cases(table(folder, text, "utf-8-sig"))] == ["p1", "p2"]


def test_a_file_that_is_not_there_is_an_error_with_line_column_and_path(folder):
    message = error_of(table(folder, "subject,t1\np1,a.nii.gz\np2,c.nii.gz\n"))
    assert "line 3: t1 file" in message
    assert str(folder / "c.nii.gz") in message


def test_files_need_not_exist_where_nobody_opens_them(folder):
    (case,) = read_cases(table(folder, "subject,t1\np1,gone.nii.gz\n"), files_exist=False)
    assert case.images["t1"] == folder / "gone.nii.gz"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subject,flar\np1,a.nii.gz\n", "unknown column 'flar' (did you mean 'flair'?)"),
        ("subject,FLAIR\np1,a.nii.gz\n", "unknown column 'FLAIR' (did you mean 'flair'?)"),
        ("subject,qqq,t1\np1,,a.nii.gz\n", "unknown column 'qqq'. Rename or remove it; columns are subject"),
        ("subject;t1\np1;a.nii.gz\n", "unknown column 'subject;t1'"),
        ("subject,t1,t1\np1,a.nii.gz,\n", "column 't1' is there twice"),
        ("session,t1\np1,a.nii.gz\n", "column 'subject' is missing"),
        ("", "column 'subject' is missing"),
        ("subject,t1\n", "lists no case"),
        ("subject,t1\np1,a.nii.gz\n,b.nii.gz\n", "line 3: column 'subject' is empty"),
        ("subject,t1\np1,a.nii.gz,b.nii.gz\n", "line 2: more cells than columns"),
        ("subject,t1\np1,a.nii.gz\np1,b.nii.gz\n", "lines 2 and 3 both name case p1"),
        ("subject,session,t1\np1_a,,a.nii.gz\np1,a,b.nii.gz\n", "lines 2 and 3 both name case p1_a"),
        ("subject,mask\np1,m.nii.gz\n", "line 2: Case p1 has no image"),
        ("subject,t1\na/b,a.nii.gz\n", "line 2: Subject 'a/b' cannot"),
        ('subject,t1\np1,"a.nii.gz\n', "cannot be read as CSV"),
    ],
)
def test_a_wrong_table_is_an_error_that_says_where(folder, text, expected):
    assert expected in error_of(table(folder, text))


def test_a_missing_csv_is_an_error(folder):
    assert "does not exist" in error_of(folder / "nothing.csv")


def test_what_is_no_text_is_an_error(folder):
    (folder / "scan.csv").write_bytes(b"\x1f\x8b\x08\x00" + os.urandom(200) + b"\xff\xfe")
    assert "cannot be read as CSV" in error_of(folder / "scan.csv")


def test_a_folder_for_a_csv_is_an_error_that_names_the_command_that_lists_scans(folder):
    assert "is a folder; a CSV is expected. List its scans in one with 'mstl index'." in error_of(folder)
