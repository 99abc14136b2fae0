"""The jobs of a study: each once, in an order in which what is needed is there."""
import pytest

from mstl.compare.divisions import Division
from mstl.compare.jobs import Job, is_done, jobs_of, needed_jobs, source_stages
from mstl.errors import InputError
from mstl.files import sha256, write_json, write_text

DIVISIONS = [Division(fold, size, (), (), (), ()) for fold in (0, 1) for size in (4, 2)]


def labels(stage) -> list[str]:
    return [job.label for job in stage]


def test_sources_come_first_and_once(study_of):
    sources, trained = jobs_of(study_of(seeds=[0, 7]), DIVISIONS)
    assert labels(sources) == ["sources/others/0"]
    assert len(trained) == len(set(labels(trained))) == 2 * 2 * 2 * 2
    assert labels(trained)[:2] == ["jobs/scratch/4/0-0", "jobs/locked/4/0-0"]


def test_what_learns_from_the_targets_scans_is_trained_in_every_fold(study_of):
    study = study_of(sources={"others": {"command": "pretrain gan", "seeds": [3, 4]}}, seeds=[0, 1, 2])
    sources, trained = jobs_of(study, DIVISIONS)
    assert labels(sources) == [f"sources/others/{fold}-{seed}" for fold in (0, 1) for seed in (3, 4)]
    begun = {job.label: labels(needed_jobs(job, study)) for job in trained if job.name == "locked"}
    assert begun["jobs/locked/2/1-0"] == ["sources/others/1-3"]
    assert begun["jobs/locked/2/1-1"] == ["sources/others/1-4"]
    assert begun["jobs/locked/2/1-2"] == ["sources/others/1-3"]


def test_a_prior_waits_for_all_networks_that_it_is_learned_from(study_of):
    sources = {
        "kernels": {"command": "pretrain kernel-prior", "sources": ["networks"]},
        "networks": {"prepared": "elsewhere", "seeds": [0, 1, 2]},
    }
    strategies = {"scratch": {}, "prior": {"prior": "kernels"}}
    study = study_of(sources=sources, strategies=strategies)
    first, second, trained = jobs_of(study, DIVISIONS)
    assert labels(first) == [f"sources/networks/{seed}" for seed in range(3)]
    assert labels(needed_jobs(second[0], study)) == labels(first)
    assert labels(needed_jobs(trained[1], study)) == ["sources/kernels/0"]


def test_sources_in_a_circle_are_an_error(study_of):
    sources = {"a": {"init": "b"}, "b": {"init": "a"}}
    with pytest.raises(InputError, match="Sources a, b begin with each other"):
        source_stages(study_of(sources=sources, strategies={"scratch": {}, "locked": {"init": "a"}}))


def test_a_job_is_done_when_its_results_are_what_they_were(tmp_path):
    job = Job("strategy", "scratch", 0, 1, 5)
    place = tmp_path / job.label
    assert not is_done(job, tmp_path)
    write_text(place / "scores.csv", "dice\n")
    write_json(place / "job.json", {"files": {"scores.csv": sha256(place / "scores.csv")}})
    assert is_done(job, tmp_path)
    write_text(place / "scores.csv", "dice\n0.9\n")
    assert not is_done(job, tmp_path)
    for damaged in ("", "[]", "{}", '{"files": {"gone.csv": ""}}'):
        write_text(place / "job.json", damaged)
        assert not is_done(job, tmp_path)
