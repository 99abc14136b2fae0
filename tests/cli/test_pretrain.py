"""`mstl pretrain gan` as a person types it, and what other commands say to the folder that it leaves."""
import re

import pytest

from tests.gans import SETTINGS, yaml_of


@pytest.fixture
def experiment(gan_prepared, tmp_path):
    """A file that `mstl pretrain gan` would train for seconds."""
    path = tmp_path / "gan.yaml"
    path.write_text(yaml_of(prepared=gan_prepared.folder))
    return path


def refused(mstl, *arguments) -> str:
    """The one line by which a command refuses."""
    code, _, error = mstl(*arguments)
    assert code == 1
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    return error


def test_the_folder_holds_all_that_is_promised(pretrained):
    found = {str(path.relative_to(pretrained.folder)) for path in pretrained.folder.rglob("*") if path.is_file()}
    assert found >= {
        "experiment.yaml", "preparation.json", "environment.json", "transfer.json", "baselines.json", "history.csv",
        "best.h5", "last.h5", "state/state.h5", "restoration.csv", "report.html",
        "samples/epoch-0000.png", "samples/epoch-0002.png", "samples/epoch-0003.png",
        "generators/epoch-0002.h5", "generators/epoch-0003.h5",
    }  # fmt: skip
    assert not [name for name in found if re.search(r"(^|/)\.", name)]
    assert (pretrained.folder / "experiment.yaml").read_text().startswith("pretraining: gan\n")


def test_masks_are_not_opened_from_the_experiment_to_the_report(pretrained, gan_prepared):
    scans = gan_prepared.folder.parent
    opened = {path.name for path in pretrained.opened if scans in path.parents}
    assert opened == {"image.npy", "case.json", "cohort.csv", "preparation.json"}
    assert any(path.name.endswith("report.html") for path in pretrained.opened)
    assert all((case.folder / "mask.npy").is_dir() and case.has_mask for case in gan_prepared)


def test_progress_and_results_are_shown(pretrained):
    said = pretrained.said
    assert "epoch 3/3" in said
    assert "6/6" in said
    assert re.search(r"loss \d+\.\d+, validation error 0\.\d+", said)
    assert re.search(r"Pre-trained .*gan: 3 epochs, loss \d+\.\d+\.", said)
    assert re.search(r"s2 .*validation", said)
    assert re.search(r"s3 .*test", said)
    assert re.search(r"restored with an error of 0\.\d+: \d+\.\d+ times that of a mean fill", said)
    assert re.search(r"Report: .*report\.html", said)


def test_the_step_is_traced_once(pretrained):
    assert pretrained.traces == 1


def test_a_finished_pre_training_resumes_at_once(mstl, pretrained, experiment):
    before = (pretrained.folder / "last.h5").read_bytes()
    code, output, _ = mstl("pretrain", "gan", experiment, "--out", pretrained.folder, "--resume")
    assert (code, "3 epochs" in output) == (0, True)
    assert (pretrained.folder / "last.h5").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("crop=96", "crop is 96; a multiple of 64"),
        ("norm_mode=layer", "norm_mode is 'layer'; expected one of batch, moving, instance"),
        ("corruption=stripes", "Corruption 'stripes' is unknown"),
        ("share=1.5", "share is 1.5"),
        ("activation=relu", "activation is 'relu'"),
        ("dropout=1", "dropout is 1.0"),
        ("fill=.nan", "fill is nan"),
        ("augment=wild", "wild"),
        ("train_subjects=nobody", "nobody"),
        ("prepared=nowhere", "nowhere"),
        ("init=absent.h5", "'absent.h5' are no file"),
        ("loss=bce", "Key 'loss' in .* is unknown to 'mstl pretrain gan'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_before_there_is_a_folder(mstl, experiment, tmp_path, change, expected):
    line = refused(mstl, "pretrain", "gan", experiment, "--set", change, "--out", tmp_path / "out")
    assert re.search(expected, line)
    assert not (tmp_path / "out").exists()


def test_experiments_of_the_other_command_are_refused_in_a_line(mstl, experiment, tmp_path):
    trainings = tmp_path / "train.yaml"
    trainings.write_text("model: unet-small\nloss: bce\n")
    assert "unknown to 'mstl pretrain gan'" in refused(mstl, "pretrain", "gan", trainings, "--out", tmp_path / "out")
    experiment.write_text("pretraining: gan\n" + experiment.read_text())
    assert "It is one for 'mstl pretrain gan'" in refused(mstl, "train", experiment, "--out", tmp_path / "out")


def test_other_settings_are_no_resume(mstl, pretrained, experiment):
    change = ("--set", "tile=4", "--out", pretrained.folder)
    assert "tile 8 -> 4" in refused(mstl, "pretrain", "gan", experiment, *change, "--resume")
    assert "is not empty" in refused(mstl, "pretrain", "gan", experiment, *change)


@pytest.mark.parametrize("command", [("predict",), ("threshold",), ("predict", "--subjects", "s2")])
def test_a_pre_training_gives_no_masks_and_says_how_to_get_them(mstl, pretrained, tmp_path, command):
    out = ("--out", tmp_path / "out") if command[0] == "predict" else ()
    line = refused(mstl, command[0], pretrained.folder, *command[1:], *out)
    assert f"{pretrained.folder} is a run of 'mstl pretrain gan'; one of 'mstl train' is expected." in line
    assert f"Train one with init: {pretrained.folder}." in line
    assert not (tmp_path / "out").exists()


def test_its_report_can_be_written_again(mstl, pretrained):
    code, output, _ = mstl("report", pretrained.folder)
    assert code == 0
    assert "report.html" in output


def test_what_the_encoder_brings_to_a_segmenter_can_be_seen_before(mstl, pretrained):
    options = ("--set", f"width={SETTINGS['width']}", "--set", "norm_mode=instance", "--set", "channels=2")
    code, output, error = mstl("transfer", pretrained.folder, "--to", "pix2pix-segmenter", *options)
    assert code == 0, error
    assert "conv_e1" in output


def test_usage_is_answered_with_help(mstl):
    assert mstl("pretrain")[0] == 2
    assert mstl("pretrain", "gan")[0] == 2
    code, output, _ = mstl("pretrain", "gan", "--help")
    assert (code, "--resume" in output) == (0, True)
