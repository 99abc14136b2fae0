"""Scores of a run's test subjects for others to read: checked for leakage, one value a subject, no row of a person."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mstl.errors import InputError
from mstl.evaluation.cleanup import NO_CLEAN_UP
from mstl.evaluation.pooled import MEANS, pooled_path, read_pooled
from mstl.evaluation.regions import read_regions, regions_path
from mstl.evaluation.scores import PICTURE_RULE, in_pixels, read_scores
from mstl.files import read_json
from mstl.reporting.folder import chosen_cut

SHOWN = (
    "dice",
    "sensitivity",
    "precision",
    "hausdorff95_mm",
    "lesion_f1",
    "lesion_sensitivity",
    "lesion_false_discovery",
)
LEAST_FOR_VOLUMES = 3  # subjects; the range of fewer is the volumes of persons
LEAST_FOR_HALVES = 6  # subjects; medians of fewer than three a half say nothing
DIGITS = 2  # of a volume that is told


def held_out_scores(path: str | Path, sides: Mapping[str, Sequence[str]]) -> dict:
    """Sums of a `scores.csv` over the test subjects among `sides` (names by "train", "validation", "test").

    A subject with several cases counts once, by their mean; cases whose reference is empty are counted apart. `scores`
    has for each of `SHOWN` its subjects, median, mean, sd (None of one), low and high; `regions` the median Dice of
    each region where there are several labels; `pooled` the scores pooled over pictures. Volumes have two digits and
    are None of fewer than three subjects. Raises `InputError` for subjects of training or validation, which would make
    the scores worthless, for others than the run's, a case that stands there twice, and as `read_scores` does.
    """
    table = read_scores(path)
    _check_subjects(table, path, sides)
    flat = PICTURE_RULE in Path(path).read_text(encoding="utf-8")
    table = in_pixels(table) if flat else table
    empty = table["empty_reference"].astype(bool)
    filled = table[~empty]
    found = filled.groupby("subject")[[*SHOWN, "reference_ml"]].mean()
    return {
        "subjects": int(table["subject"].nunique()),
        "test_subjects": len(sides["test"]),
        "cases": len(table),
        "with_lesion": len(filled),
        "unit": "pixels" if flat else "ml",
        "scores": {name: statistics_of(found[name]) for name in SHOWN},
        "volume": volume_range(found["reference_ml"]),
        "halves": _halves(found),
        "empty_reference": {
            "cases": int(empty.sum()),
            "without_false_lesions": int((table.loc[empty, "predicted_lesions"] == 0).sum()),
        },
        "regions": _regions(Path(path), table),
        "pooled": _pooled(Path(path), table) if flat else None,
    }


def made_by(scores: str | Path, predictions: str | Path | None, *, weights_sha256: str) -> str:
    """A sentence on which masks were scored; raises `InputError` where `predictions` are of other weights."""
    if predictions is None:
        return "Whether these very weights made the masks that were scored was not checked."
    cuts = set()
    for case in read_scores(scores)["case"]:
        record = read_json(Path(predictions) / f"{case}.json")
        if record.get("weights_sha256") != weights_sha256:
            raise InputError(
                f"{predictions} holds a prediction of case {case} by other weights than the run's best.h5. Predict "
                "again: 'mstl predict RUN'."
            )
        cuts.add(_cut_words(record))
    return f"The masks that were scored were made by these very weights (same SHA-256): {'; '.join(sorted(cuts))}."


def _cut_words(record: Mapping) -> str:
    cut, clean_up = chosen_cut(record)
    words = ["most probable class" if cut is None else f"threshold {cut:g}", clean_up or str(NO_CLEAN_UP)]
    words += ["averaged with mirrored images (`--flip`)"] if record.get("flip_average") else []
    words += [f"mean of {record['samples']} drawn networks"] if record.get("samples") else []
    return ", ".join(words)


def statistics_of(values: pd.Series) -> dict:
    """How many values there are, their median, mean, sd (by n - 1), lowest and highest; None where undefined."""
    values = values[np.isfinite(values)]
    numbers = {
        "median": values.median(), "mean": values.mean(), "sd": values.std(), "low": values.min(), "high": values.max()
    }  # fmt: skip
    return {"subjects": len(values)} | {name: _number(value) for name, value in numbers.items()}


def volume_range(volumes: Sequence[float]) -> dict | None:
    """Lowest, median and highest volume of `volumes`, one a subject, with two digits; None of fewer than three."""
    if len(volumes) < LEAST_FOR_VOLUMES:
        return None
    return {name: rounded(np.quantile(volumes, q)) for name, q in (("low", 0), ("median", 0.5), ("high", 1))}


def rounded(value: float) -> float:
    """A volume with two digits."""
    return float(f"{value:.{DIGITS}g}")


def _check_subjects(table: pd.DataFrame, path: str | Path, sides: Mapping[str, Sequence[str]]) -> None:
    if table.empty:
        raise InputError(f"{path} has no case. Write it with 'mstl evaluate'.")
    if twice := sorted(table.loc[table["case"].duplicated(), "case"]):
        raise InputError(f"{path} has case {twice[0]} twice. Run 'mstl evaluate' again.")
    given = set(table["subject"])
    why = {"train": "trained on them", "validation": "chose its weights on them"}
    for side, reason in why.items():
        if leaked := sorted(given.intersection(sides[side])):
            raise InputError(
                f"{path} has subjects of the run's {side} side ({_few(leaked)}): it {reason}, so these are no scores "
                "of new patients. Give those of the test subjects: 'mstl predict RUN' predicts them."
            )
    if unknown := sorted(given.difference(sides["test"])):
        raise InputError(
            f"{path} has subjects that are not the run's test subjects ({_few(unknown)}). Give the scores of its test "
            "subjects: 'mstl predict RUN' predicts them."
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _halves(found: pd.DataFrame) -> dict | None:
    """Median Dice of the half of the subjects with the smaller lesions and of the other, and where they part."""
    if len(found) < LEAST_FOR_HALVES:
        return None
    middle = found["reference_ml"].median()
    small = found["reference_ml"] <= middle
    return {
        "parted_at": rounded(middle),
        "smaller": statistics_of(found.loc[small, "dice"]),
        "larger": statistics_of(found.loc[~small, "dice"]),
    }


def _regions(path: Path, table: pd.DataFrame) -> dict | None:
    """Dice of every region, where `mstl evaluate` scored the same cases by region."""
    if not regions_path(path).exists():
        return None
    rows = read_regions(regions_path(path))
    if set(rows["case"]) != set(table["case"]):
        raise InputError(f"{regions_path(path)} has other cases than {path}. Run 'mstl evaluate' again.")
    filled = rows[~rows["empty_reference"].astype(bool)]
    groups = filled.groupby("region", sort=False)
    return {str(name): statistics_of(group.groupby("subject")["dice"].mean()) for name, group in groups}


def _pooled(path: Path, table: pd.DataFrame) -> dict | None:
    """The means over classes of all pictures together, where `mstl evaluate` pooled the same number of them."""
    if not pooled_path(path).exists():
        return None
    row = read_pooled(pooled_path(path)).iloc[0]
    return {name: _number(row[name]) for name in MEANS} if row["cases"] == len(table) else None


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
