"""What strategies transferred and froze, and the proof over all of their trainings."""
import json

import pytest

from mstl.files import write_json
from mstl.reporting.study_files import StudyFiles
from mstl.reporting.study_weights import strategy_weights
from tests.studies import write_study


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path, patients=4, sizes=(1, 2))


def of(study):
    return {row["strategy"]: row for row in strategy_weights(StudyFiles.open(study))}


def test_each_strategy_says_where_its_weights_came_from_and_what_was_frozen(study):
    found = of(study)
    assert found["scratch"]["sentences"][0] == "All 1,000 parameters began at random."
    assert "came from old (best.h5)" in found["tumour"]["sentences"][0]
    assert found["locked"]["sentences"][1].startswith("Frozen: the encoder (600 of 1,000 parameters)")
    assert found["tumour"]["transfers"] == ["old (best.h5): 1 load"]


def test_the_proof_is_over_all_trainings(study):
    found = of(study)
    assert found["locked"]["proof"] == "Over 8 trainings 8 frozen tensors were hashed before and after: none changed."
    assert found["scratch"]["proof"] == ""


def test_a_frozen_tensor_that_changed_in_one_training_is_told(study):
    path = study / "jobs" / "locked" / "1" / "1-1" / "run" / "freeze.json"
    record = json.loads(path.read_text())
    record["tensors"][0]["unchanged"] = False
    write_json(path, record)
    assert of(study)["locked"]["changed"]
    assert "1 changed, so that this is no proof" in of(study)["locked"]["proof"]


def test_a_strategy_without_a_finished_training_is_left_out(tmp_path):
    assert "locked" not in of(write_study(tmp_path, patients=4, sizes=(1,), failed=["locked"]))
