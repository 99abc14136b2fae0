import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.bayesian_conv3d import BayesianConv3D, bayesian_layers, deviation
from mstl.training.state import reseed


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def layer_of(*, sigma_ratio: float = 0.5, channels: int = 2, dtype: str = "float32", **options) -> BayesianConv3D:
    layer = BayesianConv3D(3, 3, padding="same", sigma_ratio=sigma_ratio, seed=1, dtype=dtype, **options)
    layer.build((None, None, None, None, channels))
    layer.log_variance.assign_add(random(*layer.log_variance.shape, seed=5))
    return layer


def network(layer: BayesianConv3D) -> keras.Model:
    image = keras.layers.Input((None, None, None, 2))
    return keras.Model(image, layer(image))


def test_variances_begin_as_a_share_of_he_initialisation():
    layer = BayesianConv3D(3, 3, sigma_ratio=0.2)
    layer.build((None, 8, 8, 8, 2))
    sigma = np.exp(layer.log_variance.numpy() / 2)
    np.testing.assert_allclose(sigma, 0.2 * np.sqrt(2 / (27 * 2)), rtol=1e-5)


def test_the_mean_weights_predict_what_a_plain_convolution_does():
    layer, volume = layer_of(strides=2, activation="relu"), random(2, 6, 4, 8, 2)
    plain = keras.layers.Conv3D(3, 3, strides=2, padding="same", activation="relu")
    plain.build((None, None, None, None, 2))
    plain.set_weights([layer.kernel, layer.bias])
    np.testing.assert_array_equal(layer(volume), plain(volume))


@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"padding": "valid"}], ids=["same", "strided", "valid"])
def test_outputs_drawn_by_voxel_have_mean_and_variance_of_those_of_drawn_weights(options):
    layer = BayesianConv3D(3, 3, sigma_ratio=0.5, seed=1, **{"padding": "same", **options})
    volume = np.repeat(random(1, 5, 5, 5, 2), 4000, axis=0)
    by_voxel = layer(volume, training=True).numpy()
    by_weights = np.concatenate([layer(volume[:1], sample=True) for _ in range(1000)])
    error = by_voxel.std(axis=0) / np.sqrt(1000)
    assert (np.abs(by_voxel.mean(axis=0) - by_weights.mean(axis=0)) < 5 * error).all()
    np.testing.assert_allclose(by_voxel.std(axis=0), by_weights.std(axis=0), rtol=0.15)


def test_voxels_are_drawn_apart_and_weights_together():
    layer = layer_of(use_bias=False)
    volume = np.ones((1, 24, 24, 24, 2), np.float32)
    inner = (0, *[slice(1, -1)] * 3)
    assert layer(volume, training=True).numpy()[inner].std(axis=(0, 1, 2)).min() > 0.1
    assert np.ptp(layer(volume, sample=True).numpy()[inner], axis=(0, 1, 2)).max() < 1e-4


@pytest.mark.parametrize(("strides", "padding"), [(1, "SAME"), (2, "SAME"), (1, "VALID"), (2, "VALID")])
def test_the_gradient_is_that_of_finite_differences(strides, padding):
    random_state, options = np.random.default_rng(0), {"strides": [1, *[strides] * 3, 1], "padding": padding}
    values, logs = random_state.normal(size=(2, 4, 3, 5, 2)), random_state.normal(size=(3, 3, 3, 2, 2))
    shape = tf.nn.conv3d(values, logs, **options).shape
    noise, weights = (tf.constant(random_state.normal(size=shape)) for _ in range(2))

    def total(values, logs):
        return tf.reduce_sum(weights * deviation(values, logs, noise, **options))

    computed, numerical = tf.test.compute_gradient(total, [tf.constant(values), tf.constant(logs)], delta=1e-6)
    for ours, theirs in zip(computed, numerical, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_map_of_zeros_has_no_noise_to_speak_of_and_finite_gradients():
    layer, volume = layer_of(use_bias=False), tf.zeros((1, 4, 4, 4, 2))
    with tf.GradientTape() as tape:
        tape.watch(volume)
        outputs = layer(volume, training=True)
    gradients = tape.gradient(outputs, [volume, *layer.trainable_weights])
    assert np.abs(outputs).max() < 1e-3
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_variances_too_small_and_squares_too_large_for_half_precision_are_no_harm(policy):
    layer = layer_of(sigma_ratio=1e-3, use_bias=False, kernel_initializer="zeros", dtype=policy)
    exact = layer_of(sigma_ratio=1e-3, use_bias=False, kernel_initializer="zeros")
    volume, found = 300 + random(1, 16, 16, 16, 2), []
    for one in (layer, exact):
        with tf.GradientTape() as tape:
            outputs = one(volume, training=True)
            loss = tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32)))
        found.append((loss, tape.gradient(loss, one.log_variance)))
        assert (outputs.dtype, one.log_variance.dtype) == (one.compute_dtype, tf.float32)
    for half, single in zip(*found, strict=True):
        np.testing.assert_allclose(half, single, rtol=0.2)


def test_a_step_of_training_changes_means_and_variances():
    layer = layer_of()
    model = network(layer)
    before = layer.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(random(2, 4, 4, 4, 2), random(2, 4, 4, 4, 3, seed=1))
    assert all(not np.array_equal(old, new) for old, new in zip(before, layer.get_weights(), strict=True))


def test_a_frozen_layer_draws_noise_and_keeps_its_weights():
    layer = layer_of()
    layer.trainable = False
    model = keras.Sequential([layer, keras.layers.Conv3D(1, 1)])
    before, volume = layer.get_weights(), random(2, 4, 4, 4, 2)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.train_on_batch(volume, random(2, 4, 4, 4, 1, seed=1))
    assert all(np.array_equal(old, new) for old, new in zip(before, layer.get_weights(), strict=True))
    assert not np.array_equal(layer(volume, training=True), layer(volume))


def test_the_seed_of_a_training_brings_the_same_noise_again():
    model, volume = network(layer_of()), random(1, 4, 4, 4, 2)
    drawn = []
    for epoch in (3, 4, 3):
        reseed(model, seed=7, epoch=epoch)
        drawn.append(model(volume, training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_saved_model_comes_back(name, tmp_path):
    layer = layer_of(sigma_ratio=0.3)
    model, volume = network(layer), random(1, 4, 4, 4, 2)
    model.save(tmp_path / name)
    again = keras.models.load_model(tmp_path / name)
    np.testing.assert_array_equal(again(volume), model(volume))
    twin = bayesian_layers(again)[layer.name]
    assert (twin.sigma_ratio, twin.get_config()["seed"]) == (0.3, 1)
    np.testing.assert_array_equal(twin.log_variance, layer.log_variance)


def test_replicas_draw_noise_of_their_own_and_the_same_again_by_the_seed_of_a_training():
    command = [sys.executable, "-m", "tests.models.bayesian_replicas"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[2])
    first, again = json.loads(done.stdout.splitlines()[-1])
    assert first == again
    assert first[0] != first[1]


def test_bayesian_layers_are_found_in_nested_models_in_the_order_of_the_data():
    image = keras.layers.Input((None, None, None, 2))
    inner = keras.Model(image, BayesianConv3D(2, 3, name="deep")(image), name="inner")
    outer = keras.layers.Input((None, None, None, 2))
    maps = keras.layers.Conv3D(2, 1)(BayesianConv3D(2, 3, name="first")(outer))
    model = keras.Model(outer, BayesianConv3D(2, 3, name="last")(inner(maps)))
    assert list(bayesian_layers(model)) == ["first", "inner/deep", "last"]
    assert bayesian_layers(keras.Sequential([keras.layers.Dense(1)])) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma_ratio": 0}, "sigma_ratio is 0"),
        ({"sigma_ratio": float("nan")}, "sigma_ratio is nan"),
        ({"groups": 2}, "neither groups nor dilation"),
        ({"dilation_rate": 2}, "neither groups nor dilation"),
        ({"data_format": "channels_first"}, "channels last"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        BayesianConv3D(2, 3, **options)
