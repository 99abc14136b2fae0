import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import unet_resnet34
from mstl.models.sides import check_sides, side_multiple


def halving(times):
    image = x = keras.layers.Input((None, None, 1))
    for _ in range(times):
        x = keras.layers.MaxPooling2D()(x)
    return keras.Model(image, keras.layers.UpSampling2D(2**times)(x))


@pytest.mark.parametrize(("halvings", "multiple"), [(0, 16), (2, 16), (5, 32), (6, 64), (7, 128)])
def test_sides_follow_the_lowest_resolution(halvings, multiple):
    assert side_multiple(halving(halvings)) == multiple


def test_nested_networks_count():
    assert side_multiple(unet_resnet34(channels=1)) == 32


def test_a_model_without_a_graph_gets_the_usual_multiple():
    class Subclassed(keras.Model):
        """A model without a graph."""

    assert side_multiple(Subclassed()) == 32


def test_the_error_names_the_size_to_pad_to():
    with pytest.raises(InputError, match=r"Images of \(200, 64\) do not fit .* Pad them to \(256, 64\), multiples of"):
        check_sides((200, 64), multiple=64)


def test_multiples_and_open_sides_fit():
    check_sides((None, 192), multiple=64)
