"""What a study has found: its tables, its statistics for programs, and the page that people read."""
from __future__ import annotations

from mstl.compare.folder import StudyFolder
from mstl.evaluation.statistics import METHOD_RULE
from mstl.evaluation.twins import TWIN_RULE
from mstl.files import write_json
from mstl.reporting.folder import as_rows
from mstl.reporting.study_answer import study_answer
from mstl.reporting.study_page import write_study_report
from mstl.reporting.study_results import study_results

STATISTICS, PAGE = "statistics.json", "study.html"


def write_results(study: StudyFolder) -> list[str]:
    """Write study.csv, costs.csv, statistics.json and study.html of what is finished; returns the answer's sentences.

    The page's tables, table.tex and table.md, are written too. Of an unfinished study all is of the trainings that
    there are, which the page says.
    """
    study.write_tables()
    scores = study.scores()
    found = None if scores.empty else study_results(scores, twins=study.twins)
    answer = study_answer(found, finished=not scores.empty)
    if found is not None:
        write_json(study.folder / STATISTICS, {
            "answer": answer,
            "twins": study.twins,
            "means": as_rows(found.means),
            "comparisons": [one.as_row() for one in found.comparisons],
            "ranks": as_rows(found.stability),
            "learning_curves": [one.as_row() for one in found.curves],
            "rules": [METHOD_RULE, TWIN_RULE],
        })  # fmt: skip
    known = {"baseline": study.study.baseline, "twins": study.twins, "cohort": study.cohort, "results": found}
    write_study_report(study.folder, out=study.folder / PAGE, **known)
    return answer
