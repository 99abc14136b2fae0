import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError
from mstl.models.tree import finalize, layers_of, tensors_of, variable_name
from tests.networks import nested, unet
from tests.twins import Net

layers = keras.layers


def test_layers_are_listed_under_the_models_that_they_are_nested_in():
    model = nested()
    paths = list(layers_of(model))
    assert paths[:3] == ["image", "mix", "inner/unet_image"] or paths[2].startswith("inner/")
    assert layers_of(model)["inner/e1_conv"] is model.get_layer("inner").get_layer("e1_conv")
    assert "inner" not in paths


def test_every_weight_has_one_path_and_the_order_of_its_layer():
    for model in (unet(), nested(), Net(3, depth=2).build()):
        tensors = tensors_of(model)
        assert {id(tensor.value) for tensor in tensors.values()} == {id(weight) for weight in model.weights}
        assert len(tensors) == len(model.weights)
    assert [path for path in tensors_of(unet()) if path.startswith("e1_bn")] == [
        "e1_bn/gamma", "e1_bn/beta", "e1_bn/moving_mean", "e1_bn/moving_variance"]  # fmt: skip


def test_a_tensor_knows_its_shape_as_numbers():
    assert tensors_of(unet())["e1_conv/kernel"].shape == (3, 3, 2, 3)


def test_a_model_that_is_called_twice_is_listed_once():
    inner = unet()
    one, two = layers.Input((8, 8, 2)), layers.Input((8, 8, 2))
    model = keras.Model([one, two], layers.Add()([inner(one), inner(two)]))
    assert len(tensors_of(model)) == len(inner.weights)


def test_a_layer_within_a_layer_keeps_its_own_name():
    image = layers.Input((4, 8, 2))
    model = keras.Model(image, layers.Bidirectional(layers.LSTM(2), name="both")(layers.Reshape((4, 16))(image)))
    names = [path for path in tensors_of(model) if path.startswith("both/")]
    assert len(names) == len(set(names)) == 6


def test_a_variable_is_what_follows_the_layers_name():
    assert variable_name("scope/conv0/kernel:0", layer="conv0") == "kernel"
    assert variable_name("gru/cell/kernel:0", layer="gru") == "cell/kernel"
    assert variable_name("other/kernel:0", layer="conv0") == "kernel"


def test_a_model_with_weights_outside_of_its_layers_is_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.gain = keras.layers.Dense(1), self.add_weight(name="gain", shape=())

        def call(self, inputs):
            return self.dense(inputs) * self.gain

    model = Own()
    model(np.ones((1, 2), np.float32))
    with pytest.raises(InputError, match=r"has weights outside of its layers \('gain"):
        tensors_of(model)


def test_finalized_layers_compute_from_their_new_weights():
    image = keras.layers.Input((2,))
    model, twin = (keras.Model(image, keras.layers.Normalization(name="scale")(image)) for _ in range(2))
    model.get_layer("scale").adapt(np.array([[0.0, 10.0], [4.0, 30.0]]))
    for tensor, value in zip(tensors_of(twin).values(), model.get_weights(), strict=True):
        tensor.value.assign(value)
    finalize(twin)
    images = np.array([[1.0, 2.0]], np.float32)
    assert np.array_equal(twin.predict(images, verbose=0), model.predict(images, verbose=0))
