"""Masks of several raters made into one a case, written beside the cohort."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.indexing import Index
from mstl.data.layouts.found import CONSENSUS
from mstl.data.raters import RULES
from mstl.data.volume import read_mask, write_volume
from mstl.errors import InputError


def write_consensus(
    index: Index, folder: str | Path, *, rule: str, progress: Callable[[str], None] | None = None
) -> Cohort:
    """Write `<case>_<rule>.nii.gz` (uint8 0 and 1) of all raters of each case; return the cases with these masks.

    `rule` is "majority" or "staple" (`mstl.data.raters`). A published consensus is no rater. The mask of a single
    rater is taken as it is, nothing is written for it; a case without masks stays so. Values from 0.5 are lesion.
    `progress` is called with each case's name. Raises `InputError` for an unknown rule, where no case has two raters,
    and naming the case where masks cannot be read or lie on different grids.
    """
    if rule not in RULES:
        raise InputError(f"Rule {rule!r} is unknown. Use {' or '.join(RULES)}.")
    masks = {name: [path for who, path in by.items() if who != CONSENSUS] for name, by in index.raters.items()}
    if not any(len(paths) > 1 for paths in masks.values()):
        raise InputError(f"No case has masks by two raters, which {rule} needs. Choose one rater.")
    cases = []
    for case in index.cases:
        cases.append(replace(case, mask=_mask_of(case, masks[case.name], Path(folder), rule)))
        if progress:
            progress(case.name)
    return Cohort(cases)


def _mask_of(case: Case, paths: list[Path], folder: Path, rule: str) -> Path | None:
    """The path of the mask that a case gets; written where there are several to make it of."""
    if len(paths) < 2:
        return paths[0] if paths else None
    try:
        mask = RULES[rule]([read_mask(path, binarise=True) for path in paths])
    except InputError as error:
        raise InputError(f"Case {case.name}: {error}") from None
    out = folder / f"{case.name}_{rule}.nii.gz"
    write_volume(out, mask.data, mask.affine)
    return out
