"""`mstl check`: what it prints and writes, when it fails, sides of a split, and the mended copy."""
import json
import sys

import pytest

from mstl.cli import main
from mstl.data.cohort import Cohort
from tests.corpus import FAULTS, copy_case, write_case


@pytest.fixture
def run(monkeypatch, capsys):
    """Function that runs `mstl` and returns its exit code, and what it printed, whitespace as one blank."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mstl", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code or 0, " ".join((printed.out + printed.err).split())

    return call


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    cases = [write_case(folder, f"p{seed}", seed=seed) for seed in (1, 2)]
    Cohort(cases).to_csv(folder / "cohort.csv")
    return folder


@pytest.fixture
def faulty(sound, tmp_path):
    def plant(name):
        case = copy_case(Cohort.from_csv(sound / "cohort.csv")[0], tmp_path)
        FAULTS[name].plant(case, case)
        Cohort([case]).to_csv(tmp_path / "cohort.csv")
        return tmp_path / "cohort.csv"

    return plant


def test_a_sound_cohort_passes_and_leaves_its_record_beside_the_csv(run, sound):
    code, said = run("check", sound / "cohort.csv")
    assert code == 0
    assert "2 cases of 2 subjects: nothing is wrong" in said
    record = json.loads((sound / "check" / "check.json").read_text())
    assert record["counts"]["error"] == 0
    assert (sound / "check" / "check.html").stat().st_size > 10_000


def test_an_error_ends_in_exit_code_1(run, faulty, tmp_path):
    code, said = run("check", faulty("a normalised mask"), "--out", tmp_path / "out")
    assert code == 1
    assert "Is it a mask at all?" in said
    assert "Traceback" not in said
    assert json.loads((tmp_path / "out" / "check.json").read_text())["counts"]["error"] == 1


def test_notes_are_listed_on_request(run, faulty):
    path = faulty("8 bits")
    code, said = run("check", path)
    assert code == 0
    assert "t2 holds" not in said
    assert "t2 holds" in run("check", path, "--notes")[1]


def test_a_mended_copy_passes(run, faulty, tmp_path):
    code, said = run("check", faulty("an interpolated mask"), "--fix", tmp_path / "mended")
    assert code == 0
    assert "cut at 0.5" in said
    assert "nothing is wrong" in said
    assert Cohort.from_csv(tmp_path / "mended" / "cohort.csv")[0].mask == tmp_path / "mended" / "p1" / "mask.nii.gz"
    assert (tmp_path / "mended" / "check" / "check.html").exists()


def test_several_cohorts_are_the_sides_of_a_split(run, sound, tmp_path):
    Cohort.from_csv(sound / "cohort.csv")[:1].to_csv(tmp_path / "test.csv")
    code, said = run("check", sound / "cohort.csv", tmp_path / "test.csv", "--out", tmp_path / "out")
    assert code == 1
    assert "Subject p1 stands on 2 sides" in said


def test_an_experiment_names_the_sides(run, sound, tmp_path):
    twin = copy_case(Cohort.from_csv(sound / "cohort.csv")[0], tmp_path, "twin")
    Cohort([*Cohort.from_csv(sound / "cohort.csv"), twin]).to_csv(tmp_path / "cohort.csv")
    (tmp_path / "e.yaml").write_text("train_subjects: [p1, p2]\ntest_subjects: [twin]\n")
    code, said = run("check", tmp_path / "cohort.csv", "--experiment", tmp_path / "e.yaml")
    assert code == 1
    assert "two sides of the split (train and test)" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cohort.csv", "cohort.csv", "--fix", "x"], "one cohort at a time"),
        (["cohort.csv", "other.csv", "--experiment", "e.yaml"], "both name the sides"),
        (["cohort.csv", "--experiment", "e.yaml"], "names no subjects"),
        (["cohort.csv", "--fix", "."], "not empty"),
        (["cohort.csv", "--jobs", "0"], "jobs is 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, sound, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    for name in ("cohort.csv", "other.csv"):
        Cohort.from_csv(sound / "cohort.csv").to_csv(name)
    (tmp_path / "e.yaml").write_text("epochs: 1\n")
    code, said = run("check", *arguments)
    assert code == 1
    assert message in said


def test_labels_are_shown_with_their_voxels_and_are_no_error(run, faulty, tmp_path):
    code, said = run("check", faulty("a mask of labels"), "--out", tmp_path / "out")
    assert code == 0
    assert "label masks voxels 1 1 of 1" in said
    assert "'mstl prepare --labels 1,2,3' keeps the classes" in said
