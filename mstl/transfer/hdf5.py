"""HDF5 files from strangers: opened for reading, walked once, refused where they reach out, loop or lie about sizes."""
from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy as np

from mstl.errors import TransferError
from mstl.transfer.hdf5_text import TextReader

DEEPEST = 64  # groups within groups; published networks stay below 10
FILTERS = {"gzip", "lzf", "shuffle", "fletcher32"}
_FILTER_CODES = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


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
    virtual datasets, unknown filters, and datasets that declare more bytes than are stored.
    """
    found: dict[str, h5py.Dataset] = {}
    with one_line_errors(name):
        _walk(file, "", found, seen=set(), name=name, size=size)
    return found


def _walk(group: h5py.Group, prefix: str, found: dict, *, seen: set, name: str, size: int) -> None:
    info = h5py.h5o.get_info(group.id)
    if (info.fileno, info.addr) in seen:
        raise TransferError(f"{name} links its group '{prefix}' in a loop; weights files have none. Do not use it.")
    seen.add((info.fileno, info.addr))
    if prefix.count("/") > DEEPEST:
        raise TransferError(f"{name} nests more than {DEEPEST} groups; weights files have few. Do not use it.")
    for key in group:
        path = f"{prefix}{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise TransferError(f"{name} has a link at '{path}' to elsewhere; weights files have none. Do not use it.")
        item = group[key]
        if isinstance(item, h5py.Group):
            _walk(item, f"{path}/", found, seen=seen, name=name, size=size)
        elif isinstance(item, h5py.Dataset):
            _check_storage(item, path, name=name, size=size)
            found[path] = item


def _check_storage(dataset: h5py.Dataset, path: str, *, name: str, size: int) -> None:
    """Refuse what would be read from another file, or would fill the memory from a few bytes."""
    settings = dataset.id.get_create_plist()
    if settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count():
        raise TransferError(f"{name} stores '{path}' in another file. Only data of the file itself are read.")
    codes = {settings.get_filter(index)[0] for index in range(settings.get_nfilters())}
    if codes - _FILTER_CODES:
        raise TransferError(f"{name} packs '{path}' by an unknown filter; {', '.join(sorted(FILTERS))} are read.")
    if dataset.dtype.hasobject:
        return  # text of variable length, never read as a tensor
    declared = int(np.prod(dataset.shape or (), dtype=object)) * dataset.dtype.itemsize
    stored = size if codes else dataset.id.get_storage_size()
    if declared > stored:
        raise TransferError(f"{name} declares {declared} bytes for '{path}' and stores {stored}. Copy it again.")


def attribute(item: h5py.Group, key: str, *, text: TextReader, size: int) -> list[str] | None:
    """An attribute's strings, None where there is none; declared sizes are checked before anything is read.

    `size` is the file's in bytes. Raises `TransferError` for an attribute that is not text.
    """
    if key not in item.attrs:
        return None
    handle = item.attrs.get_id(key)
    kind = handle.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID) and kind.is_variable_str():
        return text.read(h5py.h5o.get_info(item.id).addr, key)
    if 0 in handle.shape:
        return []
    if handle.dtype.kind != "S":
        raise TransferError(f"Attribute '{key}' is {handle.dtype}; text is expected. Copy the file again.")
    if int(np.prod(handle.shape, dtype=object)) * handle.dtype.itemsize > size:
        raise TransferError(f"Attribute '{key}' declares more bytes than the file has. Copy the file again.")
    return [value.decode("utf-8", errors="replace") for value in np.ravel(item.attrs[key])]
