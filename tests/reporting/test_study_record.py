"""How a study can be repeated: commands, versions, hashes, sides and failures."""
import pytest

from mstl.files import sha256, write_json
from mstl.reporting.study_files import StudyFiles
from mstl.reporting.study_record import study_record
from tests.studies import write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("a study"), patients=4, sizes=(1, 2), failed=["locked"])


@pytest.fixture(scope="module")
def record(study):
    return study_record(StudyFiles.open(study))


def test_commands_begin_the_study_anew_and_go_on_with_it(study, record):
    assert record["command"] == f"mstl compare '{study / 'study.yaml'}' --out NEW"
    assert record["resume"].endswith(f"--out '{study}' --resume")


def test_hashes_are_of_the_tables_and_of_what_each_training_made(study, record):
    assert ("study.csv", sha256(study / "study.csv")) in record["files"]
    assert ("sources/old/0", "run/best.h5", "ef" * 32) in record["hashes"]
    assert len(record["hashes"]) == 1 + 2 * 2 * 2 * 2


def test_failed_trainings_are_listed_with_their_reasons(record):
    assert len(record["failed"]) == 8
    assert record["failed"][0] == ("jobs/locked/1/0-0", "Loss is nan <in epoch 1>. Lower the learning rate.")


def test_sides_are_listed_fold_by_fold_with_what_each_size_trained_on(record):
    first = record["splits"][0]
    assert (first["fold"], first["test"], first["validation"]) == (0, ["p00", "p02"], ["p01"])
    assert first["sizes"] == {1: ["p03"], 2: ["p03"]}


def test_versions_that_differ_between_trainings_are_all_named(tmp_path):
    study = write_study(tmp_path, patients=4, sizes=(1,), seeds=1)
    write_json(study / "jobs/scratch/1/0-0/run/environment.json", {"python": "3.12.0", "packages": {"mstl": "0.1.0"}})
    versions = dict(study_record(StudyFiles.open(study))["versions"])
    assert versions == {"python": "3.11.7 (in 5), 3.12.0 (in 1)", "mstl": "0.1.0"}
