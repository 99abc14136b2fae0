"""Pictures among the cases: which they are, what can be asked of them, and whether they are of one size."""
from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mstl.data.case import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.preparation import STEPS, Preparation
from mstl.data.volume import read_grid
from mstl.errors import InputError


def are_pictures(case: Case, preparation: Preparation) -> bool:
    """Whether the scans of a case that are to be prepared are pictures.

    Raises `InputError` where some of its files are pictures and others volumes, and where pictures have a brain mask
    or shall go through steps that are of heads.
    """
    paths = [case.images[name] for name in preparation.modalities] + ([case.mask] if case.mask else [])
    pictures = [path for path in paths if is_picture(path)]
    if not pictures:
        return False
    other = next((path for path in paths if path not in pictures), None)
    if other is not None:
        raise InputError(f"{pictures[0]} is a picture, {other} a volume. The files of a case must be of one kind.")
    if case.brain_mask is not None:
        raise InputError(f"{pictures[0]} is a picture, all of which is seen. Leave {case.brain_mask}, its brain, out.")
    if preparation.steps:
        raise InputError(
            f"{pictures[0]} is a picture; the steps {', '.join(STEPS)} are for scans of heads. Leave --steps out."
        )
    return True


def check_one_size(cases: Iterable[Case], preparation: Preparation) -> None:
    """Raise `InputError` where pictures are of several sizes and nothing says to which they shall be stretched.

    Reads headers only; files that are missing or damaged are passed over.
    """
    if preparation.shape is not None:
        return
    by_size: dict[tuple[int, int], Path] = {}
    for case in cases:
        path = case.images[preparation.modalities[0]]
        if is_picture(path):
            with suppress(InputError):
                by_size.setdefault(read_grid(path).shape[:2], path)
        if len(by_size) > 1:
            (one, (rows, columns)), (other, (other_rows, other_columns)) = ((at, size) for size, at in by_size.items())
            raise InputError(
                f"{one} has {rows} x {columns} pixels, {other} {other_rows} x {other_columns}. Stretch all to one "
                f"size: --shape {rows},{columns}, or another H,W."
            )
