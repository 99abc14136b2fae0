"""Regions of tumours: single labels, and the sets of labels that BraTS scores, each against the same in the reference.

BraTS scores the whole tumour, its core and what enhances, because treatment goes by these (Menze et al. 2015,
doi 10.1109/TMI.2014.2377694; Bakas et al. 2018, arXiv 1811.02629).
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mstl.data.labels import shown
from mstl.errors import InputError
from mstl.evaluation.scores import COLUMNS, KEYS, SCORES, beside, read_table, score_case, summary

REGION_COLUMNS = (*KEYS, "region", *SCORES, "empty_reference")
BRATS: dict[tuple[int, ...], dict[str, tuple[int, ...]]] = {  # by the labels of a year's masks
    (1, 2, 4): {"whole": (1, 2, 4), "core": (1, 4), "enhancing": (4,)},  # 2017 to 2021
    (1, 2, 3): {"whole": (1, 2, 3), "core": (1, 3), "enhancing": (3,)},  # from 2023 on
}
DECATHLON = {(1, 2, 3): {"whole": (1, 2, 3), "core": (2, 3), "enhancing": (3,)}}  # oedema is 1, Antonelli et al. 2022
TABLES = {"msd": DECATHLON}  # by the dataset of a case, the layout that it was indexed by; else BRATS


def regions_of(
    labels: Sequence[int], *, named: Mapping[str, Sequence[int]] | None = None, dataset: str = ""
) -> dict[str, tuple[int, ...]]:
    """Regions by name: every label alone ("label 1"), and whole, core and enhancing where the labels are BraTS'.

    `dataset` is that of the cohort: the Decathlon, "msd", numbers the same tumours otherwise. Labels 1 to 4 have no
    regions unless `named`, as {"core": (1, 3)}: 4 is enhancing tumour in 2012 to 2016 and a cavity in 2024. `named`
    adds regions, or says what one of these names is. Raises `InputError` for an empty region, or one of labels that
    are not among `labels`.
    """
    regions = {f"label {label}": (label,) for label in sorted(labels)}
    regions |= TABLES.get(dataset, BRATS).get(tuple(sorted(labels)), {})
    for name, members in (named or {}).items():
        if not members or not set(members) <= set(labels):
            raise InputError(
                f"Region '{name}' is of labels {shown(members) or 'none'}; some of {shown(labels)} are expected. "
                "Name labels that the masks hold."
            )
        regions[name] = tuple(members)
    return regions


def score_regions(
    prediction: np.ndarray, reference: np.ndarray, *, spacing: Sequence[float], regions: Mapping[str, Sequence[int]]
) -> list[dict[str, object]]:
    """A row a region: its name under "region", and what `score_case` says of its voxels.

    Both arrays are 3D, of one shape, whole numbers; a voxel is of a region where its value is one of the region's.
    `spacing` holds the voxel size in mm along the axes. Raises `InputError` as `score_case` does.
    """
    return [
        {"region": name, **score_case(np.isin(prediction, labels), np.isin(reference, labels), spacing=spacing)}
        for name, labels in regions.items()
    ]


def region_rule(regions: Mapping[str, Sequence[int]]) -> str:
    """Which labels each region is of, for the header of a table."""
    named = {name: labels for name, labels in regions.items() if name != f"label {labels[0]}"}
    sets = "; ".join(f"{name} = {shown(labels, separator=' + ')}" for name, labels in named.items())
    return f"Regions: single labels{f'; {sets}' if sets else ''}. Each is scored as a mask of its own."


def regions_path(scores: str | Path) -> Path:
    """Where the regions of a `scores.csv` stand: `scores_regions.csv`, beside it."""
    return beside(scores, "regions")


def read_regions(path: str | Path) -> pd.DataFrame:
    """Read a table of regions, a row a case and region; raises `InputError` where it is not one."""
    return read_table(path, columns=REGION_COLUMNS, text=(*KEYS, "region"))


def region_summaries(rows: pd.DataFrame) -> dict[str, dict]:
    """`summary` of every region, by name, in the order of the table."""
    groups = rows[["region", *COLUMNS]].groupby("region", sort=False)
    return {str(name): summary(group) for name, group in groups}
