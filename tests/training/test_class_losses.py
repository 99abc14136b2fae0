"""Losses of several classes: exact values, float32 whatever comes in, and absent classes that cost what they must."""
import numpy as np
import pytest
from sklearn.metrics import log_loss

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.class_losses import CLASS_LOSSES, ce, ce_dice, class_dice, class_focal
from mstl.training.losses import bce, bce_dice, focal, get_loss


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (2, 4, 5, 3, 1)).astype(np.float32)
    return truth, rng.dirichlet(np.ones(3), truth.shape[:-1])


def test_ce_is_the_log_loss_of_each_sample(batch):
    samples = ((truth.ravel(), p.reshape(-1, 3)) for truth, p in zip(*batch, strict=True))
    expected = [log_loss(truth, p / p.sum(1, keepdims=True), labels=[0, 1, 2]) for truth, p in samples]
    np.testing.assert_allclose(ce(*batch), expected, rtol=1e-5)


def test_class_dice_is_the_mean_over_the_foreground_classes(batch):
    truth, p = batch
    scores = []
    for number in (1, 2):
        mask, soft = truth[..., 0] == number, p[..., number]
        scores.append((2 * (mask * soft).sum() + 1) / (mask.sum() + soft.sum() + 1))
    assert float(class_dice(truth, p)) == pytest.approx(1 - np.mean(scores), rel=1e-5)


def test_ce_dice_is_the_sum_of_both(batch):
    np.testing.assert_allclose(ce_dice(*batch), ce(*batch) + class_dice(*batch))


def test_class_focal_follows_the_published_formula(batch):
    truth, p = batch
    right = np.take_along_axis(p, truth.astype(int), -1)[..., 0]
    for gamma in (0.0, 2.0, 3.5):
        expected = -((1 - right) ** gamma * np.log(right)).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(class_focal(truth, p, gamma=gamma), expected, rtol=1e-4)
    np.testing.assert_allclose(class_focal(truth, p, gamma=0.0), ce(truth, p), rtol=1e-5)


def test_class_focal_of_two_classes_is_twice_the_balanced_focal_loss_of_one_channel(batch):
    lesion, p = np.clip(batch[0], 0, 1), batch[1][..., 1:2]
    two = class_focal(lesion, np.concatenate([1 - p, p], -1))
    np.testing.assert_allclose(two, 2 * focal(lesion, p, alpha=0.5), rtol=1e-4)


def test_class_focal_keeps_the_gradient_of_a_voxel_that_is_wrong_for_certain():
    logits = tf.Variable([[[60.0, 0.0]]])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = class_focal(tf.ones((1, 1, 1)), keras.activations.softmax(logits))
        return tape.gradient(loss, logits)

    np.testing.assert_allclose(gradient(), [[[1, -1]]], atol=1e-5)


def test_two_classes_cost_what_one_channel_costs(batch):
    lesion = np.clip(batch[0], 0, 1)
    p = batch[1][..., 1:2]
    np.testing.assert_allclose(ce(lesion, np.concatenate([1 - p, p], -1)), bce(lesion, p), rtol=1e-4)


def test_a_perfect_prediction_costs_next_to_nothing(batch):
    perfect = np.eye(3, dtype=np.float32)[batch[0][..., 0].astype(int)]
    assert float(class_dice(batch[0], perfect)) == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(ce(batch[0], perfect), 0, atol=1e-6)


def test_what_is_falsely_called_an_absent_class_always_costs():
    truth = np.zeros((1, 6, 6, 6, 1))
    clean, false = (np.stack([1 - 2 * p, p, p], -1)[None] for p in (np.zeros((6, 6, 6)), np.full((6, 6, 6), 0.4)))
    assert float(class_dice(truth, false.astype("f"))) > float(class_dice(truth, clean.astype("f"))) + 0.5


@pytest.mark.parametrize("loss", CLASS_LOSSES.values(), ids=CLASS_LOSSES)
def test_losses_of_half_precision_are_float32_and_finite_with_finite_gradients(batch, loss):
    half = tf.Variable(np.eye(3, dtype=np.float16)[np.zeros(batch[1].shape[:-1], int)])
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(loss(batch[0].astype(np.uint8), half))
    assert value.dtype == tf.float32
    assert np.isfinite(value)
    assert np.isfinite(tf.cast(tape.gradient(value, half), tf.float32)).all()


@pytest.mark.parametrize("shape", [(2, 4, 5, 3, 3), (2, 4, 5, 4, 1), (2, 4, 5, 1)])
def test_masks_of_another_shape_are_refused(batch, shape):
    with pytest.raises(InputError, match="are expected"):
        ce(np.zeros(shape, np.float32), batch[1])


def test_the_cross_entropy_weighs_less_where_asked(batch):
    weighted = get_loss("ce_dice", num_classes=3, ce_weight=0.01)
    np.testing.assert_allclose(weighted(*batch), 0.01 * ce(*batch) + class_dice(*batch), rtol=1e-6)
    with pytest.raises(InputError, match=r"ce_weight is 0\.01, but the loss is 'class_dice'"):
        get_loss("class_dice", num_classes=3, ce_weight=0.01)


def test_losses_are_found_by_name_and_number_of_classes():
    assert get_loss("ce_dice", num_classes=4) is ce_dice
    assert get_loss("auto", num_classes=4) is ce_dice
    assert get_loss("auto") is bce_dice
    with pytest.raises(InputError, match=r"'bce' is not for a model with 4 output channels\. Choose one of: ce"):
        get_loss("bce", num_classes=4)
    with pytest.raises(InputError, match="'ce' is not for a model with 1 output channels"):
        get_loss("ce")
    with pytest.raises(InputError, match=r"'hinge' is unknown\. Choose one of: ce, class_dice, ce_dice"):
        get_loss("hinge", num_classes=2)


def test_a_voxel_that_is_wrong_for_certain_keeps_its_gradient_in_training():
    logits = tf.Variable([[[60.0, -60.0]]])

    @tf.function
    def gradient():
        with tf.GradientTape() as tape:
            loss = ce(tf.ones((1, 1, 1)), keras.activations.softmax(logits))
        return tape.gradient(loss, logits)

    np.testing.assert_allclose(gradient(), [[[1, -1]]])
