import pytest

from mstl._keras import keras
from mstl.models.entry import channel_axes
from mstl.models.unet2d import unet_resnet34
from tests.networks import NETWORKS

layers = keras.layers


@pytest.mark.parametrize(
    ("network", "kernel"),
    [("2d", "e1_conv/kernel"), ("3d", "e1_conv/kernel"), ("nested", "mix/kernel"), ("sequential", "c1/kernel")],
)
def test_the_first_kernel_meets_the_image_and_its_bias_does_not(network, kernel):
    assert channel_axes(NETWORKS[network]()) == {kernel: -2}


def test_a_normalisation_of_the_image_meets_it_too():
    axes = channel_axes(unet_resnet34(channels=4, stem="direct"))
    statistics = dict.fromkeys(("bn_data/beta", "bn_data/moving_mean", "bn_data/moving_variance"), -1)
    assert axes == {**statistics, "conv0/kernel": -2}


def test_parallel_branches_all_meet_the_image():
    image = layers.Input((8, 8, 1))
    branches = [layers.Conv2D(2, size, padding="same", name=f"c{size}")(image) for size in (1, 3)]
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Concatenate()(branches)))
    assert channel_axes(model) == {"c1/kernel": -2, "c3/kernel": -2}


def test_a_layer_that_reads_image_and_features_is_inside():
    image = layers.Input((8, 8, 1))
    maps = layers.Conv2D(2, 3, padding="same", name="first")(image)
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Concatenate()([image, maps])))
    assert channel_axes(model) == {"first/kernel": -2}


def test_a_transposed_kernel_has_its_input_channels_last():
    image = layers.Input((8, 8, 3))
    assert channel_axes(keras.Model(image, layers.Conv2DTranspose(2, 3, name="up")(image))) == {"up/kernel": -1}


@pytest.mark.parametrize("layer", [layers.SeparableConv2D(2, 3), layers.DepthwiseConv2D(3)])
def test_kernels_that_keep_channels_apart_have_no_axis(layer):
    image = layers.Input((8, 8, 3))
    assert channel_axes(keras.Model(image, layer(image))) == {}


def test_a_model_without_a_graph_has_no_entry():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    assert channel_axes(Own()) == {}
