"""`mstl compare`: what is wrong is said before anything is trained; one job alone, as of a Slurm array."""
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.gans import eager

TINY = {
    "model": "unet-small", "model_options": {"width": 2}, "epochs": 1, "steps_per_epoch": 1, "batch_size": 2,
    "validation_steps": 1, "augment": "none", "crop": 16,
}  # fmt: skip


@pytest.fixture
def write(tmp_path, tiny_prepared, tiny_cohort):
    """Function that writes a study of three heads, in which each is tested once, with some changes."""
    scans = Path(next(iter(tiny_cohort[0].images.values()))).parents[1]
    values = {
        "prepared": str(tiny_prepared.folder), "cohort": str(scans / "cohort.csv"), "sizes": [1], "folds": 3,
        "experiment": TINY, "strategies": {"scratch": {}, "locked": {"init": "weights.h5", "freeze": "encoder"}},
    }  # fmt: skip

    def call(**changes) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**values, **changes}, sort_keys=False))
        return path

    return call


def test_one_job_alone_is_trained_and_scored(mstl, write, tmp_path):
    with eager():
        code, said, error = mstl("compare", write(), "--out", tmp_path / "study", "--job", 0)
    assert code == 0, error
    assert "Did job 0 of 6, jobs/scratch/1/0-0" in said
    table = pd.read_csv(tmp_path / "study" / "study.csv")
    assert table[["strategy", "size", "fold", "seed"]].values.tolist() == [["scratch", 1, 0, 0]]
    code, _, error = mstl("compare", write(), "--out", tmp_path / "study", "--job", 6)
    assert code == 1
    assert "--job is 6; the study has jobs 0 to 5" in error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"strategies": {"scratch": {}, "locked": {"inti": "a.h5"}}}, "Did you mean 'init'"),
        ({"folds": 2, "sizes": [2]}, "but 3 are prepared"),
        ({"cohort": "nowhere.csv"}, "nowhere.csv"),
        ({"prepared": "nowhere"}, "nowhere is no prepared folder"),
    ],
)
def test_what_is_wrong_with_a_study_is_said_before_it_begins(mstl, write, tmp_path, changes, said):
    code, _, error = mstl("compare", write(**changes), "--out", tmp_path / "study")
    assert code == 1
    assert said in error
    assert not (tmp_path / "study").exists()


def test_a_study_that_has_begun_is_gone_on_with_only_on_request_and_unchanged(mstl, write, tmp_path):
    with eager():
        assert mstl("compare", write(), "--out", tmp_path / "study", "--job", 0)[0] == 0
    code, _, error = mstl("compare", write(), "--out", tmp_path / "study")
    assert code == 1
    assert "is not empty" in error
    code, _, error = mstl("compare", write(sizes=["all"]), "--out", tmp_path / "study", "--resume")
    assert code == 1
    assert "sizes was [1] when the study" in error


def test_a_strategy_that_cannot_be_trained_is_told_by_its_measurement(mstl, write, tmp_path):
    strategies = {"scratch": {"loss": "dise"}, "locked": {"freeze": "encoder", "init": "a.h5"}}
    code, _, error = mstl("compare", write(strategies=strategies), "--out", tmp_path / "study")
    assert code == 1
    assert "Strategy 'scratch' cannot be trained" in error
