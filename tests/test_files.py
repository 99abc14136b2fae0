"""Files are whole or absent, whatever interrupts their writing."""
import errno
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mstl.errors import InputError
from mstl.files import (
    new_folder,
    read_json,
    remove_leftover_folders,
    sha256,
    whole_file,
    whole_folder,
    write_json,
    write_text,
)

DISK_FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_half(path: Path, error: Exception) -> None:
    with whole_file(path) as temporary:
        temporary.write_text("half")
        raise error


def write_half_a_folder(path: Path, error: Exception) -> None:
    with whole_folder(path) as temporary:
        (temporary / "new.txt").write_text("half")
        raise error


def test_a_whole_file_appears_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "deep" / "scan.nii.gz"
    with whole_file(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.name.endswith("scan.nii.gz")
    assert path.read_text() == "all of it"
    assert os.listdir(path.parent) == ["scan.nii.gz"]


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyError):
        write_half(tmp_path / "a.txt", KeyError("a"))
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_an_error_of_one_line_that_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match=r"Cannot write .*a\.bin: No space left on device\. Free") as caught:
        write_half(tmp_path / "a.bin", DISK_FULL)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_command_killed_while_writing_leaves_no_half_file(tmp_path):
    code = (
        "import os, signal, sys\n"
        "from mstl.files import whole_file\n"
        "with whole_file(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.txt")], cwd=root, check=False)
    assert done.returncode != 0
    assert not (tmp_path / "a.txt").exists()


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_a_place_that_cannot_hold_files_is_an_error(tmp_path, writer):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"Cannot write .*choose another"), writer(tmp_path / "file" / "out"):
        pass


def test_a_whole_folder_replaces_the_old_one_at_the_end(tmp_path):
    write_text(tmp_path / "case" / "old.txt", "old")
    with whole_folder(tmp_path / "case") as temporary:
        (temporary / "new.txt").write_text("new")
        assert os.listdir(tmp_path / "case") == ["old.txt"]
    assert os.listdir(tmp_path / "case") == ["new.txt"]
    assert os.listdir(tmp_path) == ["case"]
    assert (tmp_path / "case").stat().st_mode & 0o777 == 0o755


def test_a_folder_that_fails_leaves_the_old_one_and_no_other(tmp_path):
    write_text(tmp_path / "case" / "old.txt", "old")
    with pytest.raises(InputError, match="No space left"):
        write_half_a_folder(tmp_path / "case", DISK_FULL)
    assert os.listdir(tmp_path / "case") == ["old.txt"]
    assert os.listdir(tmp_path) == ["case"]


def test_json_is_read_as_it_was_written(tmp_path):
    value = {"case": "ü-07", "steps": [1, 2.5, None, True]}
    write_json(tmp_path / "case.json", value)
    assert read_json(tmp_path / "case.json") == value
    assert (tmp_path / "case.json").read_text().endswith("}\n")


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert read_json(tmp_path / "a.json") == {"a": 1}


def test_json_that_is_missing_or_damaged_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"a\.json does not exist"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"a": [1, 2, 3]})[:-4])
    with pytest.raises(InputError, match=r"a\.json cannot be read as JSON"):
        read_json(tmp_path / "a.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"b\.json cannot be read as JSON"):
        read_json(tmp_path / "b.json")


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_sha256_is_that_of_the_bytes(tmp_path, size):
    data = os.urandom(size)
    (tmp_path / "data").write_bytes(data)
    assert sha256(tmp_path / "data") == hashlib.sha256(data).hexdigest()


def test_a_new_folder_is_made_or_taken_empty(tmp_path):
    assert new_folder(tmp_path / "a" / "b").is_dir()
    assert new_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"


def test_an_output_that_holds_something_is_an_error_and_stays(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(InputError, match=r"exists and is not empty\. Choose a new folder"):
            new_folder(path)
    with pytest.raises(InputError, match="Cannot write"):
        new_folder(tmp_path / "file" / "below")
    assert (tmp_path / "file").read_text() == "kept"


def test_folders_that_killed_processes_left_are_removed_and_no_others(tmp_path):
    names = [".p1-abcd_012", ".p-1-zyxw9876", ".p2-abcd_012", ".git", "p1", ".p1-abc"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "image.npy").touch()
    (tmp_path / ".p1-a1b2c3d4").touch()
    remove_leftover_folders(tmp_path, ["p1", "p-1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names[2:], ".p1-a1b2c3d4"])
