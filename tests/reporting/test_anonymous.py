"""Records without names and paths: what stays, what goes."""
import pytest

from mstl.config import Experiment
from mstl.reporting.anonymous import (
    anonymous_environment,
    anonymous_experiment,
    anonymous_source,
    anonymous_threshold,
    anonymous_transfer,
    without_names,
)

SIDES = {"train_subjects": ("ms-01", "ms-02"), "validation_subjects": ("ms-03",), "test_subjects": ("ms-04",)}


def test_an_experiment_keeps_its_settings_and_loses_subjects_and_paths():
    experiment = Experiment(
        **SIDES, prepared="/disk/prepared", init="/disk/ms-01/run", model="unet-small", epochs=7, crop=64,
        freeze="encoder", twin=True,
    )  # fmt: skip
    expected = Experiment(prepared="", init="run", model="unet-small", epochs=7, crop=64, freeze="encoder")
    assert anonymous_experiment(experiment) == expected


@pytest.mark.parametrize(("prior", "kept"), [("none", "none"), ("gaussian", "gaussian"), ("/disk/prior", "learned")])
def test_a_prior_that_was_learned_loses_its_folder(prior, kept):
    assert anonymous_experiment(Experiment(prior=prior)).prior == kept


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("random", "random"),
        ("imagenet", "imagenet"),
        ("lst-ai-a", "lst-ai-a"),
        ("/disk/hospital/gan", "gan"),
        ("..\\hospital\\weights.h5", "weights.h5"),
        ("runs/of-ms-04", "of-..."),
        ("runs/", "runs"),
    ],
)
def test_of_a_source_its_published_or_last_name_stays(word, kept):
    assert anonymous_source(word, names=["ms-04"]) == kept


def test_names_go_as_whole_words_and_the_longest_first():
    text = "These know anna, anna-maria and ms.1; not annabel or ms11."
    assert without_names(text, ["anna", "anna-maria", "ms.1"]) == "These know ..., ... and ...; not annabel or ms11."


def test_a_transfer_keeps_its_tensors_and_loses_folders_and_names():
    one = {"init": "/a/run", "file": "/a/run/best.h5", "sha256": "0f", "notes": ["It knows ms-04."], "tensors": [1]}
    found = anonymous_transfer({"transfers": [one], "groups": [2]}, names=["ms-04"])
    expected = {"init": "run", "file": "best.h5", "sha256": "0f", "notes": ["It knows ...."], "tensors": [1]}
    assert found == {"transfers": [expected], "groups": [2]}


def test_a_threshold_counts_those_it_was_chosen_on():
    record = {"threshold": 0.4, "chosen_on": ["ms-03"], "flip": False}
    assert anonymous_threshold(record) == {"threshold": 0.4, "flip": False, "chosen_on_subjects": 1}
    assert anonymous_threshold({"threshold": 0.4}) == {"threshold": 0.4}


def test_an_environment_keeps_versions_and_loses_machine_and_scans():
    record = {
        "python": "3.11", "platform": "Linux-hospital", "packages": {"mstl": "1"}, "git_revision": "abc", "seed": 3,
        "inputs": {"ms-01": {"flair": "ff"}}, "prior": {"file": "/disk/prior.h5", "sha256": "aa"},
        "distribution": {"precision": "mixed_float16", "devices": {"kind": "GPU", "count": 2, "names": ["host:0"]}},
    }  # fmt: skip
    assert anonymous_environment(record, weights_sha256="ee") == {
        "python": "3.11", "packages": {"mstl": "1"}, "git_revision": "abc", "seed": 3, "prior": {"sha256": "aa"},
        "precision": "mixed_float16", "devices": {"kind": "GPU", "count": 2}, "inputs": {}, "weights_sha256": "ee",
    }  # fmt: skip
    assert anonymous_environment({}, weights_sha256="ee")["devices"] == {}
