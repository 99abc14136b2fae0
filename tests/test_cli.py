"""The command line from scans to report, as a person types it."""
import re
import sys

import nibabel as nib
import numpy as np
import pytest

import mstl
from mstl.cli import main
from mstl.files import read_json
from tests.labelled import with_labels


@pytest.fixture
def run(monkeypatch, capsys):
    """Function that runs `mstl` with arguments and returns what it printed; the exit code must be 0."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["mstl", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        assert not end.value.code, printed.err
        return printed.out

    return call


EXPERIMENT = """
ratios: [0.6, 0.2, 0.2]
stem: direct
epochs: 1
steps_per_epoch: 2
batch_size: 2
crop: 64
validation_steps: 1
"""


def test_from_scans_to_report(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "5 subjects" in run("phantom", "scans", "--subjects", 5, "--scanner", "quick")
    patterns = [f"{name}={{subject}}/{{subject}}_{name}.nii.gz" for name in ("flair", "t1", "t2", "mask", "brain_mask")]
    assert "5 cases" in run("index", "scans", *(word for text in patterns for word in ("--pattern", text)))
    assert "nothing is wrong" in run("check", "cohort.csv")
    assert "Prepared 5 cases" in run("prepare", "cohort.csv", "prepared", "--modalities", "flair,t1")
    (tmp_path / "small.yaml").write_text(EXPERIMENT)
    assert "Trained" in run("train", "small.yaml", "--set", "seed=1", "--out", "run")
    assert re.search(r"Threshold 0\.\d+", run("threshold", "run"))
    test = ",".join(mstl.Run("run").experiment.test_subjects)
    assert "1 case" in run("predict", "run", "--out", "predictions")
    assert "1 case" in run("predict", "run", "prepared", "--subjects", test, "--out", "named")
    assert test in run("evaluate", "predictions", "cohort.csv", "--subjects", test, "--out", "scores.csv")
    said = run("report", "run", "--predictions", "predictions", "--cohort", "cohort.csv", "--scores", "scores.csv")
    assert "report.html" in said
    assert test in (tmp_path / "run" / "report.html").read_text()
    scan = f"scans/{test}/{test}_flair.nii.gz"
    run("predict", "run", f"flair={scan}", f"t1={scan.replace('flair', 't1')}", "--out", "one", "--flip")
    mask = nib.load(next((tmp_path / "one").glob("*_prediction.nii.gz")))
    assert mask.shape == nib.load(scan).shape
    assert "1 epochs" in run("train", "small.yaml", "--set", "seed=1", "--out", "run", "--resume")


TWIN = """
model: unet-small
model_options: {width: 2, depth: 2}
ratios: [0.5, 0.25, 0.25]
freeze: encoder
twin: true
epochs: 1
steps_per_epoch: 1
batch_size: 2
validation_steps: 1
"""


def test_a_transfer_is_reported_against_its_twin_from_scratch(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("phantom", "scans", "--subjects", 4, "--scanner", "quick", "--modalities", "flair")
    run("prepare", "scans/cohort.csv", "prepared")
    (tmp_path / "twin.yaml").write_text(TWIN)
    said = run("train", "twin.yaml", "--out", "run", "--profile", 9)
    assert re.search(r"Trained run: 1 epochs, .* at best\.\nIts twin from scratch, run/twin: 1 epochs, .* at", said)
    assert len(re.findall(r"Profile of 1 step: .* ms a step, .*% of it waiting for input; see run/.*html", said)) == 2
    assert read_json("run/profile/summary.json")["frozen"] > read_json("run/twin/profile/summary.json")["frozen"] == 0
    run("report", "run")
    page = (tmp_path / "run/report.html").read_text()
    commands = re.findall(r"<li><code>mstl (.*?)</code>", page)
    assert len(commands) == 7
    for command in commands:
        run(*command.replace(" cohort.csv", " scans/cohort.csv").split())
    assert "Over 1 patient the mean Dice" in (tmp_path / "run/report.html").read_text()


def test_the_version_is_printed(run):
    assert run("--version").strip() == f"mstl {mstl.__version__}"


def test_tumours_come_in_the_modalities_of_brats(run, tmp_path):
    run("phantom", tmp_path / "out", "--disease", "tumour", "--subjects", 1, "--scanner", "quick")
    assert list(mstl.Cohort.from_csv(tmp_path / "out" / "cohort.csv")[0].images) == ["flair", "t1", "t1ce", "t2"]


def test_equal_phantoms_have_equal_bytes(run, tmp_path):
    for folder in ("a", "b"):
        run("phantom", tmp_path / folder, "--subjects", 1, "--scanner", "quick", "--modalities", "flair")
    first, second = (sorted((tmp_path / folder).rglob("*.gz")) for folder in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


VOLUMES = """
model: unet3d-residual
model_options: {filters: [4, 8]}
train_subjects: [a]
validation_subjects: [b]
patch: [16, 16, 16]
loss: ce
epochs: 1
steps_per_epoch: 1
batch_size: 1
validation_steps: 1
augment: none
"""


def test_a_3d_network_writes_the_labels_of_several_classes(run, tmp_path, monkeypatch, make_case):
    monkeypatch.chdir(tmp_path)
    mstl.Cohort([with_labels(make_case(tmp_path, name, seed=1)) for name in "ab"]).to_csv("cohort.csv")
    run("prepare", "cohort.csv", "prepared", "--labels", "1,2,4")
    (tmp_path / "volumes.yaml").write_text(VOLUMES)
    assert "Trained" in run("train", "volumes.yaml", "--out", "run")
    assert re.search(r"Most probable class, .*: mean Dice 0\.\d+.* on 1 validation cases", run("threshold", "run"))
    assert "1 case" in run("predict", "run", "cohort.csv", "--subjects", "b", "--overlap", 0.25, "--out", "out")
    assert set(np.unique(nib.load("out/b_prediction.nii.gz").dataobj)) <= {0, 1, 2, 4}
    assert nib.load("out/b_probability.nii.gz").shape[3:] == (4,)
    assert read_json("out/b.json")["overlap"] == 0.25


def test_a_bayesian_network_tells_what_it_does_not_know(run, tmp_path, monkeypatch, make_case):
    monkeypatch.chdir(tmp_path)
    mstl.Cohort([make_case(tmp_path, name, seed=1) for name in "ab"]).to_csv("cohort.csv")
    run("prepare", "cohort.csv", "prepared")
    changes = {"model": "unet3d-bayesian", "model_options": "{filters: [2, 4], sigma_ratio: 0.5}"}
    (tmp_path / "volumes.yaml").write_text(VOLUMES)
    run("train", "volumes.yaml", *(word for pair in changes.items() for word in ("--set", "=".join(pair))))
    said = run("predict", "run", "cohort.csv", "--samples", 3, "--seed", 7, "--out", "out")
    assert "2 cases" in said
    assert read_json("out/b.json")["seed"] == 7
    assert nib.load("out/b_mutual_information.nii.gz").get_fdata().any()
    said = run("evaluate", "out", "cohort.csv")
    assert re.search(r"Calibration error .* over 2 cases; a wrong voxel has more entropy .* chance of 0\.\d+\.", said)
    assert re.search(r"lies in the interval of the samples' volumes in \d of 2 cases", said)
    assert "scores_uncertainty.csv and scores_calibration.csv." in said
