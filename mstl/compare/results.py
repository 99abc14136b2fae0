"""What a study has found: its tables, its statistics for programs, and the page that people read."""
from __future__ import annotations

import warnings
from collections.abc import Sequence

from mstl.compare.folder import StudyFolder
from mstl.errors import InputError
from mstl.evaluation.domain_shift import compare_domains
from mstl.evaluation.statistics import METHOD_RULE
from mstl.evaluation.twins import TWIN_RULE
from mstl.files import write_json
from mstl.reporting.domain_words import RECORD
from mstl.reporting.folder import as_rows
from mstl.reporting.study_answer import alarms, study_answer
from mstl.reporting.study_page import PAGE, write_study_report
from mstl.reporting.study_results import study_results

STATISTICS = "statistics.json"


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
        _measure_shift(study, [one.a for one in alarms(found)])
    known = {"baseline": study.study.baseline, "twins": study.twins, "cohort": study.cohort, "results": found}
    write_study_report(study.folder, out=study.folder / PAGE, **known)
    return answer


def _measure_shift(study: StudyFolder, harmed: Sequence[str]) -> None:
    """Write domain_shift.json of the first strategy shown to be worse than its twin whose source has its own scans."""
    sources = (study.study.source_of(name) for name in harmed)
    folders = (study.study.sources[name].get("prepared") for name in sources if name is not None)
    for folder in folders:
        if folder is not None and not (study.folder / RECORD).exists():
            try:
                shift = compare_domains(folder, study.prepared, paired=False)
            except InputError as error:  # a hint beside the answer, which stands without it
                warnings.warn(f"How far the scans of {folder} are away was not measured. {error}", stacklevel=3)
            else:
                write_json(study.folder / RECORD, shift.to_dict())
