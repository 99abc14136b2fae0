"""The tables of a study for a paper: what stands in them, and names that LaTeX and Markdown would misread."""
import re

import pytest

from mstl.reporting.study_results import study_results
from mstl.reporting.study_tables import latex_table, markdown_table, table_rows, write_study_tables
from tests.study_frames import study_frame

ODD = r"a_b & 50% #1 {x} $y$ ~ ^ \z | <i> *k*"


@pytest.fixture(scope="module")
def results():
    return study_results(study_frame({"scratch": 0, ODD: 0.05}, sizes=(5, 10)), twins={"scratch": None, ODD: "scratch"})


def test_a_row_a_size_and_strategy_best_first_largest_size_first(results):
    head, *rows = table_rows(results)
    assert [row[:2] for row in rows] == [["10", ODD], ["10", "scratch"], ["5", ODD], ["5", "scratch"]]
    one = results.against_twin(ODD, 10)
    cells = dict(zip(head, rows[0], strict=True))
    assert cells["Difference (95 %)"] == (
        f"{one.difference:+.3f} ({one.interval[0]:+.3f} to {one.interval[1]:+.3f})"
    )
    assert (cells["Twin"], cells["Verdict"], cells["p (Holm)"]) == ("scratch", "better", "< 0.001")
    assert rows[1][4:] == ["–", "–", "–", "–", "no twin"]


def test_markdown_has_as_many_cells_in_each_row_whatever_the_names(results):
    lines = [line for line in markdown_table(results).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}
    assert r"\*k\*" in lines[2]
    assert "<i>" not in markdown_table(results)


def test_latex_has_as_many_cells_in_each_row_and_no_bare_special_character(results):
    text = latex_table(results)
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 5
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {8}
    assert r"a\_b \& 50\% \#1 \{x\} \$y\$ \textasciitilde{} \textasciicircum{} \textbackslash{}z" in text
    assert text.count(r"\midrule") == 2
    assert "–" not in text


def test_negative_numbers_have_a_minus_in_latex_and_names_keep_their_hyphen():
    frame = study_frame({"scratch-2": 0, "worse": -0.1}, sizes=(5,))
    text = latex_table(study_results(frame, twins={"worse": "scratch-2"}))
    assert "scratch-2" in text
    assert re.search(r"\$-\$0\.\d+ \(\$-\$0\.\d+ to \$-\$0", text)


def test_the_tables_are_written_beside_each_other(results, tmp_path):
    assert [path.name for path in write_study_tables(results, tmp_path)] == ["table.tex", "table.md"]
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == markdown_table(results)
