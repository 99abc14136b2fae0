"""Settings of learning a prior of kernels: there and back, the stated numbers, and what would fail later."""
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.config import Experiment
from mstl.config_kernel_prior import KernelPriorExperiment, KernelPriorTraining
from mstl.errors import InputError

CONFIG = Path(__file__).parents[1] / "configs/kernel-prior.yaml"
NAMES = st.lists(st.text(st.characters(categories=("L", "N"), codec="utf-8"), min_size=1, max_size=9), max_size=3)


@settings(max_examples=15, deadline=None)
@given(names=NAMES, low=st.floats(-20, -1), latent=st.integers(1, 99), rate=st.floats(0, 1))
def test_an_experiment_goes_to_yaml_and_back(tmp_path_factory, names, low, latent, rate):
    options = {"latent": latent, "learning_rate": rate, "model_options": {"filters": [2, 4]}}
    experiment = KernelPriorExperiment(sources=tuple(names), log_variance_range=(low, 0.0), **options)
    path = tmp_path_factory.mktemp("prior") / "experiment.yaml"
    experiment.save(path)
    assert KernelPriorExperiment.load(path) == experiment


def test_the_config_states_the_defaults():
    experiment = KernelPriorExperiment.load(CONFIG)
    assert experiment.training() == KernelPriorTraining().training()
    assert experiment.sources == ("runs/source-*",)


def test_sources_may_be_given_with_commas_and_as_numbers():
    assert KernelPriorExperiment.load(CONFIG, changes=["sources=7, runs/a"]).sources == ("7", "runs/a")
    assert KernelPriorExperiment.load(CONFIG, changes=["sources=[a, b]"]).sources == ("a", "b")


def test_training_gives_the_arguments_of_pretrain_kernel_prior_alone():
    training = KernelPriorExperiment(epochs=7, sources=("x",)).training()
    assert training == KernelPriorTraining(epochs=7).training()
    assert set(training) == {one.name for one in fields(KernelPriorTraining)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"latent": 0}, "latent is 0; at least 1"),
        ({"epochs": 0}, "epochs is 0; at least 1"),
        ({"stop_patience": 0}, "stop_patience is 0; at least 1"),
        ({"batch_size": 0}, "batch_size is 0; at least 1"),
        ({"kernels_per_group": 0}, "kernels_per_group is 0; at least 1"),
        ({"kl_epochs": -1}, "kl_epochs is -1; at least 0"),
        ({"smallest_norm": float("nan")}, "smallest_norm is nan; at least 0"),
        ({"held_out": 0.0}, "held_out is 0.0; a share between 0 and 1"),
        ({"held_out": 1.0}, "held_out is 1.0; a share between 0 and 1"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; at least 0"),
        ({"log_variance_range": (1.0, -1.0)}, "two rising numbers are expected, as [-10, 1]"),
        ({"seed": -1}, "seed is -1; at least 0"),
    ],
)
def test_a_value_out_of_range_is_an_error(changes, expected):
    for kind in (KernelPriorTraining, KernelPriorExperiment):
        with pytest.raises(InputError) as caught:
            kind(**changes)
        assert expected in str(caught.value)


def test_it_is_no_experiment_of_a_training():
    with pytest.raises(InputError, match="It is one for 'mstl pretrain kernel-prior', not for 'mstl train'"):
        Experiment.load(CONFIG)
