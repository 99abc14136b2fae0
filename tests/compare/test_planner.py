"""Measurements of a study: taken once, in whose light two trainings at a time are chosen or not."""
import time
from dataclasses import asdict

import pytest

from mstl.compare import planner
from mstl.compare.folder import StudyFolder
from mstl.compare.measure import Measured, measure
from mstl.compare.planner import measure_study
from mstl.files import write_json
from tests.gans import eager

STRATEGIES = {"scratch": {}, "gradual": {"freeze": "gradual", "unfreeze_epochs": [1], "init": "x.h5"}}
SLOW = Measured(start=1.0, step=4000.0, epoch=0.0, case=0.0, memory=2**20)


@pytest.fixture
def study(study_of, tmp_path):
    return StudyFolder.begin(study_of(sources={}, strategies=STRATEGIES, sizes=[1]), tmp_path / "study")


def note(study, place: str, measured: Measured) -> None:
    write_json(study.folder / "plan" / place / "measured.json", asdict(measured))


def test_twenty_steps_are_measured_without_what_a_strategy_would_begin_with(study):
    with eager():
        found = measure(study, "gradual", began=time.monotonic())
    assert all(value > 0 for value in asdict(found).values())


@pytest.mark.parametrize(("step", "at_once", "speedup"), [(5000.0, 2, 1.6), (8000.0, 1, 1.0)])
def test_two_at_a_time_are_chosen_where_both_end_sooner(study, monkeypatch, step, at_once, speedup):
    monkeypatch.setattr(planner.joblib, "cpu_count", lambda: 2)
    for place in ("scratch", "gradual"):
        note(study, place, SLOW)
    for place in planner.PAIR:
        note(study, place, Measured(**{**asdict(SLOW), "step": step}))
    plan = measure_study(study)
    assert (plan.at_once, plan.speedup) == (at_once, pytest.approx(speedup))


def test_a_short_study_is_not_measured_twice_at_a_time(study, monkeypatch):
    monkeypatch.setattr(planner.joblib, "cpu_count", lambda: 2)
    for place in ("scratch", "gradual"):
        note(study, place, Measured(**{**asdict(SLOW), "step": 0.1}))
    seen = []
    assert measure_study(study, progress=seen.append).at_once == 2
    assert seen == ["scratch", "gradual"]
    assert not (study.folder / "plan" / planner.PAIR[0]).exists()


def test_one_core_has_one_training_at_a_time(study, monkeypatch):
    monkeypatch.setattr(planner.joblib, "cpu_count", lambda: 1)
    for place in ("scratch", "gradual"):
        note(study, place, SLOW)
    assert measure_study(study).at_once == 1
