"""`mstl pretrain kernel-prior` as a person types it, and what other commands say to the folder that it leaves."""
import io
import re
import sys
from contextlib import redirect_stdout

import pytest

from tests.gans import eager
from tests.kernels import FILTERS, QUICK, write_networks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five networks, and the file of an experiment that learns from them in seconds."""
    folder = tmp_path_factory.mktemp("kernel prior")
    write_networks(folder, 5)
    lines = [f"sources: ['{folder}/network-*.h5']", f"model_options: {{filters: {list(FILTERS)}}}"]
    lines += [f"{key}: {value}" for key, value in QUICK.items()]
    (folder / "prior.yaml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def learned(folder):
    """The folder of the prior, and what was printed."""
    from mstl.cli import main

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), eager():
        patch.setenv("COLUMNS", "160")
        patch.setattr(sys, "argv", ["mstl", "pretrain", "kernel-prior", str(folder / "prior.yaml"), "--out",
                                    str(folder / "prior")])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code, printed.getvalue()
    return folder / "prior", printed.getvalue()


def refused(mstl, *arguments) -> str:
    code, _, error = mstl(*arguments)
    assert code == 1
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1
    return error


def test_the_folder_holds_all_that_is_promised(learned):
    assert sorted(path.name for path in learned[0].iterdir()) == [
        "environment.json", "experiment.yaml", "groups.csv", "history.csv", "kernels.csv", "prior.h5", "report.html",
    ]  # fmt: skip


def test_kernels_progress_bounds_and_the_report_are_shown(learned):
    said = learned[1]
    assert re.search(r"network-4\.h5 .* 260 .* 0", said)
    assert re.search(r"decoder_full \(3/3\) epoch .* 2/2 .* held-out bound -?\d+\.\d\d", said)
    assert re.search(r"encoder_half .* 960 .* [12] .* -?\d+\.\d\d .* -?\d+\.\d\d .* [+-]\d+\.\d\d", said)
    assert "says no more of held-out kernels than independent Gaussians do" in said
    assert re.search(r"Report: .*report\.html", said)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("sources=nowhere", "Source nowhere does not exist"),
        ("sources=", "No source network is given"),
        ("model=unet-small", "Model 'unet-small'"),
        ("model_options={filters: [4, 6]}", "is of another architecture than model 'residual_unet3d': 'encoder2"),
        ("smallest_norm=9", "Group encoder_full has 0 kernels of 5 networks"),
        ("log_variance_range=[1, -1]", "two rising numbers are expected"),
        ("held_out=2", "held_out is 2.0"),
        ("batch=3", "Key 'batch' in .* is unknown to 'mstl pretrain kernel-prior'. Did you mean 'batch_size'?"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_before_there_is_a_folder(mstl, folder, tmp_path, change, expected):
    line = refused(mstl, "pretrain", "kernel-prior", folder / "prior.yaml", "--set", change, "--out", tmp_path / "out")
    assert re.search(re.escape(expected).replace(r"\.\*", ".*"), line)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_empty_is_left_alone(mstl, folder, learned):
    said = refused(mstl, "pretrain", "kernel-prior", folder / "prior.yaml", "--out", learned[0])
    assert "is not empty" in said


def test_experiments_of_other_commands_are_refused_in_a_line(mstl, folder, learned, tmp_path):
    experiment = learned[0] / "experiment.yaml"
    line = refused(mstl, "train", experiment, "--out", tmp_path / "out")
    assert "It is one for 'mstl pretrain kernel-prior', not for 'mstl train'" in line
    line = refused(mstl, "pretrain", "gan", experiment, "--out", tmp_path / "out")
    assert "not for 'mstl pretrain gan'" in line


def test_a_prior_gives_no_masks_and_says_how_to_get_them(mstl, learned):
    line = refused(mstl, "threshold", learned[0])
    assert "is a run of 'mstl pretrain kernel-prior'; one of 'mstl train' is expected." in line
    assert f"Train one with prior: {learned[0]}." in line


def test_its_report_can_be_written_again(mstl, learned):
    code, output, _ = mstl("report", learned[0])
    assert (code, "report.html" in output) == (0, True)


def test_help_tells_of_it(mstl):
    assert "kernel-prior" in mstl("pretrain", "--help")[1]
    code, output, _ = mstl("pretrain", "kernel-prior", "--help")
    assert (code, "--set" in output) == (0, True)
