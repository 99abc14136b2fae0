"""`mstl convert`, as a person types it."""
import sys

import pytest

from mstl.cli import main
from mstl.data.formats import open_scan
from tests.scans import VALUES, write_one


@pytest.fixture
def run(monkeypatch, capsys):
    """Function that runs `mstl convert`; returns the exit code, what was printed and the errors."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mstl", "convert", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code or 0, printed.out, printed.err

    return call


def test_one_file_becomes_what_the_name_says(run, tmp_path):
    source = write_one(tmp_path, "plain.nhdr")
    code, out, _ = run(source, tmp_path / "a.nii.gz")
    assert code == 0
    assert "Wrote" in out
    assert (open_scan(tmp_path / "a.nii.gz").values(None) == VALUES).all()


def test_a_folder_becomes_a_folder(run, tmp_path):
    (tmp_path / "in").mkdir()
    write_one(tmp_path / "in", "plain.nhdr")
    write_one(tmp_path / "in", "one.nii.gz")
    code, out, _ = run(tmp_path / "in", tmp_path / "out", "--to", ".mgz", "--jobs", 2)
    assert code == 0
    assert "Wrote 2 files" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["one.mgz", "plain.mgz"]
    assert "kept 2 that were there" in run(tmp_path / "in", tmp_path / "out", "--to", ".mgz")[1]


def test_failures_are_listed_at_the_end_and_exit_with_1(run, tmp_path):
    (tmp_path / "in").mkdir()
    write_one(tmp_path / "in", "plain.nrrd")
    (tmp_path / "in" / "bad.mha").write_text("no scan")
    code, out, err = run(tmp_path / "in", tmp_path / "out")
    assert code == 1
    assert "Wrote 1 files" in out
    assert "bad.mha cannot be read as MetaImage" in err
    assert "not converted: 1, listed above" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone.nrrd", "a.nii"), "does not exist"),
        (("one.nii", "one.nii"), "exists"),
        (("one.nii", "a.nii", "--to", ".mha"), "does not end in .mha"),
        (("one.nii", "a.jpg"), "does not end in"),
        ((".", "out", "--to", ".jpg"), "cannot be written"),
        ((".", "out", "--jobs", "0"), "jobs is 0"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_1(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_one(tmp_path, "one.nii")
    code, _, err = run(*arguments)
    assert code == 1
    assert message in err
    assert len(err.strip().splitlines()) == 1
