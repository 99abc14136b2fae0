"""Predictions by drawn networks: which networks they are, and what interval their volumes span."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras
from mstl.errors import InputError
from mstl.evaluation.posterior import PosteriorPredictor, volume_interval
from mstl.evaluation.predictor import Predictor
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.bayesian_unet3d import bayesian_unet3d, draw_weights, mean_network


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return bayesian_unet3d(channels=2, filters=(2, 4), sigma_ratio=0.3)


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor(model)


def drawn(predictor, case, **options):
    return list(PosteriorPredictor.of(predictor, **options)(case))


def test_the_same_seed_gives_the_same_networks_and_another_one_others(predictor, tiny_prepared):
    first, same, other = (drawn(predictor, tiny_prepared[0], samples=2, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, same)
    assert not np.allclose(first[0], first[1], atol=1e-3)
    assert not np.allclose(first, other, atol=1e-3)


def test_more_samples_keep_the_first_ones(predictor, tiny_prepared):
    few, more = (drawn(predictor, tiny_prepared[0], samples=samples) for samples in (2, 3))
    assert np.array_equal(few, more[:2])


def test_a_draw_is_one_network_for_the_whole_case_and_for_every_case(model, tiny_prepared):
    windows = Predictor(model, window=(8, 8, 8))
    posterior, network = PosteriorPredictor.of(windows, samples=2, seed=1), mean_network(model)
    draw_weights(model, network, seed=int(np.random.SeedSequence(1).generate_state(1)[0]))
    for case in tiny_prepared.select(["ras", "pil"]):
        assert np.array_equal(next(posterior(case)), Predictor(network, window=(8, 8, 8))(case))


def test_outside_of_the_brain_every_network_says_background(predictor, tiny_prepared):
    case = tiny_prepared[0]
    for probability in drawn(predictor, case, samples=2):
        assert np.array_equal(np.unique(probability[~case.brain], axis=0), [[1, 0]])


def test_the_model_that_is_drawn_from_stays_as_it_is(model, predictor, tiny_prepared):
    before = model.get_weights()
    drawn(predictor, tiny_prepared[0], samples=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_narrow_posterior_predicts_what_its_means_do(tiny_prepared):
    keras.utils.set_random_seed(0)
    narrow = bayesian_unet3d(channels=2, filters=(2, 4))
    for layer in bayesian_layers(narrow).values():
        layer.log_variance.assign(layer.log_variance * 0 - 30)
    expected = Predictor(narrow)(tiny_prepared[0])
    for probability in drawn(Predictor(narrow), tiny_prepared[0], samples=2):
        np.testing.assert_allclose(probability, expected, atol=1e-4)


def test_what_cannot_be_sampled_is_refused(predictor, model):
    with pytest.raises(InputError, match=r"'bayesian_unet3d' has one weight .* leave the samples out"):
        PosteriorPredictor.of(Predictor(mean_network(model)), samples=4)
    for samples in (1, -3):
        with pytest.raises(InputError, match=f"samples is {samples}; at least 2"):
            PosteriorPredictor.of(predictor, samples=samples)
    with pytest.raises(InputError, match="seed is -1"):
        PosteriorPredictor.of(predictor, samples=2, seed=-1)


VOLUMES = st.lists(st.floats(0, 1000), min_size=2, max_size=60)


@given(VOLUMES, st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_the_interval_lies_within_the_volumes_and_scales_with_them(volumes, factor):
    low, high = volume_interval(volumes)
    assert min(volumes) <= low <= np.median(volumes) <= high <= max(volumes)
    assert volume_interval([factor * volume for volume in volumes]) == pytest.approx((factor * low, factor * high))


def test_of_few_samples_the_interval_is_their_range():
    assert volume_interval([3, 1, 2]) == (1, 3)
    assert volume_interval(range(39)) == (0, 38)
    low, high = volume_interval(range(79))
    assert (low, high) == pytest.approx((1, 77))


def test_the_interval_holds_19_of_20_further_draws():
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(300):
        low, high = volume_interval(rng.lognormal(size=79))
        further = rng.lognormal(size=200)
        inside.append(np.mean((further >= low) & (further <= high)))
    assert np.mean(inside) == pytest.approx(0.95, abs=0.006)
