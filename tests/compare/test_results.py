"""What a study has found is written for people and programs; harm is told with the distance of the source's scans."""
import pandas as pd
import pytest

from mstl.compare.folder import StudyFolder
from mstl.compare.results import write_results
from mstl.evaluation import domain_features
from mstl.files import read_json, sha256, write_json, write_text


@pytest.fixture
def finished(study_of, values, other, tmp_path):
    """Function that begins a study whose jobs are all done, strategy "locked" by `gain` above "scratch"."""

    def call(gain: float) -> StudyFolder:
        others = {**values["sources"]["others"], "prepared": str(other.folder)}
        study = StudyFolder.begin(study_of(sources={"others": others}, seeds=[0, 1]), tmp_path / "study")
        for number, job in enumerate(study.jobs):
            place, names = study.folder / job.label, ["run/best.h5"]
            write_text(place / "run" / "best.h5", "")
            if job.size is not None:
                names.append("scores.csv")
                write_text(place / "scores.csv", scores_of(study, job, gain * (job.name == "locked"), number))
            facts = {"seconds": 60.0, "memory_mb": 900, "parameters": 10, "trained_parameters": 5}
            write_json(place / "job.json", {"files": {name: sha256(place / name) for name in names}, **facts})
        return study

    return call


def scores_of(study: StudyFolder, job, gain: float, number: int) -> str:
    rows = [
        {"case": name, "subject": name, "session": "", "dice": 0.5 + 0.02 * int(name[1:]) + gain + number / 1000,
         "empty_reference": 0}
        for name in study.division(job).test
    ]  # fmt: skip
    return pd.DataFrame(rows).to_csv(index=False)


def test_tables_statistics_and_page_tell_the_same(finished):
    study = finished(gain=0.1)
    answer = write_results(study)
    assert len(pd.read_csv(study.folder / "study.csv")) == 2 * 2 * 2 * 4 * 2
    statistics = read_json(study.folder / "statistics.json")
    assert statistics["answer"] == answer
    assert statistics["twins"] == {"scratch": None, "locked": "scratch"}
    assert {row["a"] for row in statistics["comparisons"]} == {"locked"}
    page = (study.folder / "study.html").read_text(encoding="utf-8")
    assert "shown to be better" in page
    assert not (study.folder / "domain_shift.json").exists()
    assert (study.folder / "table.tex").exists()


def test_harm_is_told_with_how_far_the_scans_of_the_source_are_away(finished, monkeypatch):
    monkeypatch.setattr(domain_features._Patches, "usual", 20)  # brains as small as these have no room for more
    study = finished(gain=-0.1)
    write_results(study)
    assert any(row["negative_transfer"] for row in read_json(study.folder / "statistics.json")["comparisons"])
    assert read_json(study.folder / "domain_shift.json")["mmd2"] is not None


def test_harm_is_told_where_that_cannot_be_measured(finished):
    study = finished(gain=-0.1)
    with pytest.warns(UserWarning, match=r"How far the scans of .* are away was not measured. Case h0 has room for"):
        write_results(study)
    assert "egative transfer" in (study.folder / "study.html").read_text(encoding="utf-8")


def test_a_study_without_a_finished_training_says_so(study_of, tmp_path):
    strategies = {"scratch": {}, "locked": {"init": "x.h5"}}
    study = StudyFolder.begin(study_of(sources={}, strategies=strategies), tmp_path / "study")
    assert write_results(study) == ["No training has finished yet: there is nothing to compare."]
    assert (study.folder / "study.html").exists()
