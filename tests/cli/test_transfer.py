"""`mstl inspect` and `mstl transfer` as a person types them."""
import json
import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest

from mstl.config import Experiment
from mstl.models import unet_small

SMALL = ("--set", "width=2", "--set", "depth=2", "--set", "channels=1")


@pytest.fixture
def weights(tmp_path):
    """Weights of a small U-Net for one channel."""
    unet_small(channels=1, width=2, depth=2).save_weights(tmp_path / "small.h5")
    return tmp_path / "small.h5"


def test_inspect_lists_every_tensor_with_its_shape(mstl, weights):
    code, output, _ = mstl("inspect", weights)
    assert code == 0
    assert "encoder1_conv1/kernel" in output
    assert "3x3x1x2" in output
    assert "small.h5: Keras 2 weights" in output


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_inspect_tells_version_and_training_of_a_whole_model(mstl, tmp_path, name):
    model = unet_small(channels=1, width=2, depth=1)
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(tmp_path / name)
    code, output, _ = mstl("inspect", tmp_path / name)
    assert code == 0
    assert ", Keras 2." in output
    assert "trained with optimizer adam, loss mse." in output.lower()


def test_inspect_takes_a_run_or_a_published_name(mstl, weights):
    (weights.parent / "run").mkdir()
    weights.rename(weights.parent / "run" / "best.h5")
    assert "best.h5: Keras 2 weights" in mstl("inspect", weights.parent / "run")[1]
    assert "unet-small-phantoms.h5: Keras 2" in mstl("inspect", "unet-small-phantoms")[1]
    code, _, error = mstl("inspect", "absent.h5")
    assert code == 1
    assert "'absent.h5' are no file, no run and none of" in error


def test_inspect_starts_no_tensorflow(tmp_path, weights):
    code = "import sys; from mstl.cli import main\ntry: main()\nfinally: print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "inspect", str(weights)], capture_output=True, check=True)
    assert done.stdout.endswith(b"False\n")


def test_inspect_reads_the_numbers_where_asked(mstl, weights):
    rows = json.loads(mstl("inspect", weights, "--values", "--json")[1])["tensors"]
    bias = next(row for row in rows if row["path"] == "final_conv/bias")
    assert bias["norm"] == 0
    assert len(bias["sha256"]) == 64
    code, output, _ = mstl("inspect", weights, "--values")
    assert code == 0
    assert bias["sha256"][:12] in output


def test_transfer_shows_a_plan_that_fits_and_changes_no_file(mstl, weights):
    before = weights.read_bytes()
    code, output, _ = mstl("transfer", weights, "--to", "unet-small", *SMALL)
    assert code == 0
    assert "same name" in output
    assert output.rstrip().endswith("load")
    assert weights.read_bytes() == before


def test_transfer_as_json_has_a_row_for_every_tensor(mstl, weights):
    code, output, _ = mstl("transfer", weights, "--to", "unet-small", *SMALL, "--include", "encoder", "--json")
    account = json.loads(output)
    assert code == 0
    assert {row["status"] for row in account["tensors"]} == {"load", "unused"}
    assert account["counts"]["load"] > 0


def test_a_plan_that_a_training_would_refuse_is_shown_and_ends_with_exit_code_1(mstl, weights):
    code, output, error = mstl("transfer", weights, "--to", "unet-small", "--set", "width=2", "--set", "depth=2")
    assert code == 1
    assert "shape mismatch" in output
    assert error.startswith("Error: small.h5 has nothing for 1 of")
    assert error.count("\n") == 1


def test_rules_of_the_command_line_reach_the_plan(mstl, weights):
    rules = ("--adapt", "mean", "--rename", "^bottleneck => neck", "--exclude", "bottleneck")
    code, output, _ = mstl("transfer", weights, "--to", "unet-small", "--set", "width=2", "--set", "depth=2", *rules)
    assert code == 0
    assert "adapted" in output
    assert "nothing in the model belongs to it" in output


def test_the_rules_of_an_experiment_hold_where_no_option_is_given(mstl, weights, tiny_prepared, tmp_path):
    small = {"width": 2, "depth": 2}
    rules = {"init_exclude": "head", "init_adapt": "mean"}
    Experiment(prepared=str(tiny_prepared.folder), model="unet-small", model_options=small, **rules).save(
        tmp_path / "experiment.yaml"
    )
    code, output, _ = mstl("transfer", weights, "--to", tmp_path / "experiment.yaml")
    assert code == 0
    assert "1 adapted" in output
    assert "2 unused" in output
    code, output, _ = mstl("transfer", weights, "--to", tmp_path / "experiment.yaml", "--exclude", "encoder")
    assert "1 adapted" not in output


def test_a_run_and_a_published_name_are_weights_too(mstl, weights):
    (weights.parent / "run").mkdir()
    weights.rename(weights.parent / "run" / "best.h5")
    assert mstl("transfer", weights.parent / "run", "--to", "unet-small", *SMALL)[0] == 0
    code, output, _ = mstl("transfer", "unet-small-phantoms", "--to", "unet-small")
    assert code == 0
    assert "100 load" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "unet-tiny"), "Model 'unet-tiny' is unknown"),
        (("--to", "unet-small", "--set", "deep=2"), "Model 'unet-small' has no option 'deep'"),
        (("--to", "unet-small", "--set", "depth"), "--set depth is not of the form key=value"),
        (("--to", "unet-small", "--rename", "a"), "Rename rule 'a' is not of the form"),
        (("--to", "unet-small", "--adapt", "stretch"), "adapt is stretch; expected"),
        (("--to", "absent.yaml"), "Experiment absent.yaml does not exist"),
    ],
)
def test_wrong_options_end_in_one_line(mstl, weights, arguments, message):
    code, _, error = mstl("transfer", weights, *arguments)
    assert code == 1
    assert message in error
    assert error.count("\n") == 1


def test_a_file_that_is_none_of_keras_ends_in_one_line(mstl, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.zeros(3)
    code, _, error = mstl("inspect", tmp_path / "other.h5")
    assert code == 1
    assert "other.h5 is HDF5 but not of Keras" in error
