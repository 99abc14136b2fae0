"""Paths that name one volume of a 4D file: `x.nii.gz#2` is its third volume."""
from __future__ import annotations

import re
from pathlib import Path

_SELECTOR = re.compile(r"#([0-9]+)\Z")


def file_of(path: str | Path) -> Path:
    """The file that `path` lies in: `x.nii.gz#2` gives `x.nii.gz`, a path without `#N` itself."""
    path = Path(path)
    return path.with_name(_SELECTOR.sub("", path.name)) if volume_of(path) is not None else path


def volume_of(path: str | Path) -> int | None:
    """The volume that `path` names, counted from 0; None where it names the whole file."""
    name = Path(path).name
    found = _SELECTOR.search(name)
    return int(found[1]) if found and found.start() > 0 else None
