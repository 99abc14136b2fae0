import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl._keras import keras, tf
from mstl.errors import InputError
from mstl.models.pooled_context import BinAveragePooling2D, ResizeLike

BINS = (1, 2, 3, 6)


def averages(maps, bins):
    """The definition, bin by bin."""

    def parts(side):
        return [slice(side * i // bins, math.ceil((i + 1) * side / bins)) for i in range(bins)]

    _, height, width, _ = maps.shape
    rows = [np.stack([maps[:, row, column].mean((1, 2)) for column in parts(width)], 1) for row in parts(height)]
    return np.stack(rows, 1)


def maps_of(*shape):
    return np.random.default_rng(0).normal(2, 1, shape).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), bins=st.sampled_from(BINS))
def test_averages_are_those_of_the_definition_for_any_side(height, width, bins):
    maps = maps_of(2, height, width, 3)
    assert np.allclose(BinAveragePooling2D(bins)(maps), averages(maps, bins), atol=1e-5)


def test_a_constant_map_stays_constant_there_and_back():
    maps = np.full((1, 11, 7, 2), 3.0, np.float32)
    for bins in BINS:
        assert np.allclose(ResizeLike()([BinAveragePooling2D(bins)(maps), maps]), maps, atol=1e-6)


def test_open_sides_stay_open_and_known_ones_known():
    image = keras.layers.Input((None, 12, 3))
    pooled = BinAveragePooling2D(2)(image)
    assert pooled.shape.as_list() == [None, 2, 2, 3]
    model = keras.Model(image, ResizeLike()([pooled, image]))
    assert model.output_shape == (None, None, 12, 3)
    assert model(maps_of(1, 9, 12, 3)).shape == (1, 9, 12, 3)


def test_doubling_interpolates_between_pixel_centres():
    maps = np.arange(3, dtype=np.float32).reshape(1, 1, 3, 1)
    doubled = ResizeLike()([maps, np.zeros((1, 1, 6, 1), np.float32)])
    assert np.allclose(tf.squeeze(doubled), [0, 0.25, 0.75, 1.25, 1.75, 2])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_sums_without_overflow_and_keeps_its_type(dtype):
    maps = tf.fill((1, 256, 256, 1), tf.constant(1000, dtype))
    average = BinAveragePooling2D(1, dtype=dtype)(maps)
    assert average.dtype == dtype
    assert float(tf.squeeze(average)) == float(maps[0, 0, 0, 0])
    assert ResizeLike(dtype=dtype)([average, maps]).dtype == dtype


def test_gradients_are_those_of_the_definition():
    maps, up = maps_of(1, 7, 5, 1), maps_of(1, 3, 3, 1)
    with tf.GradientTape() as tape:
        values = tf.constant(maps)
        tape.watch(values)
        loss = tf.reduce_sum(BinAveragePooling2D(3)(values) * up)
    gradient = tape.gradient(loss, values).numpy()
    for place in np.ndindex(maps.shape):
        unit = np.zeros_like(maps)
        unit[place] = 1
        assert np.isclose(gradient[place], (averages(unit, 3) * up).sum(), atol=1e-5)


def test_they_are_built_again_from_their_configuration():
    layer = BinAveragePooling2D.from_config(BinAveragePooling2D(6, name="pool").get_config())
    assert (layer.bins, layer.name) == (6, "pool")


def test_no_bins_are_refused():
    with pytest.raises(InputError, match="bins is 0; at least 1"):
        BinAveragePooling2D(0)
