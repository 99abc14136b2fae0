"""Findings: counted by level, ordered by case, plain enough for JSON."""
import json

from mstl.data.checks.finding import Finding, by_case, count_levels


def found(case, level):
    return Finding(case, "mask", level, "rule", "What it is.")


FINDINGS = [found("notes", "note"), found("bad", "warning"), found("worst", "note"), found("worst", "error")]


def test_the_worst_case_and_its_worst_finding_come_first():
    ordered = by_case(FINDINGS)
    assert list(ordered) == ["worst", "bad", "notes"]
    assert [one.level for one in ordered["worst"]] == ["error", "note"]


def test_levels_that_do_not_occur_count_0():
    assert count_levels(FINDINGS[:1]) == {"error": 0, "warning": 0, "note": 1}


def test_a_finding_becomes_json():
    finding = Finding("a", "", "note", "oblique", "Turned.", details={"degrees": 3.0})
    assert json.loads(json.dumps(finding.to_dict()))["details"] == {"degrees": 3.0}
