import numpy as np
import pytest

from mstl._keras import keras
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from mstl.evaluation.predictor import Predictor, with_context
from mstl.models.pix2pix import segmentation_generator


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 2))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def naive(model, case):
    return model.predict(np.asarray(case.image, np.float32), verbose=0)[..., 0]


def test_slices_with_brain_have_the_probabilities_of_a_naive_prediction(model, tiny_prepared):
    for case in tiny_prepared:
        with_brain = np.flatnonzero(case.brain_voxels)
        assert np.allclose(Predictor(model)(case)[with_brain], naive(model, case)[with_brain], atol=1e-6)


def test_slices_without_brain_are_skipped(model, tiny_prepared, monkeypatch):
    case = tiny_prepared[0]
    monkeypatch.setitem(case.record, "brain_voxels", [0] * case.shape[0])
    assert not Predictor(model)(case).any()


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_of_any_size_give_the_same(model, tiny_prepared, batch_size):
    case = tiny_prepared[0]
    assert np.allclose(Predictor(model, batch_size=batch_size)(case), Predictor(model)(case), atol=1e-6)


def test_flip_averages_with_the_mirrored_slices(model, tiny_prepared):
    case = tiny_prepared[0]
    image = np.asarray(case.image, np.float32)
    mirrored = model.predict(image[:, :, ::-1], verbose=0)[:, :, ::-1, 0]
    with_brain = np.flatnonzero(case.brain_voxels)
    expected = (naive(model, case) + mirrored)[with_brain] / 2
    assert np.allclose(Predictor(model, flip=True)(case)[with_brain], expected, atol=1e-6)


def test_prediction_leaves_moving_statistics_alone(model, tiny_prepared):
    before = [array.copy() for array in model.get_weights()]
    Predictor(model)(tiny_prepared[0])
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("context", [0, 1, 2])
def test_neighbours_are_stacked_as_in_training(tiny_prepared, context):
    case = tiny_prepared[0]
    sampler = SliceSampler([case], batch_size=case.shape[0], keep="all", shuffle=False, context=context)
    trained = sampler.batch(0, 0)[0]
    predicted = with_context(case.image, np.arange(case.shape[0]), context=context)
    top, left = ((big - small) // 2 for big, small in zip(trained.shape[1:3], predicted.shape[1:3], strict=True))
    inner = trained[:, top : top + predicted.shape[1], left : left + predicted.shape[2]]
    assert np.array_equal(inner, predicted)


def test_a_case_with_other_modalities_is_refused(model, tiny_prepared):
    with pytest.raises(InputError, match=r"gives 6 channels .*, the model expects 2"):
        Predictor(model, context=1)(tiny_prepared[0])


def test_prediction_with_statistics_that_drift_changes_no_weight(tiny_prepared):
    image = keras.layers.Input((None, None, 2))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3, padding="same")(image), training=True)
    drifting = keras.Model(image, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    before = drifting.get_weights()
    Predictor(drifting)(tiny_prepared[0])
    assert all(np.array_equal(a, b) for a, b in zip(before, drifting.get_weights(), strict=True))


def test_slices_are_padded_to_what_the_model_needs(tiny_prepared):
    model = segmentation_generator(channels=2, width=4)
    probability = Predictor(model)(tiny_prepared[0])
    assert probability.shape == tiny_prepared[0].shape
    assert probability.any()
