"""The report of a study: one HTML file that says which strategy works, how sure that is, and what it rests on."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from mstl.data.cohort import Cohort
from mstl.evaluation.learning_curve import LearningCurve
from mstl.evaluation.lesion_sizes import SIZE_RULE
from mstl.evaluation.statistics import METHOD_RULE
from mstl.evaluation.study_scores import EMPTY
from mstl.evaluation.twins import TWIN_RULE
from mstl.files import write_text
from mstl.reporting.domain_section import domain_section
from mstl.reporting.figures import to_svg
from mstl.reporting.folder import as_rows
from mstl.reporting.study_answer import alarms, progress_sentence, study_answer
from mstl.reporting.study_cases import case_sheets
from mstl.reporting.study_costs import cost_rows
from mstl.reporting.study_figures import patient_dots, size_curves, verdict_class
from mstl.reporting.study_files import StudyFiles
from mstl.reporting.study_lesions import lesion_section
from mstl.reporting.study_record import study_record
from mstl.reporting.study_results import StudyResults, study_results
from mstl.reporting.study_tables import write_study_tables
from mstl.reporting.study_weights import strategy_weights
from mstl.reporting.template import render

PAGE = "study.html"


def write_study_report(
    folder: str | Path,
    *,
    baseline: str,
    twins: Mapping[str, str | None],
    cohort: Cohort | None = None,
    out: str | Path | None = None,
    score: str = "dice",
    results: StudyResults | None = None,
) -> Path:
    """Write the report of a study's folder as one self-contained HTML file; returns its path.

    twins: for each strategy the one that it is compared with, None for those from scratch; `baseline` is the twin of
    those that it does not name. cohort: scans and masks of the tested cases, for overlays and lesion sizes, which are
    left out without. score: a column of `study.csv`; results: those of `study_results`, where they are known already.
    `out` is `folder/study.html` by default; `table.tex` and `table.md` are written beside it. An unfinished study has a
    page too, which says so; what its folder does not hold is left out. Raises `InputError` where it is no study, a file
    cannot be read, or the score is unknown.
    """
    files = StudyFiles.open(folder)
    twins = {name: twins.get(name, baseline if name != baseline else None) for name in files.strategies}
    results = study_results(files.scores, twins=twins, score=score) if results is None else results
    out = files.folder / PAGE if out is None else Path(out)
    if results is not None:
        write_study_tables(results, out.parent)
    write_text(out, render("study.html.j2", _context(files, results, cohort, twins)))
    return out


def _context(
    files: StudyFiles, results: StudyResults | None, cohort: Cohort | None, twins: Mapping[str, str | None]
) -> dict:
    """What the template shows."""
    return {
        "study": files.folder.resolve().name,
        "folder": str(files.folder),
        "warning": progress_sentence(files.progress),
        "progress": files.progress,
        "answer": study_answer(results, finished=not files.scores.empty),
        "empty": _empty_references(files.scores),
        "costs": cost_rows(files.costs),
        "weights": strategy_weights(files),
        "record": study_record(files),
        "domain": domain_section(files.folder, {}),
        "twins": twins,
        "rules": [METHOD_RULE, TWIN_RULE, SIZE_RULE],
        **({} if results is None else _found(files, results, cohort)),
    }


def _found(files: StudyFiles, results: StudyResults, cohort: Cohort | None) -> dict:
    """The sections that need scores."""
    curves, fits = size_curves(results), [results.curve(name) for name in results.ranked(results.size)]
    best = results.best()
    return {
        "results": results,
        "tiles": None if best is None else _tiles(results, best),
        "alarms": alarms(results),
        "dots": [
            {"size": size, "figure": _svg(patient_dots(results, size)), "rows": _rows(results, size)}
            for size in sorted(results.sizes, key=lambda size: (size != results.size, -size))
        ],
        "curves": None if curves is None else _svg(curves),
        "fits": fits,
        "cautions": _cautions(fits),
        "ranks": [_ranks(results, size) for size in reversed(results.sizes)],
        "lesions": lesion_section(files, results.ranked(results.size), size=results.size, cohort=cohort),
        "sheets": [] if cohort is None or best is None else case_sheets(files, results, cohort=cohort),
        "conventions": files.conventions,
    }


def _tiles(results: StudyResults, best: str) -> dict:
    """The numbers of the page's head."""
    ranks = results.stability[(results.stability["size"] == results.size) & (results.stability["strategy"] == best)]
    first = float(ranks["first"].iloc[0])
    return {
        "best": best,
        "mean": results.mean(best, results.size),
        "twin": results.against_twin(best, results.size),
        "first": None if np.isnan(first) or len(results.ranked(results.size)) < 2 else first,
        "size": results.size,
    }


def _rows(results: StudyResults, size: int) -> list[dict]:
    """A row a strategy for the table below the dots."""
    rows = []
    for name in results.ranked(size):
        one = results.against_twin(name, size)
        mean = as_rows(pd.DataFrame([results.mean(name, size)]))[0]
        rows.append({**mean, "one": one, "class": verdict_class(one)})
    return rows


def _ranks(results: StudyResults, size: int) -> dict:
    """The share of each rank of the strategies at a size."""
    rows = results.stability[results.stability["size"] == size]
    columns = [f"rank_{number + 1}" for number in range(len(rows))]
    shares = [{"strategy": row["strategy"], "shares": [row[name] for name in columns], "low": row["rank_low"],
               "high": row["rank_high"]} for row in as_rows(rows)]  # fmt: skip
    return {"size": size, "rows": shares, "patients": int(rows["patients"].iloc[0]) if len(rows) else 0}


def _cautions(fits: Sequence[LearningCurve]) -> list[str]:
    """What to know besides of the curves, once each, with the strategies that it is about unless it is all."""
    found: dict[str, list[str]] = {}
    for one in fits:
        for caution in one.cautions:
            found.setdefault(caution, []).append(one.strategy)
    named = ((caution, "" if len(names) == len(fits) else f"{', '.join(names)}: ") for caution, names in found.items())
    return [f"{names}{caution}" for caution, names in named]


def _empty_references(frame: pd.DataFrame) -> dict | None:
    """The tested cases without a lesion in their reference: how many, and where none was seen in them either."""
    if EMPTY not in frame or not frame[EMPTY].fillna(0).astype(bool).any():
        return None
    rows = frame[frame[EMPTY].fillna(0).astype(bool)]
    clean = (rows["predicted_lesions"] == 0).groupby(rows["strategy"]).mean() if "predicted_lesions" in rows else {}
    return {"cases": int(rows["case"].nunique()), "clean": dict(clean)}


def _svg(figure: Figure) -> Markup:
    return Markup(to_svg(figure))
