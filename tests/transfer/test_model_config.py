import json

import pytest

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.models.batch_norm import BatchStatisticsNormalization
from mstl.transfer.model_config import classes_in, positional_names, sentences_on, training_text
from tests.networks import nested, sequential

layers = keras.layers


def config(model):
    return json.loads(model.to_json())


def test_classes_are_listed_by_path_with_nested_models_entered():
    classes = classes_in(config(nested()))
    assert classes["mix"] == "Conv2D"
    assert classes["inner/e1_bn"] == "BatchNormalization"
    assert "inner" not in classes


def test_layers_of_a_sequential_model_are_found_in_old_and_new_form():
    new = config(sequential())
    old = {"class_name": "Sequential", "config": new["config"]["layers"]}
    assert classes_in(new) == classes_in(old)


def test_places_in_weights_of_keras_3_count_by_class():
    names = positional_names(config(nested()))
    assert names["layers/conv2d"] == "mix"
    assert names["layers/functional/layers/conv2d"] == "inner/e1_conv"
    assert names["layers/functional/layers/batch_normalization_1"] == "inner/e2_bn"


def test_batch_norm_called_in_training_mode_is_said():
    image = layers.Input((8, 8, 1))
    called = keras.Model(image, layers.BatchNormalization(name="bn")(image, training=True))
    plain = keras.Model(image, layers.BatchNormalization(name="bn")(image))
    assert "1 batch norm layers (bn, ...) are called with training=True" in next(sentences_on(config(called)))
    assert not list(sentences_on(config(plain)))
    assert not list(sentences_on(config(keras.Model(image, BatchStatisticsNormalization()(image)))))


def test_channels_first_is_said():
    image = layers.Input((1, 8, 8))
    model = keras.Model(image, layers.Conv2D(1, 3, data_format="channels_first", name="first")(image))
    assert "1 layers (first, ...) are channels-first" in next(sentences_on(config(model)))


@pytest.mark.parametrize(
    "odd",
    [None, {}, {"config": 3}, {"config": {"layers": "none"}}, {"config": {"layers": [None, 3, {}, {"class_name": 1}]}},
     {"config": {"layers": [{"class_name": "Conv2D", "config": {"name": "two\nlines"}}]}},
     {"config": {"layers": [{"class_name": "Conv2D", "config": [], "inbound_nodes": 4}]}}],
)  # fmt: skip
def test_what_is_no_configuration_tells_nothing(odd):
    assert not [path for path in classes_in(odd) if path]
    assert not list(sentences_on(odd))
    positional_names(odd)


def model(name, *inner):
    return {"class_name": "Functional", "config": {"name": name, "layers": list(inner)}}


def conv(name, kind="Conv2D"):
    return {"class_name": kind, "config": {"name": name}}


def deep(levels, *leaves):
    return model("outer", *([deep(levels - 1, *leaves)] if levels > 1 else leaves))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (model("m", model("x" * 100_000, *[conv(f"c{number}") for number in range(100)])), "a name of 100000"),
        (model("m", model("x" * 600, model("y" * 600, conv("c")))), "a name of 1201 characters"),
        (model("m", conv("c", kind="x" * 2000)), "a name of 2000 characters"),
        (model("m", conv("x" + "/a" * 65)), "nests over 64 models"),
        (deep(67, conv("c")), "nests over 64 models"),
        (model("m", model("x" * 1000, *[conv(f"c{number}") for number in range(5000)])), "more and longer names"),
        (deep(60, *[conv(f"c{number}") for number in range(100)]), "more and longer names"),
    ],
)  # fmt: skip
def test_names_that_no_network_has_are_refused_in_one_line(config, message):
    for read in (classes_in, positional_names, lambda config: list(sentences_on(config))):
        with pytest.raises(TransferError, match=message) as caught:
            read(config)
        assert len(str(caught.value).splitlines()) == 1


def test_ten_models_within_each_other_are_read():
    config = deep(10, *[conv(f"conv{number}") for number in range(1000)])
    assert list(classes_in(config))[999] == "outer/" * 9 + "conv999"


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"optimizer_config": {"class_name": "Custom>Adam", "config": {}}, "loss": "mse"}, "optimizer Adam, loss mse"),
        ({"optimizer": "adam", "loss": ["mse", None, {"class_name": "Huber"}]}, "optimizer adam, loss mse and Huber"),
        ({"loss": {"a": "mse", "b": {"class_name": "function", "config": "dice"}}}, "loss mse and dice"),
        ({"optimizer_config": 3, "loss": [[["mse"]], "two\nlines"]}, ""),
        ({"loss": {"class_name": "function", "config": {}}}, ""),
        (None, ""),
    ],
)  # fmt: skip
def test_optimizer_and_loss_are_told_in_a_line(config, text):
    assert training_text(config) == text
