"""What a strategy cost: its own hours, and its share of sources that others begin with too."""
import pandas as pd
import pytest

from mstl.reporting.study_costs import cost_rows

COLUMNS = ["kind", "strategy", "size", "fold", "seed", "seconds", "memory_mb", "parameters", "trained_parameters",
           "begins_with"]  # fmt: skip
NAN = float("nan")
COSTS = pd.DataFrame([
    ("source", "gan", NAN, 0, 0, 3600, 2048, NAN, NAN, NAN),
    ("source", "old", NAN, NAN, 0, 7200, 1024, 100, 100, "sources/gan/0-0"),
    ("strategy", "scratch", 5, 0, 0, 1800, 512, 100, 100, NAN),
    ("strategy", "scratch", 5, 0, 1, 3600, 1024, 100, 100, NAN),
    ("strategy", "moved", 5, 0, 0, 1800, 512, 100, 100, "sources/old/0"),
    ("strategy", "locked", 5, 0, 0, 900, 512, 100, 40, "sources/old/0"),
], columns=COLUMNS)  # fmt: skip


def rows():
    return {row["strategy"]: row for row in cost_rows(COSTS)}


def test_hours_of_shared_sources_are_divided_and_add_up_to_those_of_the_study():
    found = rows()
    assert found["scratch"]["source_hours"] == 0
    assert found["moved"]["source_hours"] == pytest.approx(1.5)
    assert found["locked"]["sources"] == "gan, old"
    assert sum(row["total"] for row in found.values()) == pytest.approx(COSTS["seconds"].sum() / 3600)


def test_trainings_memory_and_parameters_are_those_of_the_strategy():
    one = rows()["scratch"]
    assert (one["trainings"], one["hours"], one["minutes"], one["gigabytes"]) == (2, 1.5, 45, 1)
    assert (rows()["locked"]["parameters"], rows()["locked"]["trained"]) == (100, 40)


def test_without_a_finished_training_there_is_no_row():
    assert cost_rows(pd.DataFrame()) == []
    assert cost_rows(COSTS[COSTS["kind"] == "source"]) == []


def test_a_source_that_is_not_in_the_table_is_named_and_costs_nothing():
    found = cost_rows(COSTS[COSTS["strategy"] == "moved"])
    assert (found[0]["sources"], found[0]["source_hours"]) == ("old", 0)
