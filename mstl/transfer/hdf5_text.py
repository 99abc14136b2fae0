"""Text attributes of HDF5 files, read without libhdf5.

libhdf5 1.14 believes what a file says of its text of variable length: a wrong length makes it fill gigabytes, a wrong
size in the heap makes it loop for ever. Both were met in one of 1,500 damaged files, so every number is checked here.
Source: HDF5 File Format Specification 3.0, sections IV.A (object headers), IV.A.2.m (attributes), III.E (global heap).
"""
from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

from mstl.errors import TransferError

ATTRIBUTE, CONTINUATION = 0x0C, 0x10
_REFERENCE = struct.Struct("<IQI")  # length, address of the heap, index in it
_LARGEST_HEADER = 1 << 22  # bytes of one object header, its continuations included
_MOST_TEXTS = 1 << 16  # in one heap, whose numbers have 16 bits


class TextReader:
    """Reads attributes of variable-length text from `stream`, an HDF5 file of `size` bytes."""

    def __init__(self, stream: BinaryIO, size: int, *, name: str) -> None:
        self._stream, self._size, self._name = stream, size, name
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self._left = size // 16  # texts that the file has room for

    def read(self, header: int, key: str, *, longest: int) -> list[str]:
        """The strings of the attribute `key` of the object whose header stands at byte `header`, flattened.

        Raises `TransferError` where the attribute cannot be found, one of its strings has more than `longest` bytes,
        or anything about it does not add up.
        """
        for message in self._attribute_messages(header):
            name, count, data = _parse_attribute(message)
            if name == key.encode():
                if len(data) < count * _REFERENCE.size:
                    raise self._damaged(f"attribute '{key}' is cut off")
                lengths = [_REFERENCE.unpack_from(data, index * _REFERENCE.size)[0] for index in range(count)]
                if sum(lengths) > self._size:
                    raise self._damaged(f"attribute '{key}' is longer than the file")
                if max(lengths, default=0) > longest:
                    raise TransferError(f"{self._name} has a '{key}' of over {longest} bytes. Do not use it.")
                return [self._string(data, index) for index in range(count)]
        raise self._damaged(f"attribute '{key}' is not in its object's header")

    def _string(self, data: bytes, index: int) -> str:
        length, address, number = _REFERENCE.unpack_from(data, index * _REFERENCE.size)
        if length == 0:
            return ""
        if address not in self._heaps:
            self._heaps[address] = dict(self._heap(address))
        place, size = self._heaps[address].get(number, (0, 0))
        if length > size:
            raise self._damaged("text is longer than its place in the heap, or absent there")
        return self._bytes(place, length).decode("utf-8", errors="replace")

    def _heap(self, address: int) -> Iterator[tuple[int, tuple[int, int]]]:
        """Number, place and size of every text of a heap."""
        if self._bytes(address, 5) != b"GCOL\x01":
            raise self._damaged("text refers to no heap")
        (total,) = struct.unpack("<Q", self._bytes(address + 8, 8))
        place, end = address + 16, min(address + total, self._size)
        for _ in range(_MOST_TEXTS):
            if place + 16 > end:
                return
            number, size = struct.unpack("<H6xQ", self._bytes(place, 16))
            if number == 0 or place + 16 + size > end:
                return  # the free space at the end, or damage
            self._left -= 1
            if self._left < 0:
                raise self._damaged("heaps of text overlap")
            yield number, (place + 16, size)
            place += 16 + (size + 7) // 8 * 8

    def _attribute_messages(self, header: int) -> Iterator[bytes]:
        if self._bytes(header, 4) == b"OHDR":
            yield from self._messages_v2(header)
        else:
            yield from self._messages_v1(header)

    def _messages_v1(self, header: int) -> Iterator[bytes]:
        version, length = struct.unpack("<B7xI4x", self._bytes(header, 16))
        if version != 1:
            raise self._damaged(f"an object header has version {version}")
        blocks = [(header + 16, length)]
        for start, size in blocks:
            block, place = self._block(start, size, blocks), 0
            while place + 8 <= size:
                kind, count = struct.unpack_from("<HH", block, place)
                message = block[place + 8 : place + 8 + count]
                if kind == CONTINUATION:
                    blocks.append(struct.unpack_from("<QQ", message))
                elif kind == ATTRIBUTE:
                    yield message
                place += 8 + count

    def _messages_v2(self, header: int) -> Iterator[bytes]:
        flags = self._bytes(header, 6)[5]
        place = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        blocks = [(place + width, int.from_bytes(self._bytes(place, width), "little"))]
        extra = 2 if flags & 4 else 0
        for start, size in blocks:
            block, place = self._block(start, size, blocks), 0
            while place + 4 + extra <= size:
                kind, count = struct.unpack_from("<BH", block, place)
                message = block[place + 4 + extra : place + 4 + extra + count]
                if kind == CONTINUATION:
                    address, length = struct.unpack_from("<QQ", message)
                    blocks.append((address + 4, length - 8))  # without signature and checksum
                elif kind == ATTRIBUTE:
                    yield message
                place += 4 + extra + count

    def _block(self, start: int, size: int, blocks: list[tuple[int, int]]) -> bytes:
        if sum(length for _, length in blocks) > _LARGEST_HEADER or len(blocks) > len(set(blocks)):
            raise self._damaged("an object header goes on without end")
        return self._bytes(start, size)

    def _bytes(self, start: int, count: int) -> bytes:
        if start < 0 or count < 0 or start + count > self._size:
            raise self._damaged(f"{count} bytes at {start} lie outside of the file")
        self._stream.seek(start)
        return self._stream.read(count)

    def _damaged(self, reason: str) -> TransferError:
        return TransferError(f"{self._name} is damaged ({reason}). Copy or download it again.")


def _parse_attribute(message: bytes) -> tuple[bytes, int, bytes]:
    """Name, number of elements and data of an attribute message of version 1, 2 or 3."""
    version, _, name_size, type_size, space_size = struct.unpack_from("<BBHHH", message)
    start = 9 if version == 3 else 8
    pad = 8 if version == 1 else 1
    type_start = start + math.ceil(name_size / pad) * pad
    space_start = type_start + math.ceil(type_size / pad) * pad
    data_start = space_start + math.ceil(space_size / pad) * pad
    name = message[start : start + name_size].split(b"\0")[0]
    return name, _count_elements(message[space_start:data_start]), message[data_start:]


def _count_elements(space: bytes) -> int:
    """Elements of a dataspace message of version 1 or 2; a scalar has one."""
    version, rank = space[0], space[1]
    return math.prod(struct.unpack_from(f"<{rank}Q", space, 8 if version == 1 else 4))
