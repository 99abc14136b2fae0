"""Facts of a card: what a model takes, sees and gives, and what it was trained by."""
import pandas as pd
import pytest

from mstl.config import Experiment
from mstl.data.preparation import Preparation
from mstl.errors import InputError
from mstl.models import build_model
from mstl.reporting.card_facts import budget_of, network_of, task_of, weights_of
from mstl.training.run import Run

SMALL = {"width": 2, "depth": 2}


@pytest.fixture(scope="module")
def slices():
    return build_model("unet-small", channels=2, **SMALL)


@pytest.fixture(scope="module")
def volumes():
    return build_model("unet3d-bayesian", channels=1, filters=(2, 4))


def test_a_task_of_one_class_and_one_of_several():
    one = task_of(Preparation(("flair", "t1")), classes=1, pictures=False)
    assert (one["output"], one["words"], one["reference"]) == ("a lesion mask", "FLAIR and T1", "FLAIR scan")
    several = task_of(Preparation(("t1ce",), labels=(1, 2, 4)), classes=4, pictures=False)
    assert several["output"] == "a mask of the labels 1, 2, 4"
    assert "`<case>_probability.nii.gz` each label's probability" in several["files"]
    pictures = task_of(Preparation(("oct",), labels=(1, 2)), classes=3, pictures=True)
    assert "`<case>_probability*.png` each label's" in pictures["files"]
    picture = task_of(Preparation(("oct",)), classes=1, pictures=True)
    assert (picture["reference"], picture["pictured"]) == ("picture", "pictures")
    assert "_prediction.png" in picture["files"]


def test_a_network_tells_how_much_it_sees(slices, volumes):
    found = network_of(slices, Experiment(model="unet-small", model_options=SMALL))
    assert found == {"model": "unet-small", "options": "width 2, depth 2", "parameters": 2021, "dimensions": 2,
                     "bayesian": False, "sees": "whole axial slices"}  # fmt: skip
    near = network_of(slices, Experiment(window=64, context=1))
    assert near["sees"] == "windows of 64 x 64 pixels of axial slices with 1 neighbours at each side"
    assert network_of(volumes, Experiment(patch=(16, 32, 32)))["sees"] == "windows of 16 x 32 x 32 voxels"
    whole = network_of(volumes, Experiment())
    assert (whole["dimensions"], whole["bayesian"], whole["sees"][:13]) == (3, True, "whole volumes")


def test_a_budget_is_what_was_used_of_what_was_asked_for(slices, tmp_path):
    Experiment(epochs=5, model="unet-small").save(tmp_path / "experiment.yaml")
    rows = {"epoch": [1, 2], "loss": [1.0, 0.5], "val_dice": [0.4, 0.3], "seconds": [2.0, 3.0]}
    pd.DataFrame(rows).to_csv(tmp_path / "history.csv", index=False)
    found = budget_of(Run(tmp_path), slices, devices={"kind": "CPU"})
    assert (found["epochs"], found["finished"], found["seconds"]) == (2, False, 5.0)
    assert (found["best_epoch"], found["best_dice"]) == (1, 0.4)
    assert (found["settings"]["loss"], found["settings"]["augment"]) == ("bce_dice", "thesis")


@pytest.mark.parametrize(("settings", "loss"), [
    ({}, "ce_dice"), ({"prior": "gaussian"}, "ce"), ({"loss": "dice"}, "dice"),
])  # fmt: skip
def test_what_auto_meant_is_told(volumes, tmp_path, settings, loss):
    Experiment(**settings).save(tmp_path / "experiment.yaml")
    pd.DataFrame({"epoch": [1], "loss": [1.0]}).to_csv(tmp_path / "history.csv", index=False)
    found = budget_of(Run(tmp_path), volumes, devices={})
    assert (found["settings"]["loss"], found["settings"]["augment"]) == (loss, "flips")
    assert (found["best_epoch"], found["seconds"]) == (None, None)


def test_a_run_without_history_is_refused(slices, tmp_path):
    Experiment().save(tmp_path / "experiment.yaml")
    with pytest.raises(InputError, match=r"has weights but no history\.csv"):
        budget_of(Run(tmp_path), slices, devices={})


def test_a_folder_without_records_says_nothing_of_its_weights(tmp_path):
    assert weights_of(tmp_path) == {"sentences": [], "notes": [], "sources": []}


@pytest.mark.parametrize(("prior", "words"), [("learned", "learned from other networks"), ("gaussian", "a Gaussian")])
def test_a_prior_of_the_weights_is_told(tmp_path, prior, words):
    (sentence,) = weights_of(tmp_path, prior=prior)["sentences"]
    assert words in sentence
