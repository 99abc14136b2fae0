"""What is read of a run folder: parameters as text, tables, and faults in one line."""
import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.folder import (
    as_rows,
    chosen_cut,
    environment_groups,
    experiment_groups,
    flatten,
    read_csv,
    read_experiment,
    read_history,
)


def test_nested_parameters_become_rows():
    rows = flatten({"a": {"b": [1, 2.5]}, "c": None, "d": True})
    assert rows == [("a.b", "1, 2.5"), ("c", "–"), ("d", "yes")]


def test_values_that_are_not_finite_become_none():
    assert as_rows(pd.DataFrame({"a": [1.0, np.inf, np.nan]})) == [{"a": 1.0}, {"a": None}, {"a": None}]


def test_notes_above_a_table_are_told_and_names_stay_text(tmp_path):
    write_text(tmp_path / "a.csv", "# one\n# two\nsubject,mae\n04,0.5\n")
    table, notes = read_csv(tmp_path / "a.csv", "Write it.")
    assert notes == "one two"
    assert table["subject"].tolist() == ["04"]


def test_groups_hold_what_the_folder_has(tmp_path):
    assert [group["title"] for group in experiment_groups(tmp_path, {"a": 1})] == ["Training"]
    assert environment_groups(tmp_path) == []
    write_json(tmp_path / "preparation.json", {"spacing": 1})
    write_json(tmp_path / "environment.json", {"seed": 0})
    assert [group["title"] for group in experiment_groups(tmp_path, {"a": 1})] == ["Training", "Preparation"]
    assert environment_groups(tmp_path) == [{"title": "Training", "items": [("seed", "0")]}]


def test_an_absent_file_is_named_with_the_command_that_writes_it(tmp_path):
    with pytest.raises(InputError, match=r"experiment\.yaml does not exist.*'mstl pretrain gan'"):
        read_experiment(tmp_path, command="mstl pretrain gan")
    with pytest.raises(InputError, match=r"history\.csv does not exist.*'mstl pretrain gan'"):
        read_history(tmp_path, needed=("epoch",), command="mstl pretrain gan")


@pytest.mark.parametrize(("text", "message"), [("epoch\n", "no epoch"), ("loss\n1\n", "no column epoch")])
def test_a_history_without_an_epoch_is_refused(tmp_path, text, message):
    write_text(tmp_path / "history.csv", text)
    with pytest.raises(InputError, match=message):
        read_history(tmp_path, needed=("epoch",))


def test_how_masks_were_made_is_told_for_old_and_new_records():
    assert chosen_cut({"threshold": 0.4}) == (0.4, "")
    assert chosen_cut({"threshold": 0.4, "minimum_ml": 0.0, "largest_only": False}) == (0.4, "")
    assert chosen_cut({"threshold": None, "minimum_ml": 0.01}) == (None, "without components below 0.01 ml")
    assert chosen_cut({"threshold": None, "largest_only": True}) == (None, "the largest component alone")
