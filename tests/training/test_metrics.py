"""Training metrics: counts of the whole epoch first, ratios afterwards, no voxel lost."""
import numpy as np
import pytest
from sklearn import metrics as sk

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.training.metrics import Dice, IoU, Precision, Sensitivity, VoxelRatio, training_metrics

ORACLES = {
    Dice: sk.f1_score,
    IoU: sk.jaccard_score,
    Precision: sk.precision_score,
    Sensitivity: sk.recall_score,
}


def _batches(count=5):
    rng = np.random.default_rng(3)
    for index in range(count):
        truth = (rng.random((index + 1, 5, 7, 1)) < 0.1 * index).astype(np.uint8)
        yield truth, np.clip(rng.random(truth.shape) * 0.7 + 0.3 * truth, 0, 1).astype(np.float32)


def _after(metric, batches):
    for truth, probability in batches:
        metric.update_state(truth, probability)
    return float(metric.result())


@pytest.mark.parametrize("kind", ORACLES)
def test_the_ratio_is_that_of_all_voxels_of_the_epoch_together(kind):
    truth, probability = (np.concatenate(arrays).ravel() for arrays in zip(*_batches(), strict=True))
    expected = ORACLES[kind](truth, probability >= 0.6)
    assert _after(kind(threshold=0.6), _batches()) == pytest.approx(expected, abs=1e-12)


def test_the_epoch_ratio_is_not_the_mean_of_batch_ratios():
    perfect, missed = np.ones((1, 4, 4, 1)), np.zeros((1, 4, 4, 1))
    one_voxel = missed.copy()
    one_voxel[0, 0, 0] = 1
    assert _after(Dice(), [(perfect, perfect), (one_voxel, missed)]) == pytest.approx(32 / 33)


def test_counting_goes_on_beyond_16_million_voxels():
    metric = Sensitivity()
    metric.counts.assign([2.0**24, 0.0, 2.0**24, 2.0**40])
    metric.update_state(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)))
    assert metric.counts.numpy().tolist() == [2.0**24 + 1, 0.0, 2.0**24, 2.0**40]


def test_reset_forgets_the_epoch():
    metric = Dice()
    first = _after(metric, _batches())
    metric.reset_state()
    assert metric.counts.numpy().tolist() == [0, 0, 0, 0]
    assert _after(metric, _batches()) == first


@pytest.mark.parametrize("kind", ORACLES)
def test_nothing_to_find_and_nothing_found_is_perfect(kind):
    assert _after(kind(), [(np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 1)))]) == 1.0


@pytest.mark.parametrize("kind", ORACLES)
@pytest.mark.parametrize("truth", [0, 1])
def test_one_empty_side_is_zero_and_never_nan(kind, truth):
    mask = np.full((2, 3, 3, 1), truth)
    assert _after(kind(), [(mask, 1.0 - mask)]) == 0.0


def test_a_probability_at_the_threshold_is_positive():
    one_voxel = np.ones((1, 1, 1, 1), np.float32)
    assert _after(Dice(threshold=0.1), [(one_voxel, one_voxel * np.float32(0.1))]) == 1.0


def test_float16_probabilities_are_counted_exactly():
    mask = np.ones((1, 300, 300, 1))
    assert _after(Dice(), [(mask, tf.constant(mask, tf.float16))]) == 1.0


@pytest.mark.parametrize("kind", ORACLES)
def test_a_metric_is_built_again_from_its_config(kind):
    copy = kind.from_config(kind(threshold=0.3, name="mine").get_config())
    assert (type(copy), copy.threshold, copy.name) == (kind, 0.3, "mine")


def test_training_metrics_have_the_names_of_the_history():
    assert [metric.name for metric in training_metrics()] == ["dice", "precision", "sensitivity"]


def test_fit_reports_the_dice_of_the_epoch_under_a_distribution_strategy():
    truth, probability = next(batch for batch in _batches() if len(batch[0]) == 4)
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        model = keras.Sequential([keras.layers.Activation("linear", input_shape=(5, 7, 1))])
        model.compile(loss="mse", metrics=training_metrics())
    data = {"validation_data": (probability, truth), "batch_size": 3, "epochs": 2, "verbose": 0}
    history = model.fit(probability, truth, **data).history
    expected = sk.f1_score(truth.ravel(), probability.ravel() >= 0.5)
    assert history["dice"] == history["val_dice"] == [pytest.approx(expected)] * 2
    assert {"precision", "val_sensitivity"} <= set(history)


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_threshold_that_is_no_probability_is_refused(threshold):
    with pytest.raises(InputError, match="above 0, at most 1"):
        Dice(threshold)


def test_masks_of_another_shape_are_refused():
    with pytest.raises(InputError, match="must be equal"):
        Dice().update_state(np.zeros((2, 3, 3)), np.zeros((2, 3, 3, 1)))


def test_sample_weights_are_refused():
    with pytest.raises(InputError, match="sample weights"):
        Dice().update_state(np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 1)), np.ones(2))


def test_the_base_class_points_to_its_ratios():
    with pytest.raises(TypeError, match="Sensitivity"):
        VoxelRatio().result()
