import json

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.transfer.checkpoint import Checkpoint
from tests.networks import nested
from tests.twins import FILES, randomise, write

layers = keras.layers


def paths(path):
    with Checkpoint.open(path) as checkpoint:
        return list(checkpoint.tensors)


def keras2(path, groups):
    """A Keras 2 weights file of `groups`: layer -> names of weights."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in groups]
        for layer, names in groups.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = np.ones(2, np.float32)
    return path


@pytest.mark.parametrize(
    ("layer", "weight", "expected"),
    [
        ("conv0", "conv0/kernel:0", "conv0/kernel"),
        ("conv0", "conv0_1/kernel:0", "conv0/kernel"),
        ("conv0", "kernel:0", "conv0/kernel"),
        ("model_1", "model_1/conv0/kernel:0", "model_1/conv0/kernel"),
        ("model_1", "conv0/kernel:0", "model_1/conv0/kernel"),
        ("gru", "gru/gru_cell/kernel:0", "gru/gru_cell/kernel"),
        ("enc/conv", "enc/conv/kernel:0", "enc/conv/kernel"),
        ("enc/conv", "scope/enc/conv/kernel:0", "enc/conv/kernel"),
        ("enc/conv", "enc/conv_1/kernel:0", "enc/conv/kernel"),
    ],
)
def test_weights_are_named_by_their_layer_whatever_the_scope(tmp_path, layer, weight, expected):
    assert paths(keras2(tmp_path / "a.h5", {layer: [weight]})) == [expected]


@pytest.mark.parametrize("where", ["config", "vars"])
def test_very_long_names_are_refused(tmp_path, where):
    path = tmp_path / "a.weights.h5"
    if where == "config":
        inner = {"class_name": "Dense", "config": {"name": "d"}}
        for _ in range(6):
            inner = {"class_name": "Functional", "config": {"name": "m" * 800, "layers": [inner]}}
        keras2(path, {"a": ["a/kernel:0"]})
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(inner | {"config": {"layers": [inner]}})
    else:
        with h5py.File(path, "w") as file:
            group = file
            for _ in range(6):
                group = group.create_group("layers/functional")
                group.create_group("vars").attrs["name"] = "m" * 800
            group["vars/0"] = np.ones(2, np.float32)
    with pytest.raises(TransferError, match="characters"):
        paths(path)


def test_a_wrapped_model_has_its_variables_told_apart(tmp_path):
    names = ["conv2d/kernel:0", "conv2d_1/kernel:0"]
    path = keras2(tmp_path / "a.h5", {"td": names})
    config = {"class_name": "Functional", "config": {"layers": [
        {"class_name": "TimeDistributed", "config": {"name": "td"}}]}}  # fmt: skip
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
    assert paths(path) == ["td/kernel", "td/kernel_1"]


def test_layers_without_weights_are_passed_over_and_the_order_is_the_files(tmp_path):
    assert paths(keras2(tmp_path / "a.h5", {"b": ["b/kernel:0"], "relu": [], "a": ["a/kernel:0"]})) == [
        "b/kernel", "a/kernel"]  # fmt: skip


@pytest.mark.parametrize("file", ["save.h5", "keras3.keras"])
def test_the_order_is_that_of_the_model_though_a_part_is_frozen(tmp_path, file):
    model = nested()
    free = paths(write(model, tmp_path, file))
    for layer in model.get_layer("inner").layers[:6]:
        layer.trainable = False
    assert [path.rsplit("/", 1)[0] for path in free if "kernel" in path] == [
        path.rsplit("/", 1)[0] for path in paths(write(model, tmp_path, file)) if "kernel" in path
    ]


@pytest.mark.parametrize("file", FILES)
def test_formats_are_told_apart(tmp_path, file):
    known = dict(zip(FILES, ("Keras 2 weights", "Keras 2 model", "Keras 3 weights", "Keras 3 archive"), strict=True))
    with Checkpoint.open(write(nested(), tmp_path, file)) as checkpoint:
        assert checkpoint.format == known[file]


def test_optimizer_state_is_no_weight_of_a_layer(tmp_path):
    model = nested()
    model.compile("adam", "mse")
    model.fit(np.zeros((1, 8, 8, 1)), np.zeros((1, 8, 8, 1)), verbose=0)
    for file in ("save.h5", "keras3.keras", "keras3.weights.h5"):
        with Checkpoint.open(write(model, tmp_path, file)) as checkpoint:
            assert len(checkpoint) == len(model.weights)


def test_names_that_keras_3_keeps_beside_its_weights_are_used(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for group, name in (("layers/conv2d", "first"), ("layers/functional/layers/conv2d", "inner")):
            variables = file.create_group(f"{group}/vars")
            variables.attrs["name"] = name
            variables["0"], variables["1"] = np.ones((1, 1, 1, 2), np.float32), np.ones(2, np.float32)
        file.create_group("layers/functional/vars").attrs["name"] = "unet"
        file["optimizer/vars/0"] = 3
    assert paths(tmp_path / "a.weights.h5") == [
        "first/kernel", "first/bias", "unet/inner/kernel", "unet/inner/bias"]  # fmt: skip


def test_more_than_ten_variables_keep_their_order(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        for number in range(12):
            file[f"layers/own/vars/{number}"] = np.full(1, number, np.float32)
    with Checkpoint.open(tmp_path / "a.weights.h5") as checkpoint:
        assert [float(tensor.read()[0]) for tensor in checkpoint.tensors.values()] == list(range(12))


def test_several_weights_of_one_name_are_refused_or_told_apart(tmp_path):
    model = randomise(nested(), seed=0)
    assert len(set(paths(write(model, tmp_path, "save_weights.h5")))) == len(model.weights)
