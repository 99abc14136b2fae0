"""Settings of a pre-training: there and back, the published numbers, and what would fail later."""
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.config import Experiment
from mstl.config_gan import GanExperiment, GanTraining
from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.errors import InputError
from mstl.settings import DECAYS, PRECISIONS, strategies_of

CONFIGS = Path(__file__).parents[1] / "configs"
STUDY = CONFIGS / "study.yaml"  # of 'mstl compare': see tests/compare
PUBLISHED = {
    "corruption": "checkerboard", "tile": 16, "fill": 1.0, "learning_rate": 2e-4, "decay": "constant", "beta_1": 0.5,
    "l1_weight": 100.0, "hidden_weight": 1.0, "discriminator_weight": 0.5, "width": 64, "activation": "tanh",
    "norm_mode": "batch", "dropout": 0.5, "batch_size": 20, "sample_every": 20, "augment": "none", "crop": None,
    "generator": "pix2pix", "adversarial_weight": 1.0,
}  # fmt: skip
FRACTION = st.floats(0, 0.99)
BY_TYPE = {
    "int": st.integers(1, 10**6), "int | None": st.none() | st.integers(1, 10**6), "float": FRACTION,
    "str": st.text(st.characters(codec="utf-8"), max_size=9),
}  # fmt: skip


@st.composite
def experiments(draw) -> GanExperiment:
    values = {one.name: draw(BY_TYPE[one.type]) for one in fields(GanExperiment) if one.type in BY_TYPE}
    chosen = {"generator": ["pix2pix"], "crop": [None, 64, 192], "decay": DECAYS, "precision": PRECISIONS}
    values |= {name: draw(st.sampled_from(choices)) for name, choices in chosen.items()}
    return GanExperiment(**values | {"train_subjects": ("a", "7")})


@settings(max_examples=30, deadline=None)
@given(experiment=experiments())
def test_an_experiment_goes_to_yaml_and_back(tmp_path_factory, experiment):
    path = tmp_path_factory.mktemp("gan") / "experiment.yaml"
    experiment.save(path)
    assert GanExperiment.load(path) == experiment
    assert GanExperiment.from_dict(experiment.to_dict()) == experiment


def test_the_defaults_are_the_published_numbers():
    training = GanTraining()
    assert {name: getattr(training, name) for name in PUBLISHED} == PUBLISHED


def test_the_config_of_the_published_work_states_them_all():
    experiment = GanExperiment.load(CONFIGS / "thesis-gan.yaml")
    assert {name: getattr(experiment, name) for name in PUBLISHED} == PUBLISHED
    stated = yaml.safe_load((CONFIGS / "thesis-gan.yaml").read_text())
    assert set(PUBLISHED) - set(stated) <= {"hidden_weight", "decay", "crop", "generator", "adversarial_weight"}


@pytest.mark.parametrize("path", sorted({*CONFIGS.glob("*.yaml")} - {STUDY}), ids=lambda path: path.stem)
def test_every_config_is_an_experiment_that_says_what_it_is_for(path):
    kinds = {kind.KIND: kind for kind in (Experiment, GanExperiment, KernelPriorExperiment)}
    kind = kinds[yaml.safe_load(path.read_text()).get("pretraining", "")]
    for strategy in strategies_of(path) or (None,):
        experiment = kind.load(path, strategy=strategy)
        assert getattr(experiment, "prepared", "prepared") == "prepared"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"epochs": 0}, "epochs is 0; at least 1"),
        ({"tile": 0}, "tile is 0; at least 1"),
        ({"width": -3}, "width is -3; at least 1"),
        ({"sample_every": 0}, "sample_every is 0; at least 1"),
        ({"stop_patience": 0}, "stop_patience is 0; at least 1"),
        ({"workers": 0}, "workers is 0; at least 1"),
        ({"l1_weight": -1.0}, "l1_weight is -1.0; at least 0"),
        ({"hidden_weight": float("nan")}, "hidden_weight is nan; at least 0"),
        ({"discriminator_weight": float("inf")}, "discriminator_weight is inf; at least 0"),
        ({"adversarial_weight": -0.5}, "adversarial_weight is -0.5; at least 0"),
        ({"crop": 96}, "crop is 96; a multiple of 64"),
        ({"crop": 96, "generator": "unet"}, "generator is 'unet'; expected one of pix2pix, unet-s5"),
        ({"crop": 100, "generator": "unet-s5"}, "crop is 100; a multiple of 16"),
        ({"generator": "unet-s5", "norm_mode": "moving"}, "but generator 'unet-s5' has neither"),
        ({"generator": "unet-s5", "dropout": 0.0}, "but generator 'unet-s5' has neither"),
        ({"learning_rate": -1e-3}, "learning_rate is -0.001; at least 0"),
        ({"decay": "linear"}, "decay is 'linear'; expected one of constant, cosine"),
        ({"beta_1": 1.0}, "beta_1 is 1.0; from 0 to below 1"),
        ({"beta_1": float("nan")}, "beta_1 is nan; from 0 to below 1"),
        ({"seed": 2**32}, "seed is 4294967296; at most"),
    ],
)
def test_a_value_out_of_range_is_an_error(changes, expected):
    for kind in (GanTraining, GanExperiment):
        with pytest.raises(InputError) as caught:
            kind(**changes)
        assert expected in str(caught.value)


def test_the_least_values_are_allowed():
    weights = dict.fromkeys(("adversarial_weight", "l1_weight", "hidden_weight", "discriminator_weight"), 0)
    training = GanTraining(epochs=1, seed=0, beta_1=0, crop=None, **weights)
    assert training.training()["seed"] == 0


def test_a_u_net_s5_takes_crops_that_16_divides():
    assert GanTraining(generator="unet-s5", crop=96).side_multiple == 16


def test_training_gives_the_arguments_of_pretrain_gan_alone():
    assert GanExperiment(epochs=7, prepared="x", init="y").training() == GanTraining(epochs=7).training()
    assert set(GanTraining().training()) == {one.name for one in fields(GanTraining)}


def test_a_subject_on_two_sides_is_an_error():
    with pytest.raises(InputError, match=r"Subjects b stand on two sides of the split"):
        GanExperiment(train_subjects=("a", "b"), test_subjects=("b",))
