"""Text headers: lines up to the end, fields once each, blocks of bytes that are there."""
import numpy as np
import pytest

from mstl.data.formats.text_headers import Block, Header, header_lines
from mstl.errors import InputError


def test_lines_end_with_the_one_that_is_last(tmp_path):
    (tmp_path / "a").write_bytes(b"one\ntwo\r\n\nrest")
    assert header_lines(tmp_path / "a", "X", is_last=lambda line: not line) == (["one", "two", ""], 10)


@pytest.mark.parametrize("content", [b"a\0b\n", b"a" * 70_000, b"\x1f\x8b\x08\n"])
def test_what_is_no_text_is_an_error(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="line 1 of its header is no text"):
        header_lines(tmp_path / "a", "X", is_last=lambda line: not line)


def test_a_header_has_each_field_once(tmp_path):
    header = Header(tmp_path, "X", [("a", " 1 2 "), ("b", "3")])
    assert header.integers("a") == (1, 2)
    assert header.integers("c", "7") == (7,)
    with pytest.raises(InputError, match="'a' is there twice"):
        Header(tmp_path, "X", [("a", "1"), ("a", "1")])


@pytest.mark.parametrize("text", ["", "1.5", "0x1", "1e3", "٣", "1" * 19, "1 " * 9, "--1"])
def test_only_a_few_whole_numbers_are_numbers(tmp_path, text):
    with pytest.raises(InputError, match="whole numbers are expected"):
        Header(tmp_path, "X", [("a", text)]).integers("a")


def test_a_block_at_the_end_of_a_file_begins_where_its_size_says(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(100))
    header = Header(path, "X", [])
    block = Block(path, (2, 3, 4), np.dtype("i2"), 10, False)
    assert header.placed(block, -1).offset == 52
    assert header.placed(block, 5).offset == 15
    with pytest.raises(InputError, match="declares 2 x 3 x 4 voxels"):
        header.placed(block, 50)
    with pytest.raises(InputError, match="skips 5 bytes"):
        header.placed(Block(path, (2, 3, 4), np.dtype("i2"), 10, True), 5)
