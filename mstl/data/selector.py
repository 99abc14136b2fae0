"""Paths that name a part of a file: `x.nii.gz#2` its third volume, `x.mat#fluid:2` that of its array `fluid`."""
from __future__ import annotations

import re
from pathlib import Path

_SELECTOR = re.compile(r"#(?:([A-Za-z]\w*):)?([0-9]+)\Z")


def file_of(path: str | Path) -> Path:
    """The file that `path` lies in: `x.nii.gz#2` gives `x.nii.gz`, a path without `#N` itself."""
    path = Path(path)
    return path.with_name(path.name[: found.start()]) if (found := _found(path)) else path


def volume_of(path: str | Path) -> int | None:
    """The volume that `path` names, counted from 0; None where it names the whole file."""
    found = _found(path)
    return int(found[2]) if found else None


def array_of(path: str | Path) -> str:
    """The array that `path` names before its volume: `fluid` of `x.mat#fluid:2`; "" where it names none."""
    found = _found(path)
    return found[1] or "" if found else ""


def _found(path: str | Path) -> re.Match[str] | None:
    """The selector at the end of a path's name, which must not be all of it."""
    found = _SELECTOR.search(Path(path).name)
    return found if found and found.start() > 0 else None
