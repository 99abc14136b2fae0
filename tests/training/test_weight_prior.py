"""Priors of weights: closed forms, draws that hit the bound of all kernels on average, and models they are not for."""
import math

import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.config import Training
from mstl.errors import InputError
from mstl.models.bayesian_conv3d import BayesianConv3D, bayesian_layers
from mstl.models.kernel_prior import KernelPrior
from mstl.training.weight_prior import GaussianPrior, LearnedPrior, prior_file, prior_for
from tests.training.bayesian import CENTRE, SCALE, SPREAD, bayesian_network, fixed_vae, prior_of, small_vae

DRAWS = 300


def seeds(count):
    return [tf.constant([5, number], tf.int64) for number in range(count)]


def draws(prior, count=DRAWS):
    divergence = tf.function(prior.divergence)
    return np.array([float(divergence(seed)) for seed in seeds(count)])


def divergence_by_hand(layers, mean, variance):
    """KL divergence of the layers' posterior from N(mean, variance)."""
    total = 0.0
    for layer in layers.values():
        centre, spread = np.float64(layer.kernel.numpy()), np.exp(np.float64(layer.log_variance.numpy()))
        total += 0.5 * np.sum(spread / variance + (centre - mean) ** 2 / variance - 1 - np.log(spread / variance))
    return total


def test_the_gaussian_prior_gives_the_divergence_of_all_weights():
    layers = bayesian_layers(bayesian_network())
    found = float(GaussianPrior(layers, sigma=0.3).divergence(seeds(1)[0]))
    assert found == pytest.approx(divergence_by_hand(layers, 0.0, 0.09), rel=1e-5)


@pytest.mark.parametrize("kernels", [3, 100])
def test_a_decoder_that_is_a_fixed_gaussian_gives_the_closed_form_in_the_units_of_the_network(kernels):
    network = bayesian_network(sigma_ratio=0.5)
    prior = LearnedPrior(network, prior_of(network, fixed_vae()), kernels=kernels)
    values = draws(prior)
    expected = divergence_by_hand(prior.layers, CENTRE * SCALE, math.exp(SPREAD) * SCALE**2)
    assert abs(values.mean() - expected) < 4 * values.std() / math.sqrt(DRAWS)
    assert values.std() / math.sqrt(DRAWS) < 0.05 * expected


def test_some_kernels_stand_for_all_without_bias():
    network = bayesian_network()
    first = network.get_layer("first")
    first.kernel.assign(first.kernel + tf.reshape(tf.linspace(0.0, 0.3, 6), (1, 1, 1, 2, 3)))  # no two kernels alike
    whole, some = (LearnedPrior(network, prior_of(network, small_vae()), kernels=number) for number in (100, 3))
    assert (list(whole.seen.values()), list(some.seen.values())) == ([9], [3])
    one, other = draws(whole), draws(some)
    assert other.std() > one.std()
    assert abs(one.mean() - other.mean()) < 4 * math.hypot(one.std(), other.std()) / math.sqrt(DRAWS)


def test_a_draw_is_that_of_its_seed():
    network = bayesian_network()
    prior = LearnedPrior(network, prior_of(network, small_vae()), kernels=3)
    values = draws(prior, 4)
    np.testing.assert_array_equal(draws(prior, 4), values)
    assert len(set(values)) == 4


def test_gradients_reach_means_variances_and_the_encoder_but_not_the_decoder():
    network = bayesian_network()
    prior = LearnedPrior(network, prior_of(network, small_vae()), kernels=100)
    first, coders = prior.layers["first"], prior.coders[0]
    assert [value.ref() for value in coders.trainable_weights] == [value.ref() for value in coders.encoder.weights]
    variables = [first.kernel, first.log_variance, *coders.trainable_weights]
    with tf.GradientTape() as tape:
        total = prior.divergence(seeds(1)[0])
    gradients = tape.gradient(total, variables)
    assert all(gradient is not None and np.any(gradient.numpy()) for gradient in gradients)


def test_a_start_at_the_prior_draws_the_kernels_of_layers_that_train():
    network = bayesian_network()
    prior = LearnedPrior(network, prior_of(network, small_vae()), kernels=4)
    network.get_layer("second").trainable = False
    kept = network.get_layer("second").kernel.numpy()
    prior.start(seed=3)
    drawn = prior.prior.sample("encoder_full", 9, seed=3)
    kernels = network.get_layer("first").kernel.numpy()
    np.testing.assert_array_equal(kernels[:, :, :, 1, 2], drawn[5])  # the second channel in, the third out
    np.testing.assert_array_equal(network.get_layer("second").kernel, kept)


def test_each_group_has_a_share_of_the_kernels_and_at_least_one():
    from mstl.models.bayesian_unet3d import bayesian_unet3d

    network = bayesian_unet3d(filters=(2, 4))
    prior = LearnedPrior(network, prior_of(network, small_vae()), kernels=20)
    assert list(prior.counts) == list(prior.seen)
    total = sum(prior.counts.values())
    assert prior.seen == {name: max(1, round(20 / total * count)) for name, count in prior.counts.items()}


def test_a_prior_of_a_file_is_that_of_the_settings(tmp_path):
    network = bayesian_network()
    prior_of(network).save(tmp_path / "prior.h5")
    for path in (tmp_path, tmp_path / "prior.h5"):
        prior = prior_for(network, Training(prior=str(path), prior_kernels=4))
        assert list(prior.seen.values()) == [4]
        assert prior_file(Training(prior=str(path))) == tmp_path / "prior.h5"
    assert prior_file(Training(prior="gaussian")) is None
    assert prior_for(network, Training()) is None
    assert float(prior_for(network, Training(prior="gaussian")).divergence(seeds(1)[0])) > 0


def test_a_model_without_bayesian_layers_has_no_prior():
    image = keras.layers.Input((8, 8, 8, 1))
    plain = keras.Model(image, keras.layers.Conv3D(1, 3)(image), name="plain")
    with pytest.raises(InputError, match="prior is 'gaussian', but model 'plain' has no Bayesian layer"):
        prior_for(plain, Training(prior="gaussian"))


def test_a_prior_of_other_groups_is_refused():
    network = bayesian_network()
    (group,) = prior_of(network, small_vae()).groups.values()
    renamed = KernelPrior({"decoder_half": group})
    with pytest.raises(InputError, match="other groups of layers than model 'tiny'"):
        LearnedPrior(network, renamed, kernels=4)


def test_a_bayesian_layer_with_other_kernels_is_refused():
    image = keras.layers.Input((None, None, None, 2))
    maps = BayesianConv3D(3, 3, padding="same", name="cube")(image)
    network = keras.Model(image, BayesianConv3D(1, 1, name="point")(maps))
    with pytest.raises(InputError, match=r"Bayesian layer point has kernels of \(1, 1, 1\)"):
        LearnedPrior(network, prior_of(network, small_vae()), kernels=4)


def test_a_prior_that_is_not_there_is_told():
    with pytest.raises(InputError, match="does not exist, and is neither none nor gaussian"):
        prior_for(bayesian_network(), Training(prior="gausian"))
