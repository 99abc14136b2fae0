import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.batch_norm import BatchStatisticsNormalization, called_in_training, steady

SHAPES = {"rows": (8, 3), "slices": (2, 6, 5, 3), "volumes": (2, 4, 6, 5, 3)}


def images(shape=SHAPES["slices"], seed=0):
    return np.random.default_rng(seed).normal(3, 2, shape).astype(np.float32)


def network(norm, **call):
    """Convolution, norm with statistics that are not the initial ones, convolution; compiled."""
    keras.utils.set_random_seed(0)
    image = keras.layers.Input((None, None, 3), name="image")
    x = norm(keras.layers.Conv2D(4, 3, padding="same", name="conv")(image), **call)
    model = keras.Model(image, keras.layers.Conv2D(1, 1, name="output")(x), name="network")
    norm.set_weights([np.linspace(0.5, 2, 4) + number for number in range(4)])
    model.compile("sgd", "mse")
    return model


def train(model, steps=3):
    for seed in range(steps):
        model.train_on_batch(images(seed=seed), np.zeros((2, 6, 5, 1), np.float32))


def equal(before, after):
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_prediction_normalises_with_the_batch(shape):
    ours, ordinary = BatchStatisticsNormalization(), keras.layers.BatchNormalization()
    expected = ordinary(images(shape), training=True)
    for layer_mode in (False, True, None):
        assert np.allclose(ours(images(shape), training=layer_mode), expected, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
def test_training_remembers_what_ordinary_batch_norm_remembers(shape):
    ours, ordinary = BatchStatisticsNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for seed in range(3):
        ours(images(shape, seed), training=True)
        ordinary(images(shape, seed), training=True)
    sample = np.prod(shape[:-1])  # the variance of volumes and rows: with n or with n - 1 below the line
    assert np.allclose(ours.moving_mean, ordinary.moving_mean, atol=1e-5)
    assert np.allclose(ours.moving_variance, ordinary.moving_variance, rtol=1.5 / sample)


def test_a_batch_of_two_is_not_two_batches_of_one():
    model = network(BatchStatisticsNormalization())
    together, apart = (model.predict(images(), batch_size=size, verbose=0) for size in (2, 1))
    assert not np.allclose(together, apart, atol=1e-3)


def test_prediction_changes_nothing():
    model = network(BatchStatisticsNormalization())
    before = model.get_weights()
    first = model.predict(images(), verbose=0)
    model.evaluate(images(), np.zeros((2, 6, 5, 1)), verbose=0)
    model(images())
    model(np.full((2, 6, 5, 3), np.nan, np.float32), training=False)
    assert all(equal(before, model.get_weights()))
    assert np.array_equal(first, model.predict(images(), verbose=0))


def test_training_changes_the_moving_statistics():
    norm = BatchStatisticsNormalization()
    model = network(norm)
    before = norm.get_weights()
    train(model)
    assert not any(equal(before, norm.get_weights()))


def test_frozen_it_normalises_with_the_batch_and_remembers_nothing():
    norm = BatchStatisticsNormalization()
    model = network(norm)
    free, before = model.predict(images(), verbose=0), norm.get_weights()
    norm.trainable = False
    model.compile("sgd", "mse")
    assert np.array_equal(model.predict(images(), verbose=0), free)
    assert np.allclose(model(images(), training=True), free, atol=1e-6)
    train(model)
    assert all(equal(before, norm.get_weights()))


def test_a_frozen_model_freezes_it():
    norm = BatchStatisticsNormalization()
    inner = network(norm)
    image = keras.layers.Input((None, None, 3))
    outer = keras.Model(image, keras.layers.Conv2D(1, 1)(inner(image)))
    inner.trainable = False
    outer.compile("sgd", "mse")
    before = inner.get_weights()
    train(outer)
    assert all(equal(before, inner.get_weights()))


def test_weights_are_named_and_ordered_as_those_of_ordinary_batch_norm():
    models = network(BatchStatisticsNormalization(name="norm")), network(keras.layers.BatchNormalization(name="norm"))
    ours, ordinary = ([(value.name, tuple(value.shape)) for value in model.weights] for model in models)
    assert ours == ordinary


@pytest.mark.parametrize("by_name", [False, True])
def test_a_file_of_ordinary_batch_norm_loads(tmp_path, by_name):
    source, target = network(keras.layers.BatchNormalization(name="b")), network(BatchStatisticsNormalization(name="b"))
    train(source)
    source.save_weights(tmp_path / "source.h5")
    target.load_weights(tmp_path / "source.h5", by_name=by_name)
    assert all(equal(source.get_weights(), target.get_weights()))


@pytest.mark.parametrize("file", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_saved_model_loads_with_its_settings(tmp_path, file):
    model = network(BatchStatisticsNormalization(momentum=0.7, epsilon=0.01, name="norm"))
    model.save(tmp_path / file)
    loaded = keras.models.load_model(tmp_path / file)
    assert loaded.get_layer("norm").get_config() == model.get_layer("norm").get_config()
    assert np.array_equal(loaded.predict(images(), verbose=0), model.predict(images(), verbose=0))


def test_without_scale_and_centre_it_only_normalises():
    output = BatchStatisticsNormalization(center=False, scale=False)(images()).numpy()
    assert np.allclose(output.mean((0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(output.std((0, 1, 2)), 1, atol=1e-3)


def test_mixed_precision_keeps_statistics_in_float32():
    norm = BatchStatisticsNormalization(dtype="mixed_float16")
    output = norm(images() * 200, training=True)  # squares overflow in float16
    assert output.dtype == tf.float16
    assert np.isfinite(output.numpy()).all()
    assert {value.dtype for value in norm.weights} == {tf.float32}
    assert np.isfinite(norm.moving_variance.numpy()).all()


def test_in_a_graph_training_may_be_a_tensor():
    norm = BatchStatisticsNormalization()
    norm.build((None, 6, 5, 3))
    step = tf.function(lambda image, training: norm(image, training=training))
    before = norm.get_weights()
    step(images(), tf.constant(False))
    assert all(equal(before, norm.get_weights()))
    step(images(), tf.constant(True))
    assert not all(equal(before, norm.get_weights()))


def test_a_replica_without_images_remembers_nothing():
    norm = BatchStatisticsNormalization()
    assert norm(np.zeros((0, 6, 5, 3), np.float32), training=True).shape == (0, 6, 5, 3)
    assert np.array_equal(norm.moving_mean, np.zeros(3))
    assert np.array_equal(norm.moving_variance, np.ones(3))


def test_it_trains_under_a_strategy():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        norm = BatchStatisticsNormalization()
        model = network(norm)
    before = norm.moving_mean.numpy()
    model.fit(images(), np.zeros((2, 6, 5, 1), np.float32), verbose=0)
    assert not np.array_equal(before, norm.moving_mean.numpy())


@pytest.mark.parametrize("settings", [{"axis": 1}, {"renorm": True}, {"virtual_batch_size": 2}])
def test_what_it_cannot_do_is_refused(settings):
    with pytest.raises(InputError, match=r"Only channels last without renorm"):
        BatchStatisticsNormalization(**settings).build((4, 6, 5, 3))


def nested(norm, **call):
    image = keras.layers.Input((None, None, 3))
    inner = network(norm, **call)
    return keras.Model(image, keras.layers.BatchNormalization(name="plain")(inner(image)))


def test_layers_called_in_training_are_found_in_nested_models():
    assert called_in_training(nested(keras.layers.BatchNormalization(name="norm"), training=True)) == ["network/norm"]


def test_a_call_outside_the_model_does_not_count():
    model = nested(norm := keras.layers.BatchNormalization(name="norm"))
    norm(keras.layers.Input((None, None, 4)), training=True)
    assert called_in_training(model) == []


def test_ours_and_the_usual_call_are_not_called_in_training():
    assert called_in_training(nested(BatchStatisticsNormalization())) == []
    assert called_in_training(nested(keras.layers.BatchNormalization(), training=False)) == []


def test_a_layer_called_in_training_computes_something_else_when_frozen():
    norm = keras.layers.BatchNormalization()
    model = network(norm, training=True)
    free = model.predict(images(), verbose=0)
    norm.trainable = False
    frozen = keras.Model(model.input, model.output).predict(images(), verbose=0)
    assert not np.allclose(free, frozen, atol=0.1)


def test_statistics_that_drift_are_given_back():
    model = nested(keras.layers.BatchNormalization(), training=True)
    before = model.get_weights()
    with steady(model):
        model.predict(images(), verbose=0)
        assert not all(equal(before, model.get_weights()))
    assert all(equal(before, model.get_weights()))


def test_statistics_are_given_back_after_an_error():
    model = nested(keras.layers.BatchNormalization(), training=True)
    before = model.get_weights()
    with pytest.raises(KeyError), steady(model):
        model(images())
        raise KeyError
    assert all(equal(before, model.get_weights()))


def test_a_subclassed_model_is_held_steady_too():
    class Drifting(keras.Model):
        def __init__(self):
            super().__init__()
            self.norms = [keras.layers.BatchNormalization()]

        def call(self, image):
            return self.norms[0](image, training=True)

    model = Drifting()
    model(images())
    before = model.get_weights()
    with steady(model):
        model(images(seed=1))
    assert all(equal(before, model.get_weights()))
    assert called_in_training(model) == []
