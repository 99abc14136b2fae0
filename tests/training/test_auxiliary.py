"""An auxiliary head trains beside the output, is not seen in what is logged, and costs a prediction nothing."""
import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.auxiliary import auxiliary_loss
from mstl.training.fit import fit
from mstl.training.losses import bce, get_loss
from mstl.training.precision import precision
from tests.training.test_fit import arrays_of
from tests.training.two_heads import two_heads

SETTINGS = {"epochs": 2, "steps_per_epoch": 2, "batch_size": 2, "augment": "none", "learning_rate": 1e-2}
WEIGHT = 0.4


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, 8, 8, 2)).astype(np.float32), rng.integers(0, 2, (4, 8, 8, 1)).astype(np.float32)


def sides(prepared):
    return prepared.select(["s0", "s1"]), prepared.select(["s2"])


def equal(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["bce", "dice", "bce_dice"])
def test_a_step_follows_the_gradient_of_both_losses(name):
    images, masks = batch()
    loss, model, other = get_loss(name), two_heads(), two_heads()
    with tf.GradientTape() as tape:
        both = keras.Model(other.input, other.get_layer("auxiliary").input)(images, training=True)
        main, auxiliary = (tf.reduce_mean(loss(masks, probability)) for probability in both)
        total = main + WEIGHT * auxiliary
    gradients = tape.gradient(total, other.trainable_variables)
    expected = [value - 0.5 * gradient for value, gradient in zip(other.trainable_variables, gradients, strict=True)]
    model.compile(keras.optimizers.SGD(0.5), loss)
    with auxiliary_loss(model, loss, weight=WEIGHT):
        logs = model.train_on_batch(images, masks, return_dict=True)
    assert logs["loss"] == pytest.approx(float(main), rel=1e-5)
    for found, wanted in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_logits_are_found_behind_both_heads():
    model = two_heads()
    for name in ("head_conv", "auxiliary_conv"):
        kernel, bias = model.get_layer(name).get_weights()
        model.get_layer(name).set_weights([0 * kernel, bias - 60])
    model.compile(keras.optimizers.SGD(1.0), bce)
    images, masks = batch()
    with auxiliary_loss(model, bce, weight=WEIGHT):
        model.train_on_batch(images, np.ones_like(masks))
    assert model.get_layer("head_conv").bias.numpy() == pytest.approx(-59, rel=1e-5)
    assert model.get_layer("auxiliary_conv").bias.numpy() == pytest.approx(-60 + WEIGHT, rel=1e-5)


def test_with_a_weight_of_zero_the_head_stays_and_the_rest_trains_as_without(prepared, tmp_path):
    model = two_heads()
    before = model.get_layer("auxiliary_conv").get_weights()
    fit(model, *sides(prepared), out=tmp_path / "zero", **SETTINGS, auxiliary_weight=0.0)
    assert equal(before, model.get_layer("auxiliary_conv").get_weights())
    whole = two_heads()
    alone = keras.Model(whole.input, whole.get_layer("auxiliary").input[0])
    fit(alone, *sides(prepared), out=tmp_path / "alone", **SETTINGS)
    for name in ("encoder1_conv1", "encoder1_norm", "head_conv"):
        for found, wanted in zip(model.get_layer(name).get_weights(), alone.get_layer(name).get_weights(), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_training_teaches_both_heads_keeps_both_and_goes_on_exactly(prepared, tmp_path):
    class Interruption(RuntimeError):
        pass

    def interrupt(epoch, logs):
        raise Interruption

    model = two_heads()
    before = model.get_layer("auxiliary_conv").get_weights()
    whole = fit(model, *sides(prepared), out=tmp_path / "whole", **SETTINGS)
    assert not equal(before, model.get_layer("auxiliary_conv").get_weights())
    assert "train_step" not in vars(model)
    columns = ["epoch", "learning_rate", "loss", "dice", "precision", "sensitivity"]
    logged = [*columns, "val_loss", "val_dice", "val_precision", "val_sensitivity", "seconds"]
    assert sorted(whole.history.columns) == sorted(logged)
    with pytest.raises(Interruption):
        stop = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
        fit(two_heads(), *sides(prepared), out=tmp_path / "stopped", callbacks=[stop], **SETTINGS)
    fit(two_heads(), *sides(prepared), out=tmp_path / "stopped", resume=True, **SETTINGS)
    first, second = (arrays_of(tmp_path / name / "state" / "state.h5") for name in ("whole", "stopped"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_what_is_frozen_stays_and_is_proved(prepared, tmp_path):
    model = two_heads()
    frozen = [array for name in ("encoder1_conv1", "encoder1_norm") for array in model.get_layer(name).get_weights()]
    fit(model, *sides(prepared), out=tmp_path / "run", freeze="encoder", **SETTINGS)
    now = [array for name in ("encoder1_conv1", "encoder1_norm") for array in model.get_layer(name).get_weights()]
    assert equal(frozen, now)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_both_heads(prepared, tmp_path, policy):
    with precision(policy):
        model = two_heads()
    before = model.get_layer("auxiliary_conv").get_weights()
    run = fit(model, *sides(prepared), out=tmp_path / "run", precision=policy, **SETTINGS)
    assert np.isfinite(run.history["loss"]).all()
    assert not equal(before, model.get_layer("auxiliary_conv").get_weights())


def test_a_weight_for_a_head_that_is_not_there_is_refused(prepared, tmp_path, small_model):
    with pytest.raises(InputError, match=r"auxiliary_weight is 0\.2, but model '\w+' has no auxiliary head"):
        fit(small_model(), *sides(prepared), out=tmp_path / "run", **SETTINGS, auxiliary_weight=0.2)
    assert not (tmp_path / "run").exists()
