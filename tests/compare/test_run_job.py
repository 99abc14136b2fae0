"""One job after another in this process, without graphs: what each leaves behind, and what of it is done again."""
import fcntl

import pandas as pd
import pytest

from mstl.compare import run_job as run_job_module
from mstl.compare.folder import StudyFolder
from mstl.compare.run_job import is_at_work, run_job
from mstl.errors import InputError
from mstl.files import read_json
from tests.gans import eager

SOURCE, SCRATCH, LOCKED = "sources/others/0", "jobs/scratch/1/0-0", "jobs/locked/1/0-0"


@pytest.fixture(scope="module", autouse=True)
def without_graphs():
    with eager():
        yield


@pytest.fixture
def study(study_of, values, other, tmp_path):
    others = {**values["sources"]["others"], "prepared": str(other.folder), "ratios": [0.7, 0.3, 0]}
    return StudyFolder.begin(study_of(sources={"others": others}, sizes=[1]), tmp_path / "study")


def job_of(study: StudyFolder, label: str):
    return next(job for job in study.jobs if job.label == label)


def do(study: StudyFolder, label: str) -> None:
    run_job(job_of(study, label), study)


def test_a_strategy_needs_its_source_and_leaves_scores_of_the_tested(study):
    with pytest.raises(InputError, match="begins with sources/others/0, which is not done"):
        do(study, LOCKED)
    do(study, SOURCE)
    do(study, LOCKED)
    run = study.folder / LOCKED / "run"
    assert read_json(run / "transfer.json")["transfers"]
    assert not (run / "state").exists()
    assert not list((study.folder / LOCKED / "predictions").glob("*probability*"))
    scores = study.scores()
    assert set(scores.subject) == set(study.divisions[0].test)
    assert scores[["strategy", "size", "fold", "seed"]].drop_duplicates().values.tolist() == [["locked", 1, 0, 0]]
    costs = study.costs().set_index("kind")
    assert costs["size"]["strategy"] == 1
    assert costs.trained_parameters["strategy"] < costs.parameters["strategy"]
    assert costs.begins_with["strategy"] == SOURCE
    study.write_tables()
    assert len(pd.read_csv(study.folder / "study.csv")) == len(scores)


def test_what_is_done_is_not_done_again_and_what_was_damaged_is(study):
    do(study, SCRATCH)
    record, weights = (study.folder / SCRATCH / name for name in ("job.json", "run/best.h5"))
    before, written = read_json(record), record.stat().st_mtime_ns
    do(study, SCRATCH)
    assert record.stat().st_mtime_ns == written
    weights.write_bytes(b"cut short")
    assert not study.done(job_of(study, SCRATCH))
    do(study, SCRATCH)
    assert read_json(record)["files"]["scores.csv"] == before["files"]["scores.csv"]


def test_who_works_at_a_job_is_seen_and_left_alone(study, monkeypatch):
    job = job_of(study, SCRATCH)
    assert not is_at_work(job, study.folder)
    place = study.folder / job.label
    place.mkdir(parents=True)
    monkeypatch.setattr(run_job_module, "PATIENCE", 0)
    with (place / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert is_at_work(job, study.folder)
        with pytest.raises(InputError, match="Another process works at"):
            do(study, SCRATCH)
    assert not is_at_work(job, study.folder)


@pytest.mark.parametrize("left", ["run/experiment.yaml", "run/state/state.h5", "predictions/half.nii.gz"])
def test_what_a_killed_job_has_left_is_gone_on_from_or_cleared(study, left):
    path = study.folder / SCRATCH / left
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut sh")
    do(study, SCRATCH)
    assert study.done(job_of(study, SCRATCH))
    assert not path.exists() or left == "run/experiment.yaml"
