"""Groups of 3x3x3 convolutions by the resolution of what they read."""
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models import classic_unet3d, residual_unet3d, unet_small
from mstl.models.kernel_groups import is_cube, kernel_groups
from mstl.models.tree import layers_of

SEVEN = {
    "encoder_full": ("encoder1_conv", "encoder2_block1_conv1"),
    "encoder_half": (
        "encoder2_block1_conv2", "encoder2_block2_conv1", "encoder2_block2_conv2", "encoder3_block1_conv1",
    ),
    "encoder_quarter": (
        "encoder3_block1_conv2", "encoder3_block2_conv1", "encoder3_block2_conv2", "encoder4_block1_conv1",
    ),
    "encoder_eighth": ("encoder4_block1_conv2", "encoder4_block2_conv1", "encoder4_block2_conv2"),
    "decoder_quarter": ("decoder1_block_conv1", "decoder1_block_conv2"),
    "decoder_half": ("decoder2_block_conv1", "decoder2_block_conv2"),
    "decoder_full": ("decoder3_block_conv1", "decoder3_block_conv2"),
}  # fmt: skip


def test_the_residual_network_has_seven_groups_in_the_order_of_the_data():
    groups = kernel_groups(residual_unet3d(channels=1, num_classes=2))
    assert groups == SEVEN
    assert list(groups) == list(SEVEN)


def test_each_convolution_of_three_cubed_is_in_one_group_and_no_other_layer():
    model = residual_unet3d(channels=2, filters=(2, 4, 4))
    cubes = [path for path, layer in layers_of(model).items() if is_cube(layer)]
    assert sorted(path for paths in kernel_groups(model).values() for path in paths) == sorted(cubes)


@pytest.mark.parametrize("depth", [2, 3, 5, 6])
def test_other_depths_have_a_group_a_resolution_and_side(depth):
    groups = kernel_groups(residual_unet3d(channels=1, filters=(2,) * depth))
    names = ["full", "half", "quarter", "eighth", "sixteenth", "level5"][:depth]
    assert list(groups) == [f"encoder_{name}" for name in names] + [f"decoder_{name}" for name in names[-2::-1]]


def test_the_classic_network_counts_its_bottleneck_as_encoder():
    groups = kernel_groups(classic_unet3d(channels=1, filters=(2, 2, 4)))
    assert list(groups) == ["encoder_full", "encoder_half", "encoder_quarter", "decoder_half", "decoder_full"]
    assert groups["encoder_quarter"] == ("bottleneck_conv1", "bottleneck_conv2")


def test_subclasses_count_and_transposed_convolutions_do_not():
    class Bayesian(keras.layers.Conv3D):
        """A convolution with more to it."""

    image = keras.layers.Input((None, None, None, 1))
    maps = Bayesian(2, 3, strides=2, padding="same", name="down")(image)
    maps = keras.layers.Conv3DTranspose(2, 3, strides=2, padding="same", name="up")(maps)
    maps = keras.layers.Conv3D(2, 3, padding="same", name="last")(maps)
    model = keras.Model(image, keras.layers.Conv3D(1, 1, name="head")(maps))
    assert kernel_groups(model) == {"encoder_full": ("down",), "decoder_full": ("last",)}


def test_layers_of_nested_networks_have_their_paths():
    inner = residual_unet3d(channels=1, filters=(2, 2))
    image = keras.layers.Input((None, None, None, 1))
    groups = kernel_groups(keras.Model(image, inner(image)))
    assert groups["encoder_full"] == ("residual_unet3d/encoder1_conv", "residual_unet3d/encoder2_block1_conv1")


def test_a_network_of_slices_is_an_error():
    with pytest.raises(InputError, match="has no 3x3x3 convolution"):
        kernel_groups(unet_small(channels=1, num_classes=1))
