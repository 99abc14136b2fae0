"""Features of a layer: its activations averaged over space, in nested models too, of slices and of patches."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.evaluation.layer_features import LayerFeatures, tapped
from mstl.models.tree import layers_of
from mstl.training.run import Run
from tests.networks import unet


def images(*sides, channels=2, number=3):
    return np.random.default_rng(0).normal(size=(number, *sides, channels)).astype(np.float32)


@pytest.fixture(scope="module")
def model(small_run):
    return Run(small_run).model()


def test_a_layer_is_tapped_where_it_stands(model):
    by_hand = keras.Model(model.input, model.get_layer("encoder2_relu1").output)
    found = tapped(model, "encoder2_relu1").predict(images(32, 32), verbose=0)
    np.testing.assert_array_equal(found, by_hand.predict(images(32, 32), verbose=0))


def test_a_layer_in_a_nested_model_sees_what_the_outer_model_gives_it():
    inner = unet()
    image = keras.layers.Input((None, None, 1))
    outer = keras.Model(image, inner(keras.layers.Conv2D(2, 1, name="colours")(image)), name="outer")
    between = keras.Model(inner.input, inner.get_layer("e2_relu").output)
    colours = outer.get_layer("colours")(images(16, 16, channels=1))
    found = tapped(outer, "unet/e2_relu")(images(16, 16, channels=1))
    np.testing.assert_allclose(found, between(colours), atol=1e-6)
    assert tapped(outer, "colours")(images(16, 16, channels=1)).shape == (3, 16, 16, 2)


@pytest.mark.parametrize("path", ["image", "encoder1_bn1", "decoder2_concat", "sigmoid"])
def test_every_layer_of_a_path_can_be_tapped(model, path):
    assert path in layers_of(model)
    assert tapped(model, path).output_shape == model.get_layer(path).output_shape or path == "image"


def test_features_of_slices_are_means_over_padded_space(small_run, model):
    layer = LayerFeatures.of_run(small_run, "bottleneck_relu2")
    volume = images(20, 30, number=7)
    found = layer.of_slices(volume, [1, 4, 6])
    padded = np.pad(volume[[1, 4, 6]], [(0, 0), (6, 6), (1, 1), (0, 0)])
    maps = tapped(model, "bottleneck_relu2").predict(padded, verbose=0)
    np.testing.assert_allclose(found, maps.mean(axis=(1, 2)), atol=1e-5)
    assert found.shape == (3, 8)
    np.testing.assert_allclose(layer.of_slices(volume, [4]), found[1:2], atol=1e-5)


def test_features_of_patches_are_means_over_volumes():
    model = unet((None, None, None))
    layer = LayerFeatures(tapped(model, "bridge_relu"), 4, patch=(8, 8, 4))
    volume = images(10, 9, number=12)
    found = layer.of_patches(volume, np.array([[0, 0, 0], [4, 2, 5]]))
    patches = np.stack([volume[:8, :8, :4], volume[4:12, 2:10, 5:9]])
    maps = tapped(model, "bridge_relu").predict(patches, verbose=0)
    np.testing.assert_allclose(found, maps.mean(axis=(1, 2, 3)), atol=1e-5)


def test_a_vector_stays_as_it_is():
    image = keras.layers.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Dense(3, name="dense")(keras.layers.Flatten()(image)))
    layer = LayerFeatures(tapped(model, "dense"), 8)
    assert layer.of_slices(images(8, 8, channels=1), [0, 1]).shape == (2, 3)


def test_neighbours_are_channels_where_the_run_has_a_context(write_run, tiny_prepared, tmp_path):
    run = write_run(tmp_path / "run", tiny_prepared.preparation, context=1, model_options={"width": 2, "depth": 2})
    layer = LayerFeatures.of_run(run, "encoder1_relu1")
    layer.check_channels(2)
    assert layer.of_slices(tiny_prepared[0].image, [0, 5]).shape == (2, 2)


def test_a_layer_that_does_not_exist_is_refused_and_the_nearest_named(model):
    with pytest.raises(InputError, match=r"no layer 'encoder2_relu'\. Did you mean 'encoder2_relu[12]'"):
        tapped(model, "encoder2_relu")
    with pytest.raises(InputError, match="It has image, encoder1_conv1"):
        tapped(model, "%%%")


def test_other_channels_than_the_model_knows_are_refused(model):
    with pytest.raises(InputError, match=r"give 1 channels \(modalities: 1, context: 0\), the run's model expects 2"):
        LayerFeatures(model, 32).check_channels(1)
