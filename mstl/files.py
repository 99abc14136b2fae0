"""Files that are either whole or absent: written under a temporary name, then moved into place."""
from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mstl.errors import InputError

_LEFTOVER = re.compile(r"\.\d+-.")  # the temporary names of `whole_file`


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; move it into place if the block ends well, else remove it.

    The temporary name keeps the suffixes of `path`, because writers choose their format by suffix.
    Raises `InputError` where the disk is full or the folder cannot be written to.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        with suppress(OSError):  # nothing to remove, or no folder it could be in
            temporary.unlink()


@contextmanager
def whole_h5(path: str | Path) -> Iterator[Path]:
    """`whole_file` for HDF5, which at closing says by a `RuntimeError` that the disk is full."""
    with whole_file(path) as temporary:
        try:
            yield temporary
        except RuntimeError as error:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def remove_leftovers(folder: str | Path) -> None:
    """Remove the temporary files that a killed process left anywhere in `folder`."""
    for path in Path(folder).rglob(".*"):
        if _LEFTOVER.match(path.name) and path.is_file():
            path.unlink()


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; replace `path` by it if the block ends well, else remove it."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise _write_error(path, error) from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftover_folders(parent: str | Path, names: Iterable[str]) -> None:
    """Remove the temporary folders of `whole_folder(parent / name)` that killed processes left."""
    names = set(names)
    for path in Path(parent).glob(".*-????????"):
        if path.name[1:-9] in names and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)


def _write_error(path: Path, error: OSError) -> InputError:
    reason = error.strerror or str(error)
    return InputError(f"Cannot write {path}: {reason}. Free some space or choose another output folder.")


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: str | Path) -> dict:
    """Read a JSON file; raises `InputError` where it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}). Write it again.") from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def new_folder(path: str | Path) -> Path:
    """Make an output folder; raises `InputError` where it exists and is not empty."""
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"Output {path} exists and is not empty. Choose a new folder, or remove it first.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _write_error(path, error) from error
    return path


def shipped_folder() -> Path:
    """Folder of the weights that come with mstl: `mstl/weights` in an installed wheel, `weights` in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"
