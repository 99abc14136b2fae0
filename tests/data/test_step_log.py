"""Steps are kept in order, with parameters, findings and seconds."""
import time

import pytest

from mstl.data.step_log import StepLog


def test_a_step_keeps_its_parameters_what_it_found_and_its_seconds():
    log = StepLog()
    with log.step("brain", tool="bet") as record:
        record["ml"] = 1400.0
    with log.step("n4"):
        pass
    assert [step["name"] for step in log.steps] == ["brain", "n4"]
    seconds = log.steps[0].pop("seconds")
    assert 0 <= seconds < 5
    assert log.steps[0] == {"name": "brain", "tool": "bet", "ml": 1400.0}


def test_a_step_that_failed_is_not_kept():
    log = StepLog()
    with pytest.raises(ValueError, match="no"), log.step("n4"):
        raise ValueError("no")
    assert log.steps == []


def test_a_step_that_comes_again_adds_to_its_seconds():
    log = StepLog()
    for _ in range(3):
        with log.step("resample", axes="SPL"):
            time.sleep(0.01)
    (step,) = log.steps
    assert step["axes"] == "SPL"
    assert step["seconds"] >= 0.03
