"""HDF5 files from strangers: opened for reading, walked once, refused where they reach out, loop or lie about sizes."""
from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np

from mstl.errors import TransferError
from mstl.transfer.hdf5_text import TextReader

_SMALL = 1 << 16  # bytes
DEEPEST = 64  # groups within groups; published networks stay below 10
LONGEST = 1024  # characters of a name or a path; published networks stay below 200
_UNPACKED = 2  # all packed arrays may be this many times as large as the file
_JSON = ("model_config", "training_config")  # attributes that are no names
BFLOAT16 = np.dtype("V2")  # as h5py stores what numpy does not know
FILTERS = {"gzip", "shuffle", "fletcher32"}
_FILTER_CODES = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


@contextmanager
def one_line_errors(name: str) -> Iterator[None]:
    """Say of whatever HDF5, h5py or numpy raise within that the file `name` is damaged."""
    try:
        yield
    except TransferError:
        raise
    except Exception as error:  # libhdf5 answers damage with any of a dozen types
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise TransferError(f"{name} is damaged ({reason}). Copy or download it again.") from error


def open_hdf5(source: Path | io.BytesIO, *, name: str) -> h5py.File:
    """Open for reading, without a cache of chunks; raises `TransferError` where HDF5 cannot."""
    with one_line_errors(name):
        return h5py.File(source, "r", rdcc_nbytes=0)


def close_hdf5(file: h5py.File) -> None:
    """Close; a damaged file may refuse, which changes nothing."""
    with suppress(Exception):
        file.close()


def datasets_of(file: h5py.File, *, name: str, size: int) -> dict[str, h5py.Dataset]:
    """Every dataset of a file by its path, after a look at each link, group and declared size; no data are read.

    `size` is the file's in bytes. Raises `TransferError` for soft, external and looping links, external storage,
    virtual datasets, unknown filters, paths of more than `LONGEST` characters, datasets that stand there twice, and
    such that declare more bytes than are stored, alone or together.
    """
    found: dict[str, h5py.Dataset] = {}
    with one_line_errors(name):
        _walk(h5py.h5g.open(file.id, b"/"), "", found, seen=set(), name=name, size=size)
        packed = any(dataset.compression for dataset in found.values())
        declared = sum(_declared_bytes(dataset.id) for dataset in found.values())
    if declared > (_UNPACKED if packed else 1) * size:
        raise TransferError(f"{name} declares {declared} bytes of arrays and has {size}. Copy or download it again.")
    return found


def _walk(group: h5py.h5g.GroupID, prefix: str, found: dict, *, seen: set, name: str, size: int) -> None:
    if _seen_before(group, seen):
        raise TransferError(f"{name} links its group '{prefix}' in a loop; weights files have none. Do not use it.")
    if prefix.count("/") > DEEPEST:
        raise TransferError(f"{name} nests more than {DEEPEST} groups; weights files have few. Do not use it.")
    links: list[tuple[bytes, int]] = []
    group.links.iterate(lambda key, link: links.append((key, link.type)), info=True)
    for key, link in links:
        path = prefix + key.decode("utf-8", errors="replace")
        if len(path) > LONGEST:
            raise TransferError(f"{name} has a path of {len(path)} characters, over {LONGEST}. Do not use it.")
        if not path.isprintable():
            raise TransferError(f"{name} has the name {path!r}; text is expected. Copy or download it again.")
        if link != h5py.h5l.TYPE_HARD:
            raise TransferError(f"{name} has a link at '{path}' to elsewhere; weights files have none. Do not use it.")
        item = h5py.h5o.open(group, key)
        if isinstance(item, h5py.h5g.GroupID):
            _walk(item, f"{path}/", found, seen=seen, name=name, size=size)
        elif isinstance(item, h5py.h5d.DatasetID):
            if _seen_before(item, seen):
                raise TransferError(f"{name} has one array twice, at '{path}' again; Keras never does. Do not use it.")
            _check_storage(item, path, name=name, size=size)
            found[path] = h5py.Dataset(item)


def _seen_before(item: h5py.h5g.GroupID | h5py.h5d.DatasetID, seen: set) -> bool:
    """Whether an object's address is in `seen`, to which it is added."""
    info = h5py.h5o.get_info(item)
    address = info.fileno, info.addr
    if address in seen:
        return True
    seen.add(address)
    return False


def _declared_bytes(dataset: h5py.h5d.DatasetID) -> int:
    """Bytes of an array by shape and type; none for text of variable length, which is never read as a tensor."""
    kind = dataset.dtype
    return 0 if kind.hasobject or dataset.shape is None else math.prod(dataset.shape) * kind.itemsize


def _check_storage(dataset: h5py.h5d.DatasetID, path: str, *, name: str, size: int) -> None:
    """Refuse what would be read from another file, or would fill the memory from a few bytes."""
    settings = dataset.get_create_plist()
    layout = settings.get_layout()
    if layout == h5py.h5d.VIRTUAL or settings.get_external_count():
        raise TransferError(f"{name} stores '{path}' in another file. Only data of the file itself are read.")
    count = settings.get_nfilters() if layout == h5py.h5d.CHUNKED else 0
    filters = [settings.get_filter(index)[0] for index in range(count)]
    codes = set(filters)
    if codes - _FILTER_CODES or len(codes) < len(filters):
        raise TransferError(f"{name} packs '{path}' by an unknown filter; {', '.join(sorted(FILTERS))} are read.")
    declared = _declared_bytes(dataset)
    stored = size if codes else dataset.get_storage_size()
    if declared > stored:
        raise TransferError(f"{name} declares {declared} bytes for '{path}' and stores {stored}. Copy it again.")


def read_dataset(dataset: h5py.Dataset, scratch: np.ndarray | None = None, *, name: str) -> np.ndarray:
    """The array of a dataset that `datasets_of` let through; it lies in `scratch` (bytes) where that is given.

    Raises `TransferError` where its chunks are damaged.
    """
    with one_line_errors(name):
        if dataset.chunks and dataset.compression:
            _check_chunks(dataset, name)
        shape, kind = dataset.id.shape, dataset.id.dtype
        count = math.prod(shape) * kind.itemsize
        array = (np.empty(count, np.uint8) if scratch is None else scratch[:count]).view(kind).reshape(shape)
        dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
        return array


def _check_chunks(dataset: h5py.Dataset, name: str) -> None:
    """Refuse chunks that would unpack to more than a chunk, which libhdf5 does to any size."""
    limit = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if limit > 2 * dataset.nbytes + _SMALL:
        raise TransferError(f"{name} declares chunks far larger than '{dataset.name}' itself. Copy it again.")
    for number in range(dataset.id.get_num_chunks()):
        chunk = dataset.id.get_chunk_info(number)
        if chunk.size > dataset.file.id.get_filesize():
            raise TransferError(f"{name} declares a chunk of '{dataset.name}' larger than the file. Copy it again.")
        _, packed = dataset.id.read_direct_chunk(chunk.chunk_offset)
        if len(zlib.decompressobj().decompress(packed, limit + 1)) > limit:
            raise TransferError(f"{name} packs more than a chunk into one of '{dataset.name}'. Do not use it.")


def attribute(place: h5py.h5g.GroupID, key: str, *, text: TextReader, size: int) -> list[str] | None:
    """An attribute's strings, None where there is none; declared sizes are checked before anything is read.

    `size` is the file's in bytes. Raises `TransferError` for an attribute that is not text, and for names of more
    than `LONGEST` bytes; only JSON is longer.
    """
    longest = size if key in _JSON else LONGEST
    if not h5py.h5a.exists(place, key.encode()):
        return None
    handle = h5py.h5a.open(place, key.encode())
    kind = handle.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
        return text.read(h5py.h5o.get_info(place).addr, key, longest=longest)
    if 0 in handle.shape:
        return []
    if handle.dtype.kind != "S":
        raise TransferError(f"Attribute '{key}' is {handle.dtype}; text is expected. Copy the file again.")
    if math.prod(handle.shape) * handle.dtype.itemsize > size:
        raise TransferError(f"Attribute '{key}' declares more bytes than the file has. Copy the file again.")
    if handle.dtype.itemsize > longest:
        raise TransferError(f"Attribute '{key}' has names of over {longest} bytes. Do not use the file.")
    values = np.empty(handle.shape, handle.dtype)
    handle.read(values)
    return [value.decode("utf-8", errors="replace") for value in values.ravel().tolist()]
