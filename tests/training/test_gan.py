"""One step of Pix2Pix against the same written plainly; losses, policies, replicas, and what stays."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.models.pix2pix import discriminator, generator
from mstl.training.gan import LOSSES, Pix2Pix
from mstl.training.state import load_state, save_state
from tests.gans import batch_of, tiny_gan

REPLICAS = """
import json
import sys
import numpy as np
from mstl._keras import tf
from tests.gans import batch_of, tiny_gan

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
source, target, hidden = batch_of(images=8)
found = {}
for devices in (["CPU:0"], ["CPU:0", "CPU:1"]):
    with tf.distribute.MirroredStrategy(devices).scope():
        gan = tiny_gan(frozen=["norm"])
    history = gan.fit(source, target, sample_weight=hidden, batch_size=3, epochs=2, shuffle=False, verbose=0,
                      validation_data=(source, target, hidden), validation_batch_size=3).history
    found[len(devices)] = {"history": history, "weights": [value.numpy().ravel().tolist() for value in gan.weights]}
json.dump(found, sys.stdout)
"""


def copies(variables) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in variables]


def equal(first, second) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def cross_entropy(truth, probability):
    probability = np.clip(probability.astype(np.float64), 1e-7, 1 - 1e-7)
    return -np.mean(truth * np.log(probability) + (1 - truth) * np.log(1 - probability))


def real_gan(norm_mode="instance") -> Pix2Pix:
    """The generator and discriminator of mstl, two filters wide."""
    keras.utils.set_random_seed(0)
    shape = (64, 64, 1)
    gan = Pix2Pix(generator(image_shape=shape, width=2, norm_mode=norm_mode), discriminator(image_shape=shape, width=2))
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    return gan


def real_batch():
    return tuple(part[..., :1] for part in batch_of(images=2, side=64))


def test_a_step_moves_every_weight_of_both_networks():
    gan = real_gan()
    before = copies(gan.generator.trainable_variables), copies(gan.discriminator.trainable_variables)
    gan.train_step(real_batch())
    for network, old in zip((gan.generator, gan.discriminator), before, strict=True):
        # a bias in front of a norm has no effect, and no gradient but rounding
        kernels = [place for place, value in enumerate(network.trainable_variables) if "kernel" in value.name]
        assert not any(np.array_equal(old[place], network.trainable_variables[place].numpy()) for place in kernels)


@pytest.mark.parametrize("hidden_weight", [1.0, 4.0])
def test_losses_are_those_of_the_outputs(hidden_weight):
    gan = tiny_gan(l1_weight=30.0, discriminator_weight=0.25, hidden_weight=hidden_weight)
    source, target, hidden = batch_of()
    restored = gan.generator(source, training=False).numpy()
    real, fake = (gan.discriminator([source, image], training=False).numpy() for image in (target, restored))
    logs = gan.test_step((source, target, hidden))
    weight = np.broadcast_to(np.where(hidden > 0, hidden_weight, 1), target.shape)
    l1 = np.average(np.abs(target - restored), weights=weight)
    adversarial = cross_entropy(1, fake)
    expected = {
        "loss": adversarial + 30 * l1, "adversarial_loss": adversarial, "l1_loss": l1,
        "discriminator_loss": 0.25 * (cross_entropy(1, real) + cross_entropy(0, fake)),
    }  # fmt: skip
    assert tuple(expected) == LOSSES
    for name, value in expected.items():
        assert logs[name].dtype == tf.float32
        assert float(logs[name]) == pytest.approx(value, rel=1e-5)


def plain_step(gan, source, target, optimizers) -> None:
    """Both updates from two tapes of their own, as a textbook has them."""
    entropy = keras.losses.BinaryCrossentropy()
    with tf.GradientTape() as tape:
        restored = gan.generator(source, training=True)
        verdict = gan.discriminator([source, restored], training=True)
        loss = entropy(tf.ones_like(verdict), verdict) + 100 * tf.reduce_mean(tf.abs(target - restored))
    of_generator = tape.gradient(loss, gan.generator.trainable_variables)
    with tf.GradientTape() as tape:
        real = gan.discriminator([source, target], training=True)
        fake = gan.discriminator([source, restored], training=True)
        loss = 0.5 * (entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake))
    of_discriminator = tape.gradient(loss, gan.discriminator.trainable_variables)
    gradients = of_generator, of_discriminator
    for optimizer, found, network in zip(optimizers, gradients, (gan.generator, gan.discriminator), strict=True):
        optimizer.apply_gradients(zip(found, network.trainable_variables, strict=True))


def test_the_updates_are_those_of_two_separate_tapes():
    gan, plain = tiny_gan(), tiny_gan()
    optimizers = [keras.optimizers.SGD(0.1) for _ in range(4)]  # in Adam's first step only the sign would count
    gan.compile(*optimizers[:2])
    for images in (2, 3):
        batch = batch_of(images=images)
        gan.train_step(batch)
        plain_step(plain, *batch[:2], optimizers[2:])
    for ours, theirs in zip(gan.trainable_variables, plain.trainable_variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("frozen", ["encode", "judge", "norm"])
def test_what_is_frozen_stays(frozen):
    gan = tiny_gan(frozen=[frozen])
    kept = {layer.name: layer for network in (gan.generator, gan.discriminator) for layer in network.layers}[frozen]
    before, all_before = copies(kept.weights), copies(gan.weights)
    gan.train_step(batch_of())
    assert equal(before, copies(kept.weights))
    assert not equal(all_before, copies(gan.weights))


@pytest.mark.parametrize("norm_mode", ["batch", "moving", "instance"])
def test_validation_changes_no_weight_and_no_statistic(norm_mode):
    gan = real_gan(norm_mode)
    before = copies(gan.weights)
    logs = gan.test_step(real_batch())
    assert equal(before, copies(gan.weights))
    assert set(logs) == {*LOSSES, "hidden_mae", "hidden_ssim"}


def test_an_epoch_counts_every_image_once():
    gan = tiny_gan()
    parts = [batch_of(images=images) for images in (1, 4)]
    alone = []
    for part in parts:
        gan.reset_metrics()
        alone.append(float(gan.test_step(part)["l1_loss"]))
    gan.reset_metrics()
    for part in parts:
        logs = gan.test_step(part)
    assert float(logs["l1_loss"]) == pytest.approx((alone[0] + 4 * alone[1]) / 5)


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(request.param)
    yield request.param
    keras.mixed_precision.set_global_policy(before)


def test_under_mixed_precision_losses_and_weights_are_float32_and_finite(policy):
    gan = tiny_gan()
    before = copies(gan.trainable_variables)
    for _ in range(3):
        logs = gan.train_step(batch_of())
    scaled = [hasattr(optimizer, "get_scaled_loss") for optimizer in gan.optimizers]
    assert scaled == [policy == "mixed_float16"] * 2
    assert {value.dtype for value in logs.values()} == {tf.float32}
    assert {value.dtype for value in gan.weights} == {tf.float32}
    assert all(np.isfinite(array).all() for array in [*logs.values(), *copies(gan.weights)])
    assert not equal(before, copies(gan.trainable_variables))


def test_under_mixed_float16_gradients_that_overflow_change_nothing_but_the_scale():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        gan = tiny_gan(l1_weight=1e6)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    before, scale = copies(gan.generator.weights), float(gan.optimizer.loss_scale)
    gan.train_step(batch_of())
    assert equal(before, copies(gan.generator.weights))
    assert float(gan.optimizer.loss_scale) == scale / 2


def test_a_state_brings_back_both_optimizers(tmp_path):
    gan, other = tiny_gan(), tiny_gan()
    for _ in range(2):
        gan.train_step(batch_of())
    save_state(tmp_path / "state.h5", gan, [{"epoch": 1, "loss": 2.5}])
    assert load_state(tmp_path / "state.h5", other) == [{"epoch": 1, "loss": 2.5}]
    for one in (gan, other):
        one.train_step(batch_of(images=2))
    assert equal(copies(gan.weights), copies(other.weights))
    for ours, theirs in zip(gan.optimizers, other.optimizers, strict=True):
        assert len(ours.variables) > 2
        assert equal(copies(ours.variables), copies(theirs.variables))


def test_two_replicas_train_as_one_does_on_the_whole_batch():
    """Of batches of three images and one of two, so that replicas have unlike shares; batch norm is frozen.

    With batch statistics, as the discriminator has, each replica normalises its own images, and no two agree.
    """
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", REPLICAS], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = json.loads(done.stdout).values()
    assert one["history"].keys() == two["history"].keys()
    for name, values in one["history"].items():
        np.testing.assert_allclose(two["history"][name], values, rtol=1e-3, atol=1e-6, err_msg=name)
    for ours, theirs in zip(two["weights"], one["weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-2, atol=1e-4)


def test_without_a_discriminator_the_generator_learns_from_the_error_alone():
    gan = Pix2Pix(tiny_gan().generator, None, l1_weight=30.0)
    gan.compile(keras.optimizers.SGD(0.1))
    source, target, hidden = batch_of()
    with tf.GradientTape() as tape:
        loss = 30 * tf.reduce_mean(tf.abs(target - gan.generator(source, training=True)))
    expected = [
        (value - 0.1 * gradient).numpy()
        for value, gradient in zip(
            gan.trainable_variables, tape.gradient(loss, gan.trainable_variables), strict=True
        )
    ]
    logs = gan.train_step((source, target, hidden))
    assert list(logs) == ["loss", "l1_loss"]
    assert float(logs["loss"]) == pytest.approx(30 * float(logs["l1_loss"])) == pytest.approx(float(loss))
    for value, wanted in zip(gan.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(value.numpy(), wanted, rtol=1e-4, atol=1e-6)
    assert {"loss", "l1_loss", "hidden_mae", "hidden_ssim"} == set(gan.test_step((source, target, hidden)))
    assert gan.weights == gan.generator.weights


def test_the_verdict_counts_by_its_weight():
    whole, half = (tiny_gan(adversarial_weight=weight).test_step(batch_of()) for weight in (1.0, 0.5))
    assert float(whole["loss"] - half["loss"]) == pytest.approx(0.5 * float(whole["adversarial_loss"]), rel=1e-3)
