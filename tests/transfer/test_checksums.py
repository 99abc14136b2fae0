"""Checksums of a folder: written for every file, told where one has changed or gone."""
import subprocess

import pytest

from mstl.errors import InputError
from mstl.transfer.checksums import check_whole, checksum_states, write_checksums


@pytest.fixture
def folder(tmp_path):
    for name in ("b.h5", "a name.txt", "below/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    write_checksums(tmp_path)
    return tmp_path


def test_every_file_but_the_list_itself_is_listed(folder):
    assert checksum_states(folder) == dict.fromkeys(("a name.txt", "b.h5", "below/c.json"), "ok")
    check_whole(folder)


def test_the_list_is_written_anew_alike(folder):
    before = (folder / "SHA256SUMS").read_bytes()
    assert write_checksums(folder).read_bytes() == before


def test_sha256sum_reads_the_list(folder):
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_changed_and_missing_files_are_told_together(folder):
    (folder / "b.h5").write_text("B.h5")
    (folder / "below" / "c.json").unlink()
    assert checksum_states(folder) == {"a name.txt": "ok", "b.h5": "damaged", "below/c.json": "not here"}
    with pytest.raises(InputError, match=r"b\.h5 is damaged, below/c\.json is not here\. Copy the folder again"):
        check_whole(folder)


def test_a_file_that_came_later_is_nobodys_business(folder):
    (folder / "notes.txt").write_text("mine")
    check_whole(folder)


def test_a_folder_without_a_list_is_whole_but_cannot_be_verified(tmp_path):
    check_whole(tmp_path)
    with pytest.raises(InputError, match="has no SHA256SUMS"):
        checksum_states(tmp_path)


@pytest.mark.parametrize("content", [b"0123  short\n", b"\xff\xfe"])
def test_a_damaged_list_is_an_error(tmp_path, content):
    (tmp_path / "SHA256SUMS").write_bytes(content)
    with pytest.raises(InputError, match="Copy the folder again"):
        check_whole(tmp_path)
