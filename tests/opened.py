"""Which files are opened: for tests of what must stay closed."""
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_watching: list[list[Path]] = []
_installed: list[bool] = []


@contextmanager
def opened_files() -> Iterator[list[Path]]:
    """The files that this process opens in the block, by any of Python's ways."""
    if not _installed:
        sys.addaudithook(_note)  # stays for good: Python has no way to remove it
        _installed.append(True)
    paths: list[Path] = []
    _watching.append(paths)
    try:
        yield paths
    finally:
        _watching[:] = [others for others in _watching if others is not paths]


def _note(event: str, arguments: tuple) -> None:
    if _watching and event == "open" and isinstance(arguments[0], str | os.PathLike):
        for paths in _watching:
            paths.append(Path(arguments[0]))
