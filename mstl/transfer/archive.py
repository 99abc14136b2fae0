"""What a weights file is before it is opened: HDF5, a `.keras` archive with HDF5 inside, or something else by name."""
from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mstl.errors import TransferError
from mstl.transfer.hdf5 import LONGEST, one_line_errors

HDF5 = b"\x89HDF\r\n\x1a\n"
_TABLE = bytes.fromhex("57fb808b247547db")  # end of an index of a TensorFlow checkpoint
_HEAVIEST = 2  # an archive's weights may be this many times as large as the archive,
_SMALL = 1 << 20  # and so many bytes more, as JSON and the structure of HDF5 pack well


@dataclass(frozen=True)
class WeightsSource:
    """HDF5 as h5py opens it: a path, or the bytes of an archive's member.

    `config` is the model's JSON and `keras_version` the version that an archive tells, None where there are none.
    """

    file: Path | io.BytesIO
    size: int
    raw: BinaryIO
    config: dict | None = None
    keras_version: str | None = None

    @property
    def training_config(self) -> dict | None:
        """Optimizer, loss and metrics in the model's JSON; None where there are none."""
        found = (self.config or {}).get("compile_config")
        return found if isinstance(found, dict) else None

    def stream(self) -> BinaryIO:
        """The same bytes for plain reading."""
        return self.raw

    def close(self) -> None:
        """Let go of the file."""
        self.raw.close()


def weights_source(path: Path) -> WeightsSource:
    """Find the HDF5 in `path`; raises `TransferError` that says what the file is where it holds none."""
    try:
        if path.is_dir():
            raise TransferError(f"{path} is a folder{_of_tensorflow(path)}. {_WANTED}")
        size = path.stat().st_size
        if not path.is_file():
            raise TransferError(f"{path} is {_special(path)}, no file. {_WANTED}")
        with path.open("rb") as stream:
            head = stream.read(512)
            stream.seek(max(0, size - 8))
            tail = stream.read(8)
    except FileNotFoundError:
        raise TransferError(f"{path} does not exist. Check the path.") from None
    except OSError as error:
        raise TransferError(f"{path} cannot be read ({error.strerror}). Check its permissions.") from error
    if head.startswith(HDF5):
        return WeightsSource(path, size, path.open("rb"))
    if head.startswith(b"PK"):
        return _from_archive(path, size)
    raise TransferError(f"{path.name} is {_kind(head, tail)}, not HDF5. {_WANTED}")


_WANTED = "Give a Keras .h5, .weights.h5 or .keras file; save one with model.save_weights('weights.h5')."


def _from_archive(path: Path, size: int) -> WeightsSource:
    with one_line_errors(path.name), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        member = next((name for name in names if name.endswith(".weights.h5") and "/" not in name), None)
        if member is None:
            kind = "a PyTorch file" if any(name.endswith("data.pkl") for name in names) else "a zip archive"
            raise TransferError(f"{path.name} is {kind} without Keras weights. {_WANTED}")
        data = _member(archive, member, limit=_HEAVIEST * size + _SMALL, name=path.name)
        config = _mapping(archive, "config.json", limit=_HEAVIEST * size + _SMALL, name=path.name)
        about = _mapping(archive, "metadata.json", limit=_SMALL, name=path.name) or {}
    if not data.startswith(HDF5):
        raise TransferError(f"{path.name} holds no HDF5 as {member}. {_WANTED}")
    version = about.get("keras_version")
    known = isinstance(version, str) and version.isprintable() and len(version) <= LONGEST
    return WeightsSource(io.BytesIO(data), len(data), io.BytesIO(data), config, version if known else None)


def _mapping(archive: zipfile.ZipFile, member: str, *, limit: int, name: str) -> dict | None:
    """The JSON mapping of a member; None where there is none."""
    value = json.loads(_member(archive, member, limit=limit, name=name)) if member in archive.namelist() else None
    return value if isinstance(value, dict) else None


def _member(archive: zipfile.ZipFile, member: str, *, limit: int, name: str) -> bytes:
    """Bytes of a member, as many as it declares and no more than `limit`."""
    declared = archive.getinfo(member).file_size
    if declared > limit:
        raise TransferError(f"{name} declares {declared} bytes for {member}, over {limit}. Download it again.")
    with archive.open(member) as stream:
        return stream.read(declared)


def _special(path: Path) -> str:
    """What else than a file or a folder stands at `path`."""
    if path.is_fifo():
        return "a named pipe"
    return "a socket" if path.is_socket() else "a device"


def _of_tensorflow(folder: Path) -> str:
    saved = (folder / "saved_model.pb").exists()
    return ", a TensorFlow SavedModel" if saved else ""


def _kind(head: bytes, tail: bytes) -> str:
    """Name of a format by its first and last bytes."""
    if not head:
        return "empty"
    if tail == _TABLE:
        return "the index of a TensorFlow checkpoint"
    if head.startswith(b"model_checkpoint_path"):
        return "the list of TensorFlow checkpoints"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle, as old PyTorch files are, which could run code"
    if head[8:9] == b"{" and head[1:8].strip(b"\0") in (b"", head[1:2], head[1:3], head[1:4]):
        return "a safetensors file"
    if head.startswith(b"\x1f\x8b"):
        return "a gzip file"
    if head.startswith(b"\x93NUMPY"):
        return "a NumPy array"
    if head.startswith((b"\x0a", b"\x08")) and b"saved_model" in head:
        return "a TensorFlow SavedModel"
    return "not a format that weights are kept in"
