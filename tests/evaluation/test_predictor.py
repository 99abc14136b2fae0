import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.slices import SliceSampler
from mstl.errors import InputError
from mstl.evaluation import predictor
from mstl.evaluation.predictor import Predictor, with_context
from mstl.models.pix2pix import segmentation_generator
from tests.spots import write_pictures


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 2))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))


def naive(model, case):
    return model.predict(np.asarray(case.image, np.float32), verbose=0)


def test_the_brain_has_the_probabilities_of_a_naive_prediction(model, tiny_prepared):
    for case in tiny_prepared:
        assert np.allclose(Predictor(model)(case)[case.brain], naive(model, case)[case.brain], atol=1e-6)


def test_what_is_not_brain_is_background(model, model3d, tiny_prepared):
    case = tiny_prepared[0]
    assert not Predictor(model)(case)[~case.brain].any()
    assert np.array_equal(np.unique(Predictor(model3d)(case)[~case.brain], axis=0), [[1, 0]])


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
    mirrored = model.predict(image[:, :, ::-1], verbose=0)[:, :, ::-1]
    expected = (naive(model, case) + mirrored)[case.brain] / 2
    assert np.allclose(Predictor(model, flip=True)(case)[case.brain], expected, atol=1e-6)


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
    assert probability.shape == (*tiny_prepared[0].shape, 1)
    assert probability.any()


def test_several_classes_give_a_probability_each_and_background_where_no_slice_was_computed(tiny_prepared, monkeypatch):
    case = tiny_prepared[0]
    monkeypatch.setitem(case.record, "brain_voxels", [0, *case.brain_voxels[1:]])
    image = keras.layers.Input((None, None, 2))
    model = keras.Model(image, keras.layers.Conv2D(3, 1, activation="softmax")(image))
    probability = Predictor(model)(case)
    assert probability.shape == (*case.shape, 3)
    assert np.array_equal(probability[0], np.broadcast_to([1, 0, 0], (*case.shape[1:], 3)))
    np.testing.assert_allclose(probability.sum(axis=-1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def model3d():
    """Classes of a voxel by its left neighbour: a volume and its mirror image give different answers."""
    keras.utils.set_random_seed(1)
    image = keras.layers.Input((None, None, None, 2))
    x = keras.layers.Conv3D(3, (1, 1, 3), padding="same", activation="relu")(image)
    return keras.Model(image, keras.layers.Conv3D(2, 1, activation="softmax")(x))


def in_one_pass(model, image):
    return model(np.asarray(image, np.float32)[None], training=False).numpy()[0]


def test_a_3d_model_sees_the_whole_volume_where_memory_allows(model3d, tiny_prepared):
    case = tiny_prepared[0]
    volumes = Predictor(model3d)
    assert volumes.window_of(case.shape) is None
    assert np.allclose(volumes(case)[case.brain], in_one_pass(model3d, case.image)[case.brain], atol=1e-6)


def test_a_3d_model_sees_windows_where_memory_does_not_allow_more(model3d, monkeypatch):
    monkeypatch.setattr(predictor, "available_bytes", lambda: 1e6)
    window = Predictor(model3d).window_of((200, 200, 160))
    assert window is not None
    assert max(window) <= 64


def test_windows_have_sides_that_the_model_can_take():
    image = keras.layers.Input((None, None, None, 2))
    x = keras.layers.UpSampling3D(4)(keras.layers.MaxPooling3D(4)(image))
    model = keras.Model(image, keras.layers.Conv3D(1, 1)(x))
    assert Predictor(model, window=(10, 12, 13)).window_of((64, 64, 64)) == (12, 12, 16)


def test_windows_of_a_3d_model_give_nearly_what_one_pass_gives(model3d, tiny_prepared):
    case = tiny_prepared[0]
    seen = Predictor(model3d, window=(8, 8, 32), overlap=0.25)(case)
    assert np.allclose(seen[case.brain], in_one_pass(model3d, case.image)[case.brain], atol=1e-6)


def test_flip_averages_with_the_volume_mirrored_left_to_right(model3d, tiny_prepared):
    case = tiny_prepared[0]
    mirrored = in_one_pass(model3d, case.image[:, :, ::-1])[:, :, ::-1]
    expected = (in_one_pass(model3d, case.image) + mirrored) / 2
    assert not np.allclose(expected, mirrored, atol=1e-3)
    assert np.allclose(Predictor(model3d, flip=True)(case)[case.brain], expected[case.brain], atol=1e-6)


def test_memory_that_does_not_suffice_is_an_error_that_says_what_to_lower(model3d, tiny_prepared, monkeypatch):
    monkeypatch.setattr(predictor, "sliding_window", exhausted)
    with pytest.raises(InputError, match=r"predict case ras .* by 1 windows of \(8, 8, 8\) at a time\. Lower"):
        Predictor(model3d, window=(8, 8, 8))(tiny_prepared[0])
    with pytest.raises(InputError, match=r"by 1 windows of .* at a time"):
        Predictor(model3d)(tiny_prepared[0])


def test_slices_that_do_not_fit_into_memory_are_an_error_that_says_what_to_lower(model, tiny_prepared, monkeypatch):
    monkeypatch.setattr(predictor, "with_context", exhausted)
    with pytest.raises(InputError, match=r"by 8 slices at a time\. Lower the batch size"):
        Predictor(model)(tiny_prepared[0])


def exhausted(*_, **__):
    raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


def test_where_one_pass_does_not_fit_after_all_windows_are_halved_until_they_do(model3d, tiny_prepared, monkeypatch):
    seen = []

    def fits_32(*_, window, **__):
        seen.append(window)
        return exhausted() if window is None or max(window) > 32 else np.zeros((70, 64, 32, 2))

    monkeypatch.setattr(predictor, "sliding_window", fits_32)
    case = tiny_prepared[0]
    monkeypatch.setitem(case.record["prepared"], "shape", [70, 64, 32])
    monkeypatch.setattr(type(case), "brain", np.ones((70, 64, 32), bool))
    volumes = Predictor(model3d)
    volumes(case)
    assert seen == [None, (35, 64, 32), (35, 32, 32), (32, 32, 32)]
    assert volumes.window_of(case.shape) == seen[-1]


def test_an_overlap_that_is_no_part_of_a_side_is_refused(model3d):
    with pytest.raises(InputError, match="overlap is 1"):
        Predictor(model3d, overlap=1)


@pytest.fixture(scope="module")
def pointwise():
    """Classes of a voxel by its own values."""
    keras.utils.set_random_seed(2)
    image = keras.layers.Input((None, None, 2))
    return keras.Model(image, keras.layers.Conv2D(2, 1, activation="softmax")(image))


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A picture of two channels, 96 x 160 pixels with a margin, part of it 0."""
    folder = tmp_path_factory.mktemp("picture")
    case = write_pictures(folder, [("a", "")], sizes=[(90, 150)])[0]
    case = Case.of_files({"flair": case.images["oct"], "t1": case.images["oct"]}, subject="a")
    return prepare(Cohort([case]), folder / "out", normalise="minmax")[0]


@pytest.mark.parametrize(("side", "overlap"), [(32, 0.0), (32, 0.336), (64, 0.5), (96, 0.25)])
def test_windows_of_a_pointwise_network_give_what_whole_slices_give(pointwise, picture, side, overlap):
    case = picture
    found = Predictor(pointwise, window=(side, side), overlap=overlap, batch_size=3)(case)
    np.testing.assert_allclose(found, Predictor(pointwise)(case), atol=1e-6)


def test_a_2d_model_sees_windows_of_each_slice(pointwise, tiny_prepared):
    case, seen = tiny_prepared[0], []
    predictor_ = Predictor(pointwise, window=(20, 32), overlap=0, batch_size=4)
    assert predictor_.window_of(case.shape) == (32, 32)
    forward = predictor_._forward
    object.__setattr__(predictor_, "_forward", lambda images: seen.append(images.shape) or forward(images))
    predictor_(case)
    assert {shape[1:] for shape in seen} == {(32, 32, 2)}
    assert sum(shape[0] for shape in seen) == np.count_nonzero(case.brain_voxels)


def test_windows_of_a_picture_leave_no_seams(picture):
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 2))
    model = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image))
    whole, overlapping, apart = (
        Predictor(model, window=window, overlap=overlap)(picture)
        for window, overlap in ((None, 0), ((32, 32), 0.5), ((32, 32), 0))
    )
    worst = [np.abs(whole - found)[:, 8:-8, 8:-8].max() for found in (overlapping, apart)]
    assert worst[0] < 0.1 * worst[1]  # a window's rim, where a convolution meets zeros, counts little


def test_what_a_picture_shows_in_black_is_predicted_too(pointwise, picture):
    found = Predictor(pointwise, window=(32, 32), overlap=0)(picture)
    black = picture.brain & ~np.asarray(picture.image).any(axis=-1)
    assert black.any()
    np.testing.assert_allclose(found[black], 0.5)
    assert np.array_equal(np.unique(found[~picture.brain], axis=0), [[1, 0]])


def test_a_window_larger_than_the_slices_is_padded(model, tiny_prepared):
    case = tiny_prepared[0]
    found = Predictor(model, window=(64, 96))(case)
    assert np.allclose(found[case.brain], naive(model, case)[case.brain], atol=1e-6)
