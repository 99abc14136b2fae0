"""What a model knows of where its weights came from."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.files import sha256
from mstl.models import unet_small
from mstl.transfer.freezing import freeze
from mstl.transfer.origin import adapted_layers, describe_origins, origins_of
from mstl.transfer.plan import transfer_weights


def small(channels=2, seed=0):
    keras.utils.set_random_seed(seed)
    return unet_small(channels=channels, width=2, depth=2)


@pytest.fixture
def weights(tmp_path):
    """Function that writes weights of a small U-Net for so many channels."""

    def write(channels=2):
        small(channels, seed=1).save_weights(tmp_path / f"{channels}.h5")
        return tmp_path / f"{channels}.h5"

    return write


def test_a_transfer_is_noted_with_its_options_and_the_hash_of_its_file(weights):
    model = small()
    transfer_weights(weights(), model, include="encoder")
    (account,) = describe_origins(model)["transfers"]
    assert account["init"] == str(weights())
    assert account["sha256"] == sha256(weights())
    assert account["options"]["include"] == "encoder"
    assert {row["status"] for row in account["tensors"]} == {"load", "unused"}


def test_transfers_into_parts_are_all_kept_until_one_fills_the_whole(weights):
    model = small()
    transfer_weights(weights(), model, include="encoder")
    transfer_weights(weights(), model, include="head")
    assert [origin.options["include"] for origin in origins_of(model)] == ["encoder", "head"]
    transfer_weights(weights(), model)
    assert [origin.options["include"] for origin in origins_of(model)] == [None]


def test_blocks_count_every_parameter_once_as_loaded_adapted_or_random(weights):
    model = small(channels=3)
    transfer_weights(weights(2), model, exclude="head", adapt="mean")
    blocks = {row.pop("group"): row for row in describe_origins(model)["groups"]}
    assert sum(sum(row.values()) for row in blocks.values()) == model.count_params()
    assert blocks["head"] == {"loaded": 0, "adapted": 0, "random": 3}
    assert blocks["encoder1"]["adapted"] == np.prod(model.get_layer("encoder1_conv1").kernel.shape)
    assert blocks["encoder1"]["random"] == 0


def test_freezing_layers_with_adapted_weights_is_warned_of(weights):
    model = small(channels=3)
    transfer_weights(weights(2), model, adapt="mean")
    assert adapted_layers(model) == {"encoder1_conv1"}
    with pytest.warns(UserWarning, match="hold adapted weights"):
        report = freeze(model, "encoder")
    assert any("encoder1_conv1" in note for note in report.notes)


def test_freezing_a_model_that_another_calls_is_warned_of():
    inner, image = small(), keras.layers.Input((8, 8, 2))
    keras.Model(image, inner(image))
    with pytest.warns(UserWarning, match="is called by another"):
        freeze(inner, "encoder")


def test_a_model_as_it_was_drawn_is_all_random():
    blocks = describe_origins(small())["groups"]
    assert sum(block["random"] for block in blocks) == small().count_params()
