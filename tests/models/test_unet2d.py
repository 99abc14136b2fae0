import json

import h5py
import numpy as np
import pytest

from mstl.errors import InputError
from mstl.models.unet2d import unet_resnet34

THESIS_PARAMETERS, UNET_PARAMETERS = 24_456_160, 24_456_154


@pytest.fixture(scope="module")
def thesis():
    return unet_resnet34(channels=1)


@pytest.fixture(scope="module")
def direct():
    return unet_resnet34(channels=3, stem="direct")


def structure(path):
    with h5py.File(path) as file:
        names = list(file.attrs["layer_names"])
        weights = {name: list(file[name].attrs["weight_names"]) for name in names}
        shapes = {name: [list(file[name][weight].shape) for weight in weights[name]] for name in names}
    pairs = {name: zip(weights[name], shapes[name], strict=True) for name in names if weights[name]}
    return names, {name: [list(pair) for pair in named] for name, named in pairs.items()}


def test_parameter_counts_are_those_of_the_published_model(thesis, direct):
    assert thesis.count_params() == THESIS_PARAMETERS
    assert direct.count_params() == UNET_PARAMETERS


def test_thesis_model_saves_with_the_layer_names_of_its_files(thesis, tmp_path, shared):
    published = json.loads((shared / "fixtures/keras-2021/sm_unet_resnet34_h5_structure.json").read_text())
    thesis.save_weights(tmp_path / "thesis.h5")
    names, weights = structure(tmp_path / "thesis.h5")
    assert names == published["wrapped_weights"]["layer_names"]
    assert weights == published["wrapped_weights"]["weights"]


def test_direct_model_saves_the_weights_of_the_plain_file(direct, tmp_path, shared):
    published = json.loads((shared / "fixtures/keras-2021/sm_unet_resnet34_h5_structure.json").read_text())
    direct.save_weights(tmp_path / "plain.h5")
    assert structure(tmp_path / "plain.h5")[1] == published["plain_weights"]["weights"]


def test_any_side_that_32_divides_gives_probabilities_of_its_shape(thesis):
    image = np.random.default_rng(0).random((1, 64, 32, 1), np.float32)
    probability = thesis.predict(image, verbose=0)
    assert probability.shape == (1, 64, 32, 1)
    assert probability.dtype == np.float32
    assert probability.min() >= 0
    assert probability.max() <= 1


def test_several_classes_sum_to_one():
    model = unet_resnet34(channels=4, num_classes=3)
    probability = model.predict(np.ones((1, 32, 32, 4), np.float32), verbose=0)
    assert np.allclose(probability.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"channels": 1, "num_classes": 0}, "num_classes 0"),
        ({"channels": 1, "stem": "conv"}, "Stem 'conv' is unknown. Choose one of conv1x1, direct"),
    ],
)
def test_invalid_arguments_say_what_is_expected(arguments, message):
    with pytest.raises(InputError, match=message):
        unet_resnet34(**arguments)
