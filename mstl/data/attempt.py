"""One attempt at one item: whatever goes wrong becomes a reason of one line."""
from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from mstl.errors import InputError

Item = TypeVar("Item")
Attempts = Iterator[tuple[Item, "str | None"]]


def attempt(work: Callable[[Item], object], item: Item, threads: int | None = None) -> str | None:
    """Call `work(item)` with so many threads of ITK (None: as they are); the reason of its failure, None without.

    Errors that nobody foresaw are named with their type and place.
    """
    if threads is not None:
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    try:
        work(item)
    except InputError as error:
        return " ".join(str(error).split())
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())
        return f"{type(error).__name__}: {text} ({Path(place.filename).name}, line {place.lineno})"
    return None
