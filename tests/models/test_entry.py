import pytest

from mstl._keras import keras
from mstl.models.entry import entry_layers
from mstl.models.unet2d import unet_resnet34
from tests.networks import NETWORKS

layers = keras.layers


@pytest.mark.parametrize(
    ("network", "entry"), [("2d", {"e1_conv"}), ("3d", {"e1_conv"}), ("nested", {"mix"}), ("sequential", {"c1"})]
)
def test_the_first_kernels_meet_the_image(network, entry):
    assert entry_layers(NETWORKS[network]()) == entry


def test_a_normalisation_of_the_image_belongs_to_the_entry():
    model = unet_resnet34(channels=4, stem="direct")
    assert entry_layers(model) == {"bn_data", "conv0"}


def test_parallel_branches_all_enter():
    image = layers.Input((8, 8, 1))
    branches = [layers.Conv2D(2, size, padding="same", name=f"c{size}")(image) for size in (1, 3)]
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Concatenate()(branches)))
    assert entry_layers(model) == {"c1", "c3"}


def test_a_layer_that_reads_image_and_features_is_inside():
    image = layers.Input((8, 8, 1))
    maps = layers.Conv2D(2, 3, padding="same", name="first")(image)
    model = keras.Model(image, layers.Conv2D(1, 1, name="last")(layers.Concatenate()([image, maps])))
    assert entry_layers(model) == {"first"}


def test_a_model_without_a_graph_has_no_entry():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    assert entry_layers(Own()) == set()
