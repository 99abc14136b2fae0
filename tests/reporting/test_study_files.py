"""The folder of a study: which jobs there are, how far they are, and tables that are absent or empty."""
import pytest

from mstl.errors import InputError
from mstl.files import write_text
from mstl.reporting.study_files import StudyFiles
from tests.studies import write_study


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return StudyFiles.open(write_study(tmp_path_factory.mktemp("study"), patients=6, sizes=(1, 2), failed=["locked"]))


def test_all_trainings_are_known_with_those_done_and_failed(files):
    assert files.progress == {"jobs": 24, "done": 16, "failed": 8}
    failed = next(job for job in files.jobs if job.failure)
    assert failed.label == "jobs/locked/1/0-0"
    assert failed.failure == "Loss is nan <in epoch 1>. Lower the learning rate."
    assert [(job.label, job.fold, job.done) for job in files.sources] == [("sources/old/0", None, True)]


def test_tables_are_read_with_names_as_text(files):
    assert files.strategies == ["scratch", "tumour", "locked"]
    assert set(files.scores["strategy"]) == {"scratch", "tumour"}
    assert files.scores["dice"].dtype == float
    assert len(files.costs) == 17
    assert set(files.splits["side"]) == {"train", "validation", "test", "unused"}
    assert files.conventions.startswith("Empty masks")


def test_a_failure_of_before_counts_no_more_once_the_training_is_done(tmp_path):
    files = StudyFiles.open(write_study(tmp_path, patients=4, sizes=(1,)))
    job = files.jobs[0]
    write_text(job.folder / "failure.txt", "killed")
    assert job.failure is None


def test_a_study_that_has_just_begun_has_empty_tables(tmp_path):
    folder = write_study(tmp_path, patients=4, sizes=(1,))
    write_text(folder / "study.csv", "\n")
    (folder / "costs.csv").unlink()
    files = StudyFiles.open(folder)
    assert files.scores.empty
    assert files.costs.empty


def test_strategies_and_cases_that_look_like_numbers_or_nothing_stay_names(tmp_path):
    folder = write_study(tmp_path, gains={"1": 0.0, "2": 0.1}, patients=4, sizes=(1,))
    path = folder / "study.csv"
    write_text(path, path.read_text().replace("p00", "NA").replace("p01", "007"))
    assert set(StudyFiles.open(folder).scores["strategy"]) == {"1", "2"}
    assert {"NA", "007"} <= set(StudyFiles.open(folder).scores["subject"])


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is no study \(no study.yaml\)"):
        StudyFiles.open(tmp_path)
