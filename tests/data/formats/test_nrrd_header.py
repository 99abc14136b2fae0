"""Headers of NRRD files: the fields that say where the voxels are, and what is refused."""
import numpy as np
import pytest

from mstl.data.formats.nrrd_header import read_nrrd_header
from mstl.errors import InputError

LINES = {
    "type": "int16", "dimension": "3", "sizes": "2 3 4", "encoding": "raw", "endian": "little",
}  # fmt: skip


def write(path, voxels=bytes(48), first="NRRD0005", extra=(), **changes) -> object:
    lines = [first, *(f"{name}: {value}" for name, value in (LINES | changes).items() if value is not None), *extra]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + voxels)
    return path


def error_of(path) -> str:
    with pytest.raises(InputError) as caught:
        read_nrrd_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_voxels_follow_the_empty_line(tmp_path):
    path = write(tmp_path / "a.nrrd")
    block = read_nrrd_header(path)
    assert (block.file, block.shape, block.dtype, block.packed) == (path, (2, 3, 4), np.dtype("<i2"), False)
    assert block.offset == path.stat().st_size - 48


def test_lines_may_end_as_in_windows(tmp_path):
    path = write(tmp_path / "a.nrrd")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_nrrd_header(path).offset == path.stat().st_size - 48


def test_a_detached_header_may_end_without_an_empty_line(tmp_path):
    path = write(tmp_path / "a.nhdr", extra=["datafile: a.raw"])
    path.write_bytes(path.read_bytes().rstrip(b"\0\n"))
    (tmp_path / "a.raw").write_bytes(bytes(48))
    assert read_nrrd_header(path).file == tmp_path / "a.raw"
    assert read_nrrd_header(path).offset == 0


@pytest.mark.parametrize(("skip", "offset"), [("2", 2), ("-1", 12)])
def test_bytes_before_the_voxels_are_skipped(tmp_path, skip, offset):
    path = write(tmp_path / "a.nhdr", extra=["data file: a.raw", f"byte skip: {skip}"])
    (tmp_path / "a.raw").write_bytes(bytes(60))
    assert read_nrrd_header(path).offset == offset


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": "NRRD0009"}, "first line"),
        ({"type": "block"}, "no type of real numbers"),
        ({"type": None}, "no type of real numbers"),
        ({"dimension": "4"}, "dimension and sizes disagree"),
        ({"dimension": "3.0"}, "whole numbers are expected"),
        ({"sizes": "2 3 x"}, "whole numbers are expected"),
        ({"sizes": "2 0 4"}, "2 x 0 x 4 voxels; at least 1"),
        ({"sizes": "2 3 5"}, "but 48 bytes on disk hold 48 bytes at most"),
        ({"sizes": "9 " * 3000}, "whole numbers are expected"),
        ({"encoding": "ascii"}, "raw or gzip is expected"),
        ({"encoding": "gzip", "sizes": "200 300 400"}, "200 x 300 x 400 voxels (48 MB), but"),
        ({"endian": None}, "neither little nor big"),
        ({"extra": ["line skip: 1"]}, "skips lines"),
        ({"extra": ["byte skip: -2"]}, "skips -2 bytes"),
        ({"extra": ["type: int8"]}, "'type' is there twice"),
        ({"extra": ["no field"]}, "no name and value"),
        ({"extra": ["data file: LIST"]}, "several files"),
        ({"extra": ["data file: a%03d.raw 1 9 1"]}, "several files"),
        ({"extra": ["data file: /a.raw"]}, "outside of its own folder"),
        ({"extra": ["data file: b/../../a.raw"]}, "outside of its own folder"),
        ({"extra": ["data file: gone.raw"]}, "does not exist"),
        ({"extra": ["content: a\0b"]}, "is no text"),
    ],
)
def test_what_is_wrong_or_rare_is_an_error(tmp_path, changes, message):
    assert message in error_of(write(tmp_path / "a.nrrd", **changes))
