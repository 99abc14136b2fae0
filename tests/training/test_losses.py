"""Losses: exact values, float32 whatever comes in, and false positives that always cost something."""
import numpy as np
import pytest
from sklearn.metrics import log_loss

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.losses import LOSSES, bce, bce_dice, combo, dice, focal, get_loss, weighted_bce


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    truth = (rng.random((3, 8, 6, 1)) < 0.3).astype(np.uint8)
    return truth, rng.uniform(0.02, 0.98, truth.shape).astype(np.float32)


def test_bce_is_the_log_loss_of_each_sample(batch):
    truth, probability = batch
    expected = [log_loss(t.ravel(), p.ravel().astype(float)) for t, p in zip(truth, probability, strict=True)]
    np.testing.assert_allclose(bce(truth, probability), expected, rtol=1e-5)


def test_dice_is_one_minus_the_soft_dice_of_the_flattened_batch(batch):
    truth, probability = batch
    expected = 1 - (2 * (truth * probability).sum() + 1) / (truth.sum() + probability.sum() + 1)
    assert float(dice(truth, probability)) == pytest.approx(expected, rel=1e-5)


def test_bce_dice_is_the_sum_of_both(batch):
    np.testing.assert_allclose(bce_dice(*batch), bce(*batch) + dice(*batch))


def test_the_cross_entropy_weighs_less_where_asked(batch):
    weighted = get_loss("bce_dice", ce_weight=0.01)
    np.testing.assert_allclose(weighted(*batch), 0.01 * bce(*batch) + dice(*batch), rtol=1e-6)
    np.testing.assert_allclose(get_loss("auto", ce_weight=0)(*batch), [dice(*batch)] * 3)


@pytest.mark.parametrize("name", ["bce", "dice", "combo", "focal"])
def test_a_weight_of_the_cross_entropy_is_refused_where_no_dice_is_added(name):
    with pytest.raises(InputError, match=rf"ce_weight is 0\.01, but the loss is '{name}'; it is for bce_dice and"):
        get_loss(name, ce_weight=0.01)


def test_combo_follows_the_published_formula(batch):
    truth, p = batch
    wce = -np.mean(0.5 * (truth * np.log(p) + 0.5 * (1 - truth) * np.log(1 - p)))
    soft_dice = (2 * (truth * p).sum() + 1) / (truth.sum() + p.sum() + 1)
    assert float(combo(*batch)) == pytest.approx(0.5 * wce - 0.5 * soft_dice, rel=1e-5)


def test_combo_of_a_perfect_prediction_is_minus_a_half(batch):
    assert float(combo(batch[0], batch[0])) == pytest.approx(-0.5, abs=1e-5)


def test_focal_follows_the_published_formula(batch):
    truth, p = batch
    right, alpha = np.where(truth, p, 1 - p), np.where(truth, 0.25, 0.75)
    expected = -(alpha * (1 - right) ** 2 * np.log(right)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(focal(truth, p), expected, rtol=1e-5)


def test_focal_without_focus_and_balance_is_half_of_bce(batch):
    np.testing.assert_allclose(focal(*batch, gamma=0.0, alpha=0.5), 0.5 * bce(*batch), rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_prediction_has_a_lower_loss(name, batch):
    truth, probability = batch
    better = 0.5 * probability + 0.5 * truth
    assert np.mean(LOSSES[name](truth, better)) < np.mean(LOSSES[name](truth, probability))


@pytest.mark.parametrize("name", LOSSES)
def test_false_positives_on_empty_masks_raise_the_loss(name):
    empty = np.zeros((2, 16, 16, 1), np.uint8)
    levels = [0.01, 0.1, 0.5, 0.9, 0.99]
    losses = [float(np.mean(LOSSES[name](empty, np.full(empty.shape, p, np.float32)))) for p in levels]
    assert losses == sorted(set(losses))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("lesion_elsewhere", [False, True])
def test_every_false_positive_on_an_empty_mask_has_a_positive_gradient(name, lesion_elsewhere):
    truth = np.zeros((2, 8, 8, 1), np.uint8)
    truth[1, 2:5, 2:5] = lesion_elsewhere
    probability = tf.Variable(np.full(truth.shape, 0.6, np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(LOSSES[name](truth, probability))
    assert np.all(tape.gradient(loss, probability)[0] > 0)


@pytest.mark.parametrize("name", LOSSES)
def test_float16_predictions_of_a_large_batch_do_not_overflow(name):
    truth = np.zeros((2, 300, 300, 1), np.uint8)
    truth[:, :260] = 1
    probability = tf.constant(np.where(truth, 0.75, 0.25), tf.float16)
    loss = LOSSES[name](truth, probability)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, LOSSES[name](truth, tf.cast(probability, tf.float32)))
    assert np.all(np.isfinite(loss))


@pytest.mark.parametrize("name", LOSSES)
def test_saturated_probabilities_give_finite_losses_and_gradients(name):
    truth = np.array([0, 1, 0, 1], np.uint8).reshape(1, 4, 1)
    probability = tf.Variable(np.array([1, 0, 0, 1], np.float16).reshape(1, 4, 1))
    with tf.GradientTape() as tape:
        loss = LOSSES[name](truth, probability)
    assert np.all(np.isfinite(loss))
    assert np.all(np.isfinite(tape.gradient(loss, probability)))


@pytest.mark.parametrize("name", LOSSES)
def test_a_mask_without_channel_axis_is_refused_instead_of_broadcast(name):
    with pytest.raises(InputError, match=r"\(2, 4, 4\).*\(2, 4, 4, 1\)"):
        LOSSES[name](np.zeros((2, 4, 4)), np.full((2, 4, 4, 1), 0.5))


def test_two_channels_are_refused():
    with pytest.raises(InputError, match="one channel"):
        dice(np.zeros((2, 4, 4, 2)), np.full((2, 4, 4, 2), 0.5))


@pytest.mark.parametrize("name", LOSSES)
def test_a_compiled_model_learns_under_a_distribution_strategy(name):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(16, 6, 6, 1)).astype(np.float32)
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        model = keras.Sequential([keras.layers.Conv2D(1, 1, activation="sigmoid", input_shape=(6, 6, 1))])
        model.compile(keras.optimizers.Adam(0.2), loss=get_loss(name))
    history = model.fit(x, (x > 0).astype(np.uint8), batch_size=8, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


def test_an_unknown_loss_lists_the_known_ones():
    with pytest.raises(InputError, match="bce, weighted_bce, dice, bce_dice, combo, focal"):
        get_loss("hinge")


def test_a_voxel_that_is_wrong_for_certain_keeps_its_gradient_in_training():
    logit = tf.Variable([[[-60.0]]])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = bce(tf.ones((1, 1, 1)), keras.activations.sigmoid(logit))
        return tape.gradient(loss, logit)

    np.testing.assert_allclose(gradient(), [[[-1]]])


@pytest.mark.parametrize("weight", [0.5, 1.0, 25.0])
def test_the_weighted_cross_entropy_is_the_published_one_of_the_logits(batch, weight):
    truth, logits = batch[0], np.random.default_rng(1).normal(0, 5, batch[0].shape)
    softplus = np.logaddexp(0, -logits)
    expected = (weight * truth * softplus + (1 - truth) * (logits + softplus)).mean(axis=(1, 2, 3))  # BCEWithLogitsLoss
    probability = keras.activations.sigmoid(tf.constant(logits, tf.float32))
    np.testing.assert_allclose(get_loss("weighted_bce", pos_weight=weight)(truth, probability), expected, rtol=1e-5)
    if weight == 1:
        np.testing.assert_allclose(expected, bce(truth, probability), rtol=1e-5)


def test_the_weighted_cross_entropy_keeps_the_gradient_of_a_voxel_that_is_wrong_for_certain():
    logit = tf.Variable([[[-60.0]]])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = weighted_bce(tf.ones((1, 1, 1)), keras.activations.sigmoid(logit), pos_weight=7.0)
        return tape.gradient(loss, logit)

    np.testing.assert_allclose(gradient(), [[[-7]]])


@pytest.mark.parametrize("name", ["auto", "bce", "focal"])
def test_a_weight_of_lesions_is_refused_where_the_loss_has_none(name):
    with pytest.raises(InputError, match=r"pos_weight is 25, but the loss is '\w+'; it is for weighted_bce\. Leave"):
        get_loss(name, pos_weight=25)
