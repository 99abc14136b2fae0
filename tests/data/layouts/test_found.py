"""Files are found whichever folder is given, and rules say what they are."""
import pytest

from mstl.data.layouts.found import Rule, by_rules, scan_files, stem_of, suffix_of
from tests.trees import grow


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.nii.gz", ".nii.gz"), ("a.nii", ".nii"), ("A.NII.GZ", ".NII.GZ"), ("a.nhdr", ".nhdr"), ("a.raw", "")],
)
def test_the_longest_suffix_of_a_scan_counts(name, suffix):
    assert suffix_of(name) == suffix


def test_scans_are_listed_in_order_without_hidden_files_or_others(tmp_path):
    grow(tmp_path, "b/x.nii", "a/x.nrrd", "a/.x.nii", ".git/x.nii", "a/notes.txt", "a/y.nii.gz/inside.txt")
    assert [path.relative_to(tmp_path).as_posix() for path in scan_files(tmp_path)] == ["a/x.nrrd", "b/x.nii"]


def test_linked_folders_are_followed_once(tmp_path):
    grow(tmp_path, "archive/p1/t1.nii")
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "p1").symlink_to(tmp_path / "archive" / "p1")
    (tmp_path / "study" / "again").symlink_to(tmp_path / "study")
    assert scan_files(tmp_path / "study") == [tmp_path / "study/p1/t1.nii"]


def test_a_relative_root_is_known_by_the_folders_above(tmp_path, monkeypatch):
    grow(tmp_path, "raw/p1/T1.nii")
    monkeypatch.chdir(tmp_path / "raw")
    assert stem_of(scan_files(".")[0]).endswith("/raw/p1/T1")
    find = by_rules(Rule(r"raw/(?P<subject>p\d)/(?P<what>t1|pd)", {"t1": "t1"}, ("raw",)))
    assert [(file.subject, file.column, file.variants) for file in find(".").files] == [("p1", "t1", ("raw",))]


def test_the_first_rule_that_knows_a_path_says_what_it_is(tmp_path):
    grow(tmp_path, "p1/t1.nii", "p1/t1_brain.nii", "p1/pd.nii", "p1/other.nii")
    findings = by_rules(
        Rule(r"(?P<subject>p\d)/(?P<what>t1|pd)", {"t1": "t1"}),
        Rule(r"(?P<subject>p\d)/t1\w*", "t2"),
    )(tmp_path)
    assert [(file.path.name, file.column) for file in findings.files] == [("t1.nii", "t1"), ("t1_brain.nii", "t2")]
    assert [item.path.name for item in findings.left_out] == ["other.nii", "pd.nii"]
