"""Resolutions are followed through every kind of layer, whatever size of image a model is built for."""
from mstl._keras import keras, tf
from mstl.models.resolution import is_companion, steps_of
from tests.networks import nested, unet

layers = keras.layers


def levels(model):
    return {step.layer.name: step.level for step in steps_of(model) if step.layer.weights}


def test_each_halving_is_a_level_down_and_each_doubling_one_up():
    expected = {"e1": 0, "e2": 1, "bridge": 2, "d2": 1, "d1": 0}
    found = levels(unet((None, None, None)))
    assert {name: found[f"{name}_conv"] for name in expected} == expected


def test_layers_of_a_nested_model_are_led_to_by_those_before_it():
    by_name = {step.layer.name: step for step in steps_of(nested())}
    assert [parent.layer.name for parent in by_name["e1_conv"].parents] == ["mix"]
    assert by_name["head"].is_output


def test_convolutions_without_padding_change_no_level():
    image = layers.Input((572, 572, 1))
    maps = layers.Conv2D(1, 3, name="a")(layers.Conv2D(1, 3, name="b")(image))
    maps = layers.Conv2D(1, 3, name="c")(layers.MaxPooling2D()(maps))
    maps = layers.Conv2DTranspose(1, 2, strides=2, name="d")(maps)
    assert levels(keras.Model(image, maps)) == {"a": 0, "b": 0, "c": 1, "d": 0}


def test_pooling_of_depth_or_rows_alone_is_a_level_too():
    image = layers.Input((None, None, None, 1))
    maps = layers.Conv3D(1, 3, padding="same", name="a")(layers.MaxPooling3D((1, 2, 2))(image))
    maps = layers.Conv3D(1, 3, padding="same", name="b")(layers.MaxPooling3D((2, 1, 1))(maps))
    assert levels(keras.Model(image, maps)) == {"a": 1, "b": 2}


def test_operations_and_functions_between_layers_are_followed():
    image = layers.Input((None, None, 1))
    maps = layers.Conv2D(1, 3, padding="same", name="a")(image[:, ::2, ::2] * 2.0)
    maps = layers.Lambda(lambda value: tf.nn.avg_pool2d(value, 2, 2, "SAME"))(maps)
    maps = layers.Conv2D(1, 3, padding="same", name="b")(maps)
    maps = tf.image.resize(maps, tf.shape(image)[1:3] // 2)
    assert levels(keras.Model(image, layers.Conv2D(1, 1, name="c")(maps))) == {"a": 1, "b": 2, "c": 1}


def test_normalisations_and_learned_activations_are_companions():
    assert is_companion(layers.BatchNormalization())
    assert is_companion(layers.PReLU())
    assert not is_companion(layers.Conv2D(1, 1))
