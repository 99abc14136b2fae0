"""Batch norm over replicas: with one it is ordinary batch norm, with several see the tests of training."""
import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.models.synchronised import SynchronisedNormalization, batch_moments, synchronise

layers = keras.layers


def network(norm):
    image = layers.Input((None, None, 3))
    inner = keras.Model(image, norm(layers.Conv2D(3, 1, name="mix")(image)))
    outer = layers.Input((None, None, 3))
    return keras.Model(outer, inner(outer))


def images(dtype=np.float32):
    return np.random.default_rng(0).normal(3, 2, (4, 5, 6, 3)).astype(dtype)


def trained(norm):
    """Outputs of two steps in training, the gradient of what is normalised, and the weights behind."""
    norm.build((None, None, None, 3))
    values = tf.constant(images())
    outputs = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs.append(norm(values, training=True))
            total = tf.reduce_sum(outputs[-1] ** 3)
        outputs.append(tape.gradient(total, values))
    return [*outputs, norm(values, training=False), *norm.get_weights()]


def test_with_one_replica_it_computes_and_remembers_what_batch_norm_does():
    kinds = SynchronisedNormalization, layers.BatchNormalization
    for ours, theirs in zip(*(trained(kind(momentum=0.9)) for kind in kinds), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_frozen_it_normalises_by_its_moving_statistics_and_keeps_them():
    norm = SynchronisedNormalization(trainable=False)
    norm.build((None, None, None, 3))
    before = norm.get_weights()
    assert np.array_equal(norm(images(), training=True), norm(images(), training=False))
    assert all(map(np.array_equal, before, norm.get_weights()))


def test_statistics_of_half_precision_images_are_float32():
    norm = SynchronisedNormalization(dtype="mixed_float16")
    norm.build((None, None, None, 3))
    assert norm(images(np.float16) * 100, training=True).dtype == tf.float16
    assert all(np.isfinite(array).all() for array in norm.get_weights())
    assert {value.dtype for value in batch_moments(tf.constant(images(np.float16)))} == {tf.float32}


def test_every_ordinary_batch_norm_of_a_model_is_synchronised_and_keeps_its_weights():
    norm = layers.BatchNormalization(momentum=0.7)
    model = network(norm)
    before = model.get_weights()
    synchronise(model)
    synchronise(model)
    assert type(norm) is SynchronisedNormalization
    assert norm.momentum == 0.7
    assert all(map(np.array_equal, before, model.get_weights()))
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(images(), images(), verbose=0)
    assert norm.moving_mean.numpy().any()


@pytest.mark.parametrize(
    "norm", [layers.BatchNormalization(renorm=True), layers.BatchNormalization(axis=1), layers.LayerNormalization()]
)
def test_normalisations_of_another_kind_stay(norm):
    norm.build((None, 5, 6, 3))
    kind = type(norm)
    model = keras.Sequential([layers.Input((5, 6, 3)), norm])
    synchronise(model)
    assert type(norm) is kind
