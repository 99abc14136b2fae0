import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.max_unpool import MaxPoolWithIndices, MaxUnpool


def maps_of(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def by_definition(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima of 2x2 windows and their places within one image; of equal ones the first, row by row."""
    images, rows, columns, channels = maps.shape
    highest = np.empty((images, rows // 2, columns // 2, channels), maps.dtype)
    places = np.empty(highest.shape, int)
    for image, row, column, channel in np.ndindex(*highest.shape):
        window = maps[image, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2, channel]
        down, right = divmod(int(window.argmax()), 2)
        highest[image, row, column, channel] = window.max()
        places[image, row, column, channel] = ((2 * row + down) * columns + 2 * column + right) * channels + channel
    return highest, places


def put_by_definition(values: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    restored = np.zeros(shape, values.dtype)
    for image in range(len(values)):
        restored[image].flat[places[image].ravel()] = values[image].ravel()
    return restored


def undone() -> keras.Model:
    """Pooling that is undone at once, for images of any size."""
    image = keras.layers.Input((None, None, 3))
    pooled, places = MaxPoolWithIndices(name="pool")(image)
    return keras.Model(image, MaxUnpool(name="unpool")([pooled, places, image]))


shapes = st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.integers(1, 4))


@settings(max_examples=20, deadline=None)
@given(shape=shapes, levels=st.sampled_from([2, 1000]))
def test_maxima_places_and_what_is_unpooled_are_those_of_the_definition(shape, levels):
    maps = np.random.default_rng(0).integers(0, levels, shape).astype(np.float32)  # two levels: ties everywhere
    pooled, places = MaxPoolWithIndices()(maps)
    highest, expected = by_definition(maps)
    np.testing.assert_array_equal(pooled, highest)
    np.testing.assert_array_equal(places, expected)
    values = maps_of(*highest.shape, seed=1)
    restored = MaxUnpool()([values, places, maps])
    np.testing.assert_array_equal(restored, put_by_definition(values, expected, shape))


def test_odd_sides_come_back_as_they_were():
    pooled, places = MaxPoolWithIndices()(maps_of(1, 15, 15, 2))
    assert pooled.shape == places.shape == (1, 7, 7, 2)
    assert MaxUnpool()([pooled, places, maps_of(1, 15, 15, 2)]).shape == (1, 15, 15, 2)


def test_one_model_takes_images_of_any_size():
    model = undone()
    assert model.output_shape == (None, None, None, 3)
    for sides in ((6, 4), (7, 5)):
        maps = maps_of(2, *sides, 3)
        expected = put_by_definition(*by_definition(maps), maps.shape)
        np.testing.assert_array_equal(model.predict(maps, verbose=0), expected)


def test_gradients_are_those_of_finite_differences():
    spread = np.random.default_rng(0).permutation(2 * 5 * 7 * 2).reshape(2, 5, 7, 2)  # no two places near one another
    maps, weights = tf.constant(spread, tf.float32), maps_of(2, 5, 7, 2, seed=1)

    def total(maps: tf.Tensor) -> tf.Tensor:
        pooled, places = MaxPoolWithIndices()(maps)
        restored = MaxUnpool()([tf.square(pooled / 10), places, maps])
        return tf.reduce_sum(weights * restored) + tf.reduce_sum(pooled)

    computed, numerical = tf.test.compute_gradient(total, [maps], delta=1 / 8)
    np.testing.assert_allclose(computed[0], numerical[0], atol=0.03)


def test_gradients_go_to_the_maxima_and_come_from_their_places():
    maps, values = tf.constant(maps_of(2, 5, 6, 3)), tf.constant(maps_of(2, 2, 3, 3, seed=1))
    up = maps_of(2, 5, 6, 3, seed=2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([maps, values])
        pooled, places = MaxPoolWithIndices()(maps)
        highest = tf.reduce_sum(pooled * values)
        restored = tf.reduce_sum(MaxUnpool()([values, places, maps]) * up)
    expected = by_definition(maps.numpy())[1]
    put = put_by_definition(values.numpy(), expected, maps.shape)
    np.testing.assert_array_equal(tape.gradient(highest, maps), put)
    taken = [image.flat[at.ravel()].reshape(at.shape) for image, at in zip(up, expected, strict=True)]
    np.testing.assert_array_equal(tape.gradient(restored, values), taken)
    assert tape.gradient(restored, maps) is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types_give_the_same_numbers(dtype):
    maps = tf.cast(np.random.default_rng(0).normal(size=(2, 5, 6, 3)), dtype)
    layers = MaxPoolWithIndices(dtype=dtype), MaxUnpool(dtype=dtype)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        pooled, places = layers[0](maps)
        restored = layers[1]([pooled, places, maps])
        total = tf.reduce_sum(tf.square(restored))
    plain = tf.cast(maps, tf.float64).numpy()
    assert (pooled.dtype, restored.dtype, places.dtype) == (dtype, dtype, tf.int32)
    expected = put_by_definition(*by_definition(plain), plain.shape)
    np.testing.assert_array_equal(tf.cast(restored, tf.float64), expected)
    np.testing.assert_allclose(tf.cast(tape.gradient(total, maps), tf.float64), 2 * expected, rtol=1e-2)


def test_images_with_nan_do_no_harm_to_others():
    maps = maps_of(2, 6, 6, 3)
    broken = maps.copy()
    broken[0, :2, :3] = np.nan
    np.testing.assert_array_equal(undone()(broken)[1], undone()(maps)[1])


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_a_saved_model_comes_back(name, tmp_path):
    model, maps = undone(), maps_of(1, 7, 5, 3)
    model.save(tmp_path / name)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / name)(maps), model(maps))


def test_two_devices_train_to_the_weights_of_one():
    command = [sys.executable, "-m", "tests.models.unpool_replicas"]
    done = subprocess.run(command, capture_output=True, check=True, text=True, cwd=Path(__file__).parents[2])
    one, two = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "like"),
    [((1, 7, 7, 2), (1, 16, 15, 2)), ((1, 7, 7, 3), (1, 15, 15, 2)), ((2, 7, 7, 2), (1, 15, 15, 2)), ((7,), (15,))],
    ids=["side", "channels", "images", "rank"],
)
def test_places_of_another_shape_are_refused_with_both_shapes(shape, like):
    pooled, places = maps_of(*shape), np.zeros(shape, np.int32)
    with pytest.raises(InputError, match=r"Layer unpool is given maps .* whose pooling gives"):
        MaxUnpool(name="unpool")([pooled, places, maps_of(*like)])


def test_places_that_are_no_integers_are_refused():
    with pytest.raises(InputError, match="of type float32 to restore"):
        MaxUnpool()([maps_of(1, 2, 2, 1), maps_of(1, 2, 2, 1), maps_of(1, 4, 4, 1)])


def test_a_call_without_the_pooled_maps_is_refused():
    with pytest.raises(InputError, match=r"is called with a list \[maps, places, pooled maps\]"):
        MaxUnpool()([maps_of(1, 2, 2, 1), np.zeros((1, 2, 2, 1), np.int32)])


@pytest.mark.parametrize("sides", [(14, 8), (16, 15)], ids=["same shape", "another shape"])
def test_places_of_another_pooling_are_refused_where_sides_are_known_late(sides):
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))] * 2)
    def mixed(maps, other):
        return MaxUnpool(name="unpool")([MaxPoolWithIndices()(maps)[0], MaxPoolWithIndices()(other)[1], maps])

    with pytest.raises(tf.errors.InvalidArgumentError, match="places given to layer unpool are those of another"):
        mixed(maps_of(1, 15, 9, 3), maps_of(1, *sides, 3))


@pytest.mark.parametrize("place", [-1, 1, 10**6])
def test_a_place_outside_of_its_window_is_refused(place):
    maps = maps_of(1, 4, 4, 2)
    pooled, places = MaxPoolWithIndices()(maps)
    wrong = places.numpy()
    wrong[0, 1, 1, 0] = place
    with pytest.raises(tf.errors.InvalidArgumentError, match="those of another pooling"):
        MaxUnpool()([pooled, wrong, maps])


@pytest.mark.parametrize("shape", [(1, 1, 8, 2), (4, 4)])
def test_maps_without_a_window_are_refused(shape):
    with pytest.raises(InputError, match="with sides of at least 2 are expected"):
        MaxPoolWithIndices()(maps_of(*shape))
