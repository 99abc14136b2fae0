"""The regions of a report: how well each part of the tumours was found, over all cases and in each."""
from __future__ import annotations

from pathlib import Path

import pandas as pd

from mstl.evaluation.regions import read_regions, region_summaries, regions_path
from mstl.evaluation.scores import PICTURE_RULE
from mstl.reporting import pictures
from mstl.reporting.folder import as_rows, read_csv

COLUMNS = {  # column: (heading, explanation, digits)
    "dice": ("Dice", "Overlap: twice the common volume over the sum of both; 1 is perfect", 3),
    "hausdorff95_mm": ("HD95 mm", "95th percentile of the distances between both surfaces", 1),
    "sensitivity": ("Sensitivity", "Part of the region's volume that was found", 3),
    "precision": ("Precision", "Part of the predicted volume that is of the region", 3),
}


def regions_section(scores: object) -> dict | None:
    """What the page says of the table of regions beside `scores`, a path; None where there is none, or no path.

    `regions` have a row each: medians of `COLUMNS`, the mean Dice, and how many cases have the region in the reference;
    `cases` a row each: its Dice by region. Raises `InputError` where the table cannot be read.
    """
    if not isinstance(scores, (str, Path)) or not regions_path(scores).exists():
        return None
    path = regions_path(scores)
    rows, (_, conventions) = read_regions(path), read_csv(path, "Write it with 'mstl evaluate'.")
    summaries = region_summaries(rows)
    distance = {"hausdorff95_mm": pictures.COLUMNS["hausdorff95_mm"]} if PICTURE_RULE in conventions else {}
    medians = [
        {"region": name, "cases": found["cases"], "mean": found["scores"]["dice"]["mean"]}
        | {column: found["scores"][column]["median"] for column in COLUMNS}
        for name, found in summaries.items()
    ]
    return {
        "columns": COLUMNS | distance,
        "regions": as_rows(pd.DataFrame(medians)),
        "names": list(summaries),
        "cases": _dice_by_case(rows, list(summaries)),
        "rule": conventions.partition(". ")[0],
    }


def _dice_by_case(rows: pd.DataFrame, names: list[str]) -> list[dict]:
    """A row a case: its name and the Dice of each region; None where the reference has no such region."""
    present = rows.assign(dice=rows["dice"].where(rows["empty_reference"] == 0))
    wide = present.pivot(index="case", columns="region", values="dice").reindex(columns=names)
    return [{"case": row["case"], "dice": [row[name] for name in names]} for row in as_rows(wide.reset_index())]
