"""Whether the files of a folder are still those handed over: `SHA256SUMS`, as `sha256sum --check` reads it."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mstl.errors import InputError
from mstl.files import sha256, write_text
from mstl.transfer.registry import State

CHECKSUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def write_checksums(folder: str | Path) -> Path:
    """Write the SHA-256 of every file below `folder` into its `SHA256SUMS`, sorted by name; returns that file."""
    folder = Path(folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    write_text(folder / CHECKSUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names if name != CHECKSUMS))
    return folder / CHECKSUMS


def checksum_states(folder: str | Path) -> dict[str, State]:
    """The state of every file in the folder's `SHA256SUMS`: "ok", "damaged" or "not here".

    Raises `InputError` where the folder has no such list, or it cannot be read.
    """
    folder = Path(folder)
    return {name: _state(folder / name, digest) for name, digest in _listed(folder)}


def check_whole(folder: str | Path) -> None:
    """Raise `InputError` that names the files of `folder` that are not those of its `SHA256SUMS`; none without one."""
    if not (Path(folder) / CHECKSUMS).exists():
        return
    states = checksum_states(folder)
    if wrong := [f"{name} is {state}" for name, state in states.items() if state != "ok"]:
        raise InputError(f"{folder} is not as it was exported: {', '.join(wrong)}. Copy the folder again.")


def _listed(folder: Path) -> Iterator[tuple[str, str]]:
    path = folder / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{folder} has no {CHECKSUMS}. Give a folder that 'mstl export' wrote.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read ({error}). Copy the folder again.") from error
    for line in lines:
        if not (found := _LINE.fullmatch(line)):
            raise InputError(f"{path} holds {line[:80]!r}, which is no checksum and name. Copy the folder again.")
        yield found[2], found[1]


def _state(path: Path, digest: str) -> State:
    if not path.is_file():
        return "not here"
    return "ok" if sha256(path) == digest else "damaged"
