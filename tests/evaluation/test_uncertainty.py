"""Uncertainty of a prediction: identities that hold for any probabilities."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.errors import InputError
from mstl.evaluation.uncertainty import RunningUncertainty, predictive_entropy

LN2 = float(np.log(2))


def drawn(seed, samples, classes):
    """Probabilities `(samples, 5, 4, classes)`, some of them exactly 0 or 1."""
    rng = np.random.default_rng(seed)
    if classes == 1:
        return np.clip(rng.uniform(-0.2, 1.2, (samples, 5, 4, 1)), 0, 1).astype(np.float32)
    weights = np.maximum(rng.uniform(-0.3, 1, (samples, 5, 4, classes)), 0) + np.eye(classes)[0] * 1e-3
    return (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)


def measured(probabilities):
    running = RunningUncertainty()
    for probability in probabilities:
        running.add(probability)
    return running.result()


ANY = st.builds(drawn, st.integers(0, 99), st.integers(1, 9), st.sampled_from([1, 2, 4]))


@given(ANY)
@settings(max_examples=25, deadline=None)
def test_information_is_between_nothing_and_the_entropy_which_is_bounded_by_the_classes(probabilities):
    found = measured(probabilities)
    classes = max(probabilities.shape[-1], 2)
    assert np.all(found.mutual_information >= 0)
    assert np.all(found.mutual_information <= found.entropy)
    assert np.all(found.entropy <= np.log(classes) + 1e-6)


@given(ANY)
@settings(max_examples=25, deadline=None)
def test_one_after_the_other_gives_what_all_at_once_give(probabilities):
    found, exact = measured(probabilities), probabilities.astype(np.float64)
    both = np.concatenate([exact, 1 - exact], axis=-1) if exact.shape[-1] == 1 else exact
    entropies = -(both * np.log(np.where(both > 0, both, 1))).sum(axis=-1)
    mean = both.mean(axis=0)
    entropy = -(mean * np.log(np.where(mean > 0, mean, 1))).sum(axis=-1)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.entropy, entropy, atol=2e-6)
    np.testing.assert_allclose(found.mutual_information, entropy - entropies.mean(axis=0), atol=5e-6)


@given(ANY, st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_samples_does_not_matter(probabilities, random):
    order = list(range(len(probabilities)))
    random.shuffle(order)
    first, second = measured(probabilities), measured(probabilities[order])
    np.testing.assert_allclose(first.mean, second.mean, atol=1e-6)
    np.testing.assert_allclose(first.mutual_information, second.mutual_information, atol=5e-6)


@pytest.mark.parametrize("classes", [1, 2, 4])
def test_networks_that_agree_share_no_information_at_all(classes):
    probability = drawn(3, 1, classes)[0]
    found = measured([probability] * 7)
    assert np.array_equal(found.mean, probability)
    assert not found.mutual_information.any()
    assert found.entropy.any()


def test_sure_networks_that_contradict_each_other_are_pure_disagreement():
    found = measured([np.zeros((2, 1)), np.ones((2, 1))])
    np.testing.assert_allclose(found.entropy, LN2, atol=1e-6)
    np.testing.assert_allclose(found.mutual_information, LN2, atol=1e-6)


def test_one_channel_has_the_entropy_of_the_same_two_classes():
    lesion = drawn(1, 1, 1)[0]
    both = np.concatenate([1 - lesion, lesion], axis=-1)
    np.testing.assert_allclose(predictive_entropy(lesion), predictive_entropy(both), atol=1e-6)


def test_maps_are_float32_and_one_array_a_map_however_many_samples():
    found = measured(drawn(0, 4, 3))
    assert {one.dtype for one in (found.mean, found.entropy, found.mutual_information)} == {np.dtype(np.float32)}
    assert (found.mean.shape, found.entropy.shape, found.samples) == ((5, 4, 3), (5, 4), 4)


def test_values_beside_0_and_1_by_rounding_are_taken_as_these():
    assert predictive_entropy(np.array([[1.000001], [-0.000001]])).tolist() == [0, 0]
    assert measured([np.array([[1.000001]])]).samples == 1


@pytest.mark.parametrize("wrong", [np.nan, -0.1, 1.2])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(InputError, match="within 0 and 1"):
        RunningUncertainty().add(np.full((2, 2, 1), wrong))


def test_another_shape_and_no_sample_are_refused():
    running = RunningUncertainty()
    with pytest.raises(InputError, match="No probabilities"):
        running.result()
    running.add(np.zeros((3, 2)))
    with pytest.raises(InputError, match=r"shape \(2, 2\), those before \(3, 2\)"):
        running.add(np.zeros((2, 2)))
