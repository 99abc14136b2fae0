import copy
import json

import pytest

from mstl.errors import InputError
from mstl.files import write_json, write_text
from mstl.reporting.weights_record import read_frozen, read_origins


def test_a_run_without_records_has_none(tmp_path):
    assert read_origins(tmp_path) is None
    assert read_frozen(tmp_path) is None


def test_transfers_are_read_with_the_options_that_were_set(tmp_path, origins):
    write_json(tmp_path / "transfer.json", origins)
    (transfer,) = read_origins(tmp_path).transfers
    assert transfer.source == "old-run (best.h5)"
    assert transfer.options == "include encoder, stem; rename ^old/ => ; allow_partial yes"
    assert transfer.summary == "2 load, 1 adapted, 1 no source, 1 unused"
    assert transfer.by_layer()[0] == ("adapted", "conv0", "old/conv0", "kernel 7x7x2x64", "sum of channels")


def test_a_source_that_is_a_file_is_named_once(tmp_path, origins):
    origins["transfers"][0]["init"] = "/far/away/best.h5"
    write_json(tmp_path / "transfer.json", origins)
    assert read_origins(tmp_path).transfers[0].source == "best.h5"


def test_a_number_that_nothing_was_found_for_is_shown_as_one(tmp_path, origins):
    row = {**origins["transfers"][0]["tensors"][3], "target": "scale/value", "target_shape": []}
    origins["transfers"][0]["tensors"] = [row]
    write_json(tmp_path / "transfer.json", origins)
    (line,) = read_origins(tmp_path).transfers[0].by_layer()
    assert line[3] == "value 1"


def test_a_transfer_that_was_left_out_on_resuming_has_no_rows(tmp_path):
    write_json(tmp_path / "transfer.json", {"transfers": [{"init": "imagenet", "options": {}}]})
    found = read_origins(tmp_path)
    assert found.transfers[0].rows == ()
    assert found.transfers[0].source == "imagenet"
    assert found.groups == ()


def test_the_proof_is_read_tensor_by_tensor(tmp_path, frozen):
    write_json(tmp_path / "freeze.json", frozen)
    found = read_frozen(tmp_path)
    assert [tensor.layer for tensor in found.tensors] == ["conv0", "bn0", "bn0"]
    assert all(tensor.unchanged for tensor in found.tensors)
    assert found.groups[1] == {"group": "encoder1", "frozen": 6600, "trainable": 0}


def _without(record, *path):
    record = copy.deepcopy(record)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return json.dumps(record)


@pytest.mark.parametrize("name", ["transfer.json", "freeze.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "null", "7", "{}", '"text"', '{"transfers": 3, "tensors": 3}'])
def test_a_damaged_record_is_named_in_one_line(tmp_path, name, content):
    read = {"transfer.json": read_origins, "freeze.json": read_frozen}[name]
    write_text(tmp_path / name, content)
    with pytest.raises(InputError, match=name) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [
    ("transfers", 0, "init"), ("transfers", 0, "options"), ("groups", 0, "loaded"),
    ("transfers", 0, "tensors", 0, "reason"), ("transfers", 0, "tensors", 0, "target_shape"),
])
def test_a_lack_in_the_account_of_a_transfer_is_named(tmp_path, origins, path):
    write_text(tmp_path / "transfer.json", _without(origins, *path))
    with pytest.raises(InputError, match=rf"transfer\.json is not what a training writes .*{path[-1]}"):
        read_origins(tmp_path)


@pytest.mark.parametrize("path", [("norm",), ("groups", 1, "frozen"), ("tensors", 0, "sha256_before")])
def test_a_lack_in_the_proof_is_named(tmp_path, frozen, path):
    write_text(tmp_path / "freeze.json", _without(frozen, *path))
    with pytest.raises(InputError, match=rf"freeze\.json is not what a training writes .*{path[-1]}"):
        read_frozen(tmp_path)


@pytest.mark.parametrize("value", [-1, 10**30, 10**400, float("nan"), float("inf"), None, "many", []])
def test_what_is_no_number_of_parameters_is_refused(tmp_path, origins, value):
    origins["groups"][0]["loaded"] = value
    write_json(tmp_path / "transfer.json", origins)
    with pytest.raises(InputError, match=r"transfer\.json is not what a training writes"):
        read_origins(tmp_path)


def test_text_that_no_page_can_hold_is_refused(tmp_path, frozen):
    frozen["notes"] = ["\ud83d"]
    write_json(tmp_path / "freeze.json", frozen)
    with pytest.raises(InputError, match=r"freeze\.json is not what a training writes"):
        read_frozen(tmp_path)
