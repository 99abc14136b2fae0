import numpy as np

from mstl._keras import keras
from mstl.models.convolved import convolved


def network(**options):
    image = keras.layers.Input((None, None, 2))
    return keras.Model(image, convolved(image, 3, "block_{}1", **options))


def test_layers_are_named_after_what_they_are():
    assert [layer.name for layer in network().layers[1:]] == ["block_conv1", "block_bn1", "block_relu1"]


def test_the_convolution_has_no_bias_and_keeps_the_sides():
    model = network(dilation=12)
    assert [tuple(value.shape) for value in model.get_layer("block_conv1").weights] == [(3, 3, 2, 3)]
    assert model(np.ones((1, 5, 7, 2), np.float32)).shape == (1, 5, 7, 3)


def test_batch_norm_follows_a_tenth_of_each_batch():
    model = network(size=1)
    images = np.random.default_rng(0).normal(2, 1, (2, 8, 8, 2)).astype(np.float32)
    maps = model.get_layer("block_conv1")(images)
    model(images, training=True)
    norm = model.get_layer("block_bn1")
    assert np.allclose(norm.moving_mean, 0.1 * np.mean(maps, (0, 1, 2)), atol=1e-5)
    assert norm.epsilon == 1e-5
