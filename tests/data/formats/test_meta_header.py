"""Headers of MetaImage files: the fields that say where the voxels are, and what is refused."""
import numpy as np
import pytest

from mstl.data.formats.meta_header import read_meta_header
from mstl.errors import InputError

LINES = {
    "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "CompressedData": "False", "DimSize": "2 3 4",
    "ElementType": "MET_SHORT",
}  # fmt: skip


def write(path, extra=(), last="LOCAL", **changes) -> object:
    lines = [f"{name} = {value}" for name, value in (LINES | changes).items() if value is not None]
    path.write_bytes("\n".join([*lines, *extra, f"ElementDataFile = {last}", ""]).encode() + bytes(48))
    return path


def error_of(path) -> str:
    with pytest.raises(InputError) as caught:
        read_meta_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_voxels_follow_the_last_field(tmp_path):
    path = write(tmp_path / "a.mha")
    block, affine = read_meta_header(path)
    assert (block.file, block.shape, block.dtype, block.packed) == (path, (2, 3, 4), np.dtype("<i2"), False)
    assert block.offset == path.stat().st_size - 48
    np.testing.assert_array_equal(affine, np.eye(4))


def test_rows_of_the_matrix_are_directions_of_axes(tmp_path):
    lines = ["TransformMatrix = 0 1 0 -1 0 0 0 0 1", "Offset = 7 8 9", "ElementSpacing = 2 3 4"]
    affine = read_meta_header(write(tmp_path / "a.mha", lines))[1]
    np.testing.assert_array_equal(affine, [[0, -3, 0, 7], [2, 0, 0, 8], [0, 0, 4, 9], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("line", "order"), [("BinaryDataByteOrderMSB", ">"), ("ElementByteOrderMSB", ">"), ("Name", "<")]
)
def test_either_name_of_the_byte_order_counts(tmp_path, line, order):
    assert read_meta_header(write(tmp_path / "a.mha", [f"{line} = True"]))[0].dtype == np.dtype(f"{order}i2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ObjectType": "Tube"}, "describes no image"),
        ({"NDims": "2"}, "NDims and DimSize disagree"),
        ({"NDims": None}, "whole numbers are expected"),
        ({"DimSize": "2 3 -4"}, "at least 1 along each axis"),
        ({"DimSize": "2 3 5"}, "2 x 3 x 5 voxels (60 bytes), but 48 bytes"),
        ({"DimSize": "20000 30000 50000", "CompressedData": "True"}, "voxels (60 TB), but"),
        ({"ElementType": "MET_OTHER"}, "no type of real numbers"),
        ({"BinaryData": "False"}, "as text"),
        ({"BinaryData": "maybe"}, "neither True nor False"),
        ({"extra": ["ElementNumberOfChannels = 3"]}, "vectors of 3 numbers"),
        ({"extra": ["BinaryDataByteOrderMSB = True", "ElementByteOrderMSB = False"]}, "disagree"),
        ({"extra": ["Offset = 1 2"]}, "3 numbers are expected"),
        ({"extra": ["Offset = 1 2 nan"]}, "3 numbers are expected"),
        ({"extra": ["ElementSpacing = (1 1 1)"]}, "3 numbers are expected"),
        ({"extra": ["NDims = 3"]}, "'NDims' is there twice"),
        ({"extra": ["HeaderSize = 5"]}, "says twice where its voxels begin"),
        ({"extra": ["word"]}, "no name and value"),
        ({"last": "LIST"}, "several files"),
        ({"last": "a%02d.raw 1 4 1"}, "several files"),
        ({"last": "../a.raw"}, "outside of its own folder"),
        ({"last": "gone.raw"}, "does not exist"),
    ],
)
def test_what_is_wrong_or_rare_is_an_error(tmp_path, changes, message):
    assert message in error_of(write(tmp_path / "a.mha", **changes))


def test_a_header_without_its_last_field_is_an_error(tmp_path):
    (tmp_path / "a.mha").write_text("NDims = 3\n")
    assert "ElementDataFile at its end" in error_of(tmp_path / "a.mha")
    (tmp_path / "a.mha").write_text("Comment = a\n" * 100_000)
    assert "does not end within" in error_of(tmp_path / "a.mha")
