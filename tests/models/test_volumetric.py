import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras, tf
from mstl.models.volumetric import EPSILON, InstanceNormalization, TrilinearUpSampling


def volumes(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)


def test_instance_norm_brings_every_channel_of_every_sample_to_mean_0_and_variance_1():
    normalised = InstanceNormalization()(volumes(2, 5, 6, 7, 3)).numpy()
    np.testing.assert_allclose(normalised.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.var(axis=(1, 2, 3)), 1, atol=1e-3)


def test_instance_norm_does_not_mix_samples():
    layer, batch = InstanceNormalization(), volumes(2, 4, 4, 4, 2)
    np.testing.assert_allclose(layer(batch)[1:], layer(batch[1:]), atol=1e-6)


def test_the_gradient_of_instance_norm_is_that_of_its_formula():
    values, weights = tf.constant(volumes(2, 3, 4, 3, 2)), tf.constant(volumes(2, 3, 4, 3, 2, seed=1))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        mean, variance = tf.nn.moments(values, axes=(1, 2, 3), keepdims=True)
        by_formula = tf.reduce_sum(weights * (values - mean) * tf.math.rsqrt(variance + EPSILON))
        ours = tf.reduce_sum(weights * InstanceNormalization()(values))
    np.testing.assert_allclose(tape.gradient(ours, values), tape.gradient(by_formula, values), atol=1e-5)


def test_statistics_are_float32_in_a_mixed_precision_layer():
    layer = InstanceNormalization(dtype=keras.mixed_precision.Policy("mixed_float16"))
    normalised = layer(tf.constant(1000 + volumes(1, 8, 8, 8, 1)))
    assert normalised.dtype == tf.float16
    assert np.isfinite(normalised.numpy()).all()


@settings(max_examples=15, deadline=None)
@given(sides=st.tuples(*[st.integers(2, 6)] * 3), slope=st.tuples(*[st.floats(-2, 2)] * 3))
def test_doubling_keeps_a_linear_ramp_linear_away_from_the_border(sides, slope):
    places = np.stack(np.meshgrid(*map(np.arange, sides), indexing="ij"), -1)
    doubled = TrilinearUpSampling()((places @ np.array(slope))[None, ..., None].astype(np.float32)).numpy()[0, ..., 0]
    assert doubled.shape == tuple(2 * side for side in sides)
    fine = np.stack(np.meshgrid(*((np.arange(2 * side) - 0.5) / 2 for side in sides), indexing="ij"), -1)
    inner = (slice(1, -1),) * 3
    np.testing.assert_allclose(doubled[inner], (fine @ np.array(slope))[inner], atol=1e-4)


def test_doubling_keeps_the_mean_and_knows_its_shape():
    values = volumes(1, 3, 4, 5, 2)
    assert TrilinearUpSampling()(values).numpy().mean() == pytest.approx(values.mean(), abs=1e-5)
    assert TrilinearUpSampling().compute_output_shape((None, 3, None, 5, 2)).as_list() == [None, 6, None, 10, 2]
