"""Masks of several raters made into one a case, written beside the cohort."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.formats.pictures import is_picture
from mstl.data.indexing import Index
from mstl.data.layouts.found import CONSENSUS
from mstl.data.raters import RULES
from mstl.data.volume import read_mask, write_volume
from mstl.errors import InputError


def write_consensus(
    index: Index, folder: str | Path, *, rule: str, progress: Callable[[str], None] | None = None
) -> Cohort:
    """Write `<case>_<rule>.nii.gz` (uint8 0 and 1) of all raters of each case; return the cases with these masks.

    Of pictures it is `<case>_<rule>.png`, 0 and 255. `rule` is "majority" or "staple" (`mstl.data.raters`). A published
    consensus is no rater. A case with masks by fewer than two raters keeps what there is, which is told by a warning.
    Values from 0.5 are lesion. `progress` is called with each case's name. Raises `InputError` for an unknown rule,
    where no case has two raters, and naming the case where masks cannot be read or lie on different grids.
    """
    if rule not in RULES:
        raise InputError(f"Rule {rule!r} is unknown. Use {' or '.join(RULES)}.")
    masks = {name: [path for who, path in by.items() if who != CONSENSUS] for name, by in index.raters.items()}
    alone = [name for name, paths in masks.items() if len(paths) < 2]
    if len(alone) == len(masks):
        raise InputError(f"No case has masks by two raters, which {rule} needs. Choose one rater.")
    kept = [name for name in alone if index.raters[name]]
    if kept:
        warnings.warn(f"Cases of a single mask, kept as it is: {len(kept)} ({kept[0]} for one).", stacklevel=2)
    cases = []
    for case in index.cases:
        if case.name in alone:
            mask = next(iter(index.raters[case.name].values()), None)
        else:
            mask = _write(case, masks[case.name], Path(folder), rule)
        cases.append(replace(case, mask=mask))
        if progress:
            progress(case.name)
    return Cohort(cases)


def _write(case: Case, paths: list[Path], folder: Path, rule: str) -> Path:
    """Make one mask of several and write it; returns its path."""
    try:
        mask = RULES[rule]([read_mask(path, binarise=True) for path in paths])
    except InputError as error:
        raise InputError(f"Case {case.name}: {error}") from None
    if is_picture(paths[0]):
        out, white = folder / f"{case.name}_{rule}.png", 255
    else:
        out, white = folder / f"{case.name}_{rule}.nii.gz", 1
    write_volume(out, mask.data * np.uint8(white), mask.affine)
    return out
