"""The table of a study for a paper, in LaTeX and Markdown: strategies by size, with intervals, against their twins."""
from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from mstl.files import write_text
from mstl.reporting.study_results import StudyResults

LATEX, MARKDOWN = "table.tex", "table.md"
DASH = "–"
LATEX_WORDS = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", DASH: "--", "−": "$-$",
} | {character: f"\\{character}" for character in "&%$#_{}"}  # fmt: skip


def write_study_tables(results: StudyResults, folder: str | Path) -> list[Path]:
    """Write `table.tex` (with booktabs) and `table.md` into `folder`; returns their paths."""
    paths = [Path(folder) / LATEX, Path(folder) / MARKDOWN]
    for path, text in zip(paths, (latex_table(results), markdown_table(results)), strict=True):
        write_text(path, text)
    return paths


def table_rows(results: StudyResults) -> list[list[str]]:
    """The cells of both tables, a row a size and strategy, the best first, after the row of headings."""
    head = ["Labelled", "Strategy", "Patients", f"Mean {results.name} (95 %)", "Twin", "Difference (95 %)",
            "Newly trained (95 %)", "p (Holm)", "Verdict"]
    body = [_row(results, name, size) for size in reversed(results.sizes) for name in results.ranked(size)]
    return [head, *body]


def _row(results: StudyResults, name: str, size: int) -> list[str]:
    mean, one = results.mean(name, size), results.against_twin(name, size)
    cells = [str(size), name, str(mean["patients"]), _with(mean["mean"], (mean["low"], mean["high"]), sign="")]
    if one is None or one.verdict == "not compared":
        twin = results.twins.get(name)
        return [*cells, twin or DASH, DASH, DASH, DASH, "not compared" if twin else "no twin"]
    anew = one.interval_trained_anew
    between = DASH if math.isnan(anew[0]) else f"{anew[0]:+.3f} to {anew[1]:+.3f}"
    return [*cells, one.b, _with(one.difference, one.interval, sign="+"), between, _p(one.p_holm), one.verdict]


def markdown_table(results: StudyResults) -> str:
    """The table in Markdown (GitHub's), with a line on what it says."""
    head, *body = [[_markdown(cell) for cell in row] for row in table_rows(results)]
    rows = [head, ["---"] * len(head), *body]
    return "\n".join([*(f"| {' | '.join(row)} |" for row in rows), "", _markdown(_caption(results)), ""])


def latex_table(results: StudyResults) -> str:
    """The table in LaTeX, for the package booktabs; a rule between sizes."""
    head, *body = [[_latex(cell) for cell in row] for row in table_rows(results)]
    lines = [_line(head), r"\midrule"]
    for number, row in enumerate(body):
        if number and row[0] != body[number - 1][0]:
            lines.append(r"\midrule")
        lines.append(_line(row))
    return "\n".join([
        "% needs \\usepackage{booktabs}", r"\begin{table}", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        rf"\caption{{{_latex(_caption(results))}}}",
        r"\begin{tabular}{rlrllllrl}", r"\toprule", *lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", "",
    ])  # fmt: skip


def _caption(results: StudyResults) -> str:
    return (
        f"Mean {results.name} over test patients by the number of labelled subjects, with 95 % intervals. Those of the "
        "mean and of the difference are for new patients (BCa bootstrap); those of newly trained networks take folds "
        "and seeds as random too. p: Wilcoxon's signed-rank test over patients, after Holm's correction over all "
        "strategies and sizes. Differences are of the strategy less its twin."
    )


def _with(value: float, interval: tuple[float, float], *, sign: str) -> str:
    low, high = interval
    around = "" if math.isnan(low) else f" ({low:{sign}.3f} to {high:{sign}.3f})"
    return f"{value:{sign}.3f}{around}"


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _latex(text: str) -> str:
    """Text that LaTeX shows as it is, with the minus of numbers."""
    text = "".join(LATEX_WORDS.get(character, character) for character in text)
    return re.sub(r"(?<!\w)-(?=\d)", "$-$", text)


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_\[\]~])", r"\\\1", text)
