"""Cases of a study to look at: the worst and the best one of a strategy and of its twin, both outlined."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mstl.data.cohort import Cohort
from mstl.evaluation.maps import PREDICTION, map_path
from mstl.evaluation.study_scores import EMPTY
from mstl.reporting.cases import ShownCase, read_case
from mstl.reporting.figures import PREDICTION as PREDICTED
from mstl.reporting.figures import REFERENCE, sheet, to_png_uri
from mstl.reporting.pictures import PANEL_INCHES
from mstl.reporting.slices import pick_slices, slice_heights
from mstl.reporting.study_files import StudyFiles, StudyJob
from mstl.reporting.study_results import StudyResults

SLICES = 5


@dataclass(frozen=True)
class Picked:
    """A case to show: why, and its mean score by each strategy."""

    case: str
    reasons: tuple[str, ...]
    scores: dict[str, float]


def picked_cases(frame: pd.DataFrame, results: StudyResults, strategies: Sequence[str]) -> list[Picked]:
    """The worst and the best case of each of `strategies` at the answer's size, each case once."""
    rows = frame[(frame["size"] == results.size) & frame["strategy"].isin(list(strategies))]
    rows = rows[~rows[EMPTY].fillna(0).astype(bool)] if EMPTY in rows else rows
    means = rows.groupby(["strategy", "case"])[results.scores.score].mean().dropna().sort_index()
    reasons: dict[str, list[str]] = {}
    for word in ("worst", "best"):
        for name in [one for one in strategies if one in means.index.get_level_values(0)]:
            own = means[name]
            low = own.idxmin() if (word == "worst") != results.lower_is_better else own.idxmax()
            reasons.setdefault(str(low), []).append(f"{word} case of {name}")
    return [
        Picked(case, tuple(why), {name: float(means[name, case]) for name in strategies if (name, case) in means.index})
        for case, why in reasons.items()
    ]


def case_sheets(files: StudyFiles, results: StudyResults, *, cohort: Cohort) -> list[dict]:
    """Pictures of the picked cases of the best strategy and of its twin; those without predictions are left out.

    Each has a `picture` (a PNG as data URI), `title` and `alt`. Raises `InputError` where a prediction does not fit to
    the cohort's scans.
    """
    best = results.best()
    strategies = [name for name in (best, results.twins.get(best)) if name is not None]
    known, sheets = {case.name: case for case in cohort}, []
    for one in picked_cases(files.scores, results, strategies):
        shown = {
            name: read_case(known[one.case], job.predictions)
            for name in strategies
            if one.case in known and (job := _job_of(files, results, name, one.case)) is not None
        }
        if shown:
            title = f"{one.case}: {' and '.join(one.reasons)}"
            values = ", ".join(f"{name} {value:.3f}" for name, value in one.scores.items())
            sheets.append({"title": title, "scores": f"{results.name} {values}", "picture": _picture(shown, title),
                           "alt": f"{title}. Outlines of the reference and of {' and '.join(shown)}"})  # fmt: skip
    return sheets


def _job_of(files: StudyFiles, results: StudyResults, name: str, case: str) -> StudyJob | None:
    """The first finished training of a strategy that has predicted the case."""
    jobs = (job for job in files.jobs if (job.name, job.size) == (name, results.size) and job.done)
    return next((job for job in jobs if map_path(job.predictions, case, PREDICTION).is_file()), None)


def _picture(shown: dict[str, ShownCase], title: str) -> str:
    """The case plain, then with the outlines of each strategy; of a picture side by side, of a volume row by row."""
    first = next(iter(shown.values()))
    legend = {"reference": REFERENCE, "prediction": PREDICTED}
    if first.is_picture:
        image = np.repeat(first.image, len(shown) + 1, axis=0)
        outlines = [
            (_in_panel(mask, panel, len(image)), style)
            for panel, one in enumerate(shown.values(), start=1)
            for mask, style in _outlines(one)
        ]
        row = ("", image, outlines)
        return to_png_uri(sheet([row], heights=None, spacing=(1, 1, 1), title=title, legend=legend,
                                inches=PANEL_INCHES))  # fmt: skip
    masks = [mask for one in shown.values() for mask, _ in _outlines(one)]
    places = pick_slices(first.image, masks, count=SLICES)
    rows = [("", first.image[places], [])]
    for name, one in shown.items():
        rows.append((name, first.image[places], [(mask[places], style) for mask, style in _outlines(one)]))
    heights = slice_heights(first.grid)[places]
    return to_png_uri(sheet(rows, heights=heights, spacing=first.grid.spacing, title=title, legend=legend))


def _outlines(one: ShownCase) -> list[tuple[np.ndarray, dict]]:
    """Masks `(D, H, W)` of the whole lesion with their styles."""
    found = [] if one.reference is None else [(np.asarray(one.reference) > 0, REFERENCE)]
    return [*found, (np.asarray(one.prediction) > 0, PREDICTED)]


def _in_panel(mask: np.ndarray, panel: int, panels: int) -> np.ndarray:
    found = np.zeros((panels, *mask.shape[1:]), bool)
    found[panel] = mask[0]
    return found
