"""A posterior that collapses or explodes is told with its layer and the term at fault, once."""
import warnings

import pytest

from mstl._keras import tf
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.training.posterior_guard import PosteriorGuard
from mstl.training.variational import Variational
from mstl.training.weight_prior import GaussianPrior
from tests.training.bayesian import bayesian_network

LOGS = {"data": 0.02, "kl": 3.0, "kl_weight": 0.5}


def guard(*, log_variance, sigma):
    """One that looks at a network whose first layer has such variances, under a Gaussian prior."""
    network = bayesian_network()
    layers = bayesian_layers(network)
    layers["first"].log_variance.assign(tf.fill(layers["first"].log_variance.shape, log_variance))
    guard = PosteriorGuard()
    guard.set_model(Variational(network, GaussianPrior(layers, sigma=sigma), voxels=100))
    guard.on_train_begin()
    return guard


def test_a_posterior_as_it_is_built_is_well():
    healthy = guard(log_variance=-6.0, sigma=0.1)
    with warnings.catch_warnings(record=True) as caught:
        healthy.on_epoch_end(0, LOGS)
    assert not caught
    assert not healthy.told


@pytest.mark.parametrize(
    ("log_variance", "sigma", "told"),
    [
        (-25.0, 0.1, r"collapsed in epoch 3: .* The data term is at fault \(.*\): raise kl_weight"),
        (-25.0, 1e-9, r"collapsed in epoch 3: .* The KL divergence is at fault \(.*\): take a prior of"),
        (4.0, 20.0, r"exploded in epoch 3: .* The KL divergence is at fault \(.*\): lower kl_weight"),
        (4.0, 0.1, r"exploded in epoch 3: .* The data term is at fault \(.*\): lower learning_rate or variance_rate"),
    ],
)
def test_a_collapse_or_an_explosion_names_layer_term_and_sizes_once(log_variance, sigma, told):
    sick = guard(log_variance=log_variance, sigma=sigma)
    with pytest.warns(UserWarning, match=f"layer first has {told}") as caught:
        sick.on_epoch_end(2, LOGS)
    assert "data 0.02, weighted divergence 1.5 nats a voxel" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sick.on_epoch_end(3, LOGS)
    sick.on_train_begin()
    with pytest.warns(UserWarning, match="layer first"):
        sick.on_epoch_end(0, LOGS)


def test_layers_of_one_fault_are_told_together():
    sick = guard(log_variance=4.0, sigma=0.1)
    second = sick.model.prior.layers["second"].log_variance
    second.assign(tf.fill(second.shape, 4.0))
    with pytest.warns(UserWarning, match=r"layer first and 1 more has exploded .* are \d+ to \d+ times") as caught:
        sick.on_epoch_end(0, LOGS)
    assert len(caught) == 1
    second.assign(tf.fill(second.shape, -25.0))
    sick.on_train_begin()
    with pytest.warns(UserWarning, match="The posterior of layer") as caught:
        sick.on_epoch_end(0, LOGS)
    told = sorted(str(warning.message) for warning in caught)
    assert "layer first has exploded" in told[0]
    assert "layer second has collapsed" in told[1]
