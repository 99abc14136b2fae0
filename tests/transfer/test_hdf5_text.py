import io
import struct

import h5py
import pytest

from mstl.errors import TransferError
from mstl.transfer.hdf5_text import TextReader

TEXTS = ["first", "", "third \u00e9", "x" * 3000]


def file_of(texts, libver="earliest", key="names"):
    """Bytes of a file with one attribute of variable-length text, and the place of its object's header."""
    memory = io.BytesIO()
    with h5py.File(memory, "w", libver=libver) as file:
        file.attrs["before"] = 1.0
        for number in range(6):
            file.attrs[f"more{number}"] = "a" * 50
        file.attrs.create(key, texts, dtype=h5py.string_dtype())
        header = h5py.h5o.get_info(file.id).addr
    return memory.getvalue(), header


def reader(data):
    return TextReader(io.BytesIO(data), len(data), name="a.h5")


@pytest.mark.parametrize("libver", ["earliest", "v110"])
def test_texts_are_those_that_were_written(libver):
    data, header = file_of(TEXTS, libver)
    assert reader(data).read(header, "names", longest=5000) == TEXTS
    assert reader(data).read(header, "more5", longest=5000) == ["a" * 50]


def test_a_scalar_is_a_list_of_one():
    data, header = file_of("one")
    assert reader(data).read(header, "names", longest=5000) == ["one"]


def test_a_text_longer_than_asked_for_is_refused():
    data, header = file_of(TEXTS)
    with pytest.raises(TransferError, match="over 2999 bytes"):
        reader(data).read(header, "names", longest=2999)


def test_an_absent_attribute_is_refused():
    data, header = file_of(TEXTS)
    with pytest.raises(TransferError, match="'absent' is not in its object's header"):
        reader(data).read(header, "absent", longest=5000)


def damage(data, old, new):
    assert old in data
    return data.replace(old, new)


def test_a_length_beyond_the_heap_is_refused():
    data, header = file_of(["a" * 41])
    place = data.index(struct.pack("<I", 41), data.index(b"names\0"))
    wrong = data[:place] + struct.pack("<I", 1 << 31) + data[place + 4 :]
    with pytest.raises(TransferError, match="damaged"):
        reader(wrong).read(header, "names", longest=5000)


def test_a_heap_object_of_no_size_does_not_loop():
    data, header = file_of(TEXTS)
    heap = data.index(b"GCOL")
    for size in (0, (1 << 64) - 16, 1 << 63):
        wrong = data[: heap + 24] + struct.pack("<Q", size) + data[heap + 32 :]
        with pytest.raises(TransferError, match="damaged"):
            reader(wrong).read(header, "names", longest=5000)


def test_one_text_named_again_and_again_is_refused():
    data, header = file_of(["a" * 3000] * 200)
    first = data.index(struct.pack("<I", 3000), data.index(b"names\0"))
    again = data[first : first + 16] * 200
    wrong = data[:first] + again + data[first + len(again) :]
    with pytest.raises(TransferError, match="longer than the file"):
        TextReader(io.BytesIO(wrong), 200_000, name="a.h5").read(header, "names", longest=5000)


@pytest.mark.parametrize("header", [0, 7, 1 << 62])
def test_a_header_that_is_none_is_refused(header):
    data, _ = file_of(TEXTS)
    with pytest.raises(TransferError, match="damaged"):
        reader(data).read(header, "names", longest=5000)


def test_a_header_that_goes_on_in_itself_is_refused():
    block = struct.pack("<HHB3x", 0x10, 16, 0) + struct.pack("<QQ", 16, 24)
    data = struct.pack("<B7xI4x", 1, 24) + block
    with pytest.raises(TransferError, match="without end"):
        reader(data).read(0, "names", longest=5000)
