"""The study of the deep weight prior: its methods differ in what they should, and in nothing else."""
from dataclasses import fields
from pathlib import Path

import pytest

from mstl.config import Experiment
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.tree import layers_of
from mstl.settings import strategies_of
from mstl.training.build import build_for
from mstl.training.frozen import freeze_for
from mstl.training.losses import get_loss

STUDY = Path(__file__).parents[1] / "configs" / "dwp-study.yaml"
METHODS = ("ri", "pr", "prf", "dwp", "dwp-pr")
DIFFER = {"model", "model_options", "loss", "ce_weight", "init", "freeze", "prior", "variance_rate"}
PREPARATION = {"modalities": ["t2"], "labels": []}
FIRST = {"encoder1_conv", "encoder2_block1_conv1", "encoder2_block1_conv2", "encoder2_block1_shortcut"}
LAST = {"decoder3_reduce", "decoder3_block_conv1", "decoder3_block_conv2", "final_conv"}


@pytest.fixture(scope="module", params=METHODS)
def strategy(request) -> tuple[str, Experiment]:
    return request.param, Experiment.load(STUDY, strategy=request.param)


def test_the_study_has_the_source_and_its_methods():
    assert strategies_of(STUDY) == ("source", *METHODS)


def test_a_source_network_is_of_the_same_kind_and_kept_at_two_minima():
    source, target = (Experiment.load(STUDY, strategy=name) for name in ("source", "pr"))
    assert (source.model, source.model_options, source.loss) == (target.model, target.model_options, target.loss)
    assert (source.decay, source.restarts, source.weight_decay > 0) == ("cosine", 1, True)


def test_methods_differ_only_in_weights_loss_and_freezing(strategy):
    random = Experiment.load(STUDY, strategy="ri")
    differing = {one.name for one in fields(Experiment) if getattr(random, one.name) != getattr(strategy[1], one.name)}
    assert differing <= DIFFER


def test_the_schedule_is_the_published_one(strategy):
    experiment = strategy[1]
    assert (experiment.learning_rate, experiment.batch_size, experiment.epochs) == (1e-3, 2, 500)
    assert (experiment.plateau_factor, experiment.plateau_patience, experiment.decay) == (0.1, 10, "constant")
    assert (experiment.augment, experiment.patch) == ("none", ())
    assert 0 < experiment.stop_rate < experiment.learning_rate


def test_each_method_builds_its_network_and_trains_what_it_says(strategy):
    name, experiment = strategy
    model = build_for(experiment, PREPARATION, seed=0)
    assert (model.input_shape[-1], model.output_shape[-1]) == (1, 2)
    assert len(bayesian_layers(model)) == (19 if name.startswith("dwp") else 0)
    freeze_for(model, experiment)
    layers = {path: layer for path, layer in layers_of(model).items() if layer.weights}
    trained = {path for path, layer in layers.items() if layer.trainable_weights}
    assert trained == (FIRST | LAST if name == "prf" else set(layers))


def test_all_but_the_prior_learn_by_dice_with_little_cross_entropy(strategy):
    name, experiment = strategy
    assert (experiment.loss, experiment.ce_weight) == (("ce", 1.0) if name == "dwp" else ("ce_dice", 0.01))
    get_loss(experiment.loss, num_classes=2, ce_weight=experiment.ce_weight)
