"""A training freezes by its settings and proves it: every frozen tensor hashed before and after, in `freeze.json`."""
import hashlib
import json

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import InputError, TrainingError
from mstl.models.tree import tensors_of
from mstl.training.fit import fit
from mstl.training.run import Run
from mstl.transfer.freezing import freeze
from tests.networks import conv_block, unet

layers = keras.layers
SETTINGS = {"steps_per_epoch": 2, "batch_size": 2, "augment": "none", "learning_rate": 1e-2}


def network():
    """A small U-Net nested behind a 1x1 convolution, for the two modalities of the prepared cases."""
    keras.utils.set_random_seed(0)
    image = layers.Input((None, None, 2), name="image")
    return keras.Model(image, unet(name="inner")(layers.Conv2D(2, 1, name="mix")(image)), name="outer")


def plain():
    keras.utils.set_random_seed(0)
    image = layers.Input((None, None, 2))
    maps = conv_block(layers.AveragePooling2D()(conv_block(image, 2, "e1")), 2, "e2")
    maps = conv_block(layers.UpSampling2D()(maps), 2, "d1")
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", name="head")(maps))


def train(prepared, model, out, **settings):
    sides = prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"])
    return fit(model, *sides, out=out, **{"epochs": 2, **SETTINGS, **settings})


def record(out):
    return json.loads((out / "freeze.json").read_text(encoding="utf-8"))


def values(model):
    return {path: tensor.value.numpy() for path, tensor in tensors_of(model).items()}


def kept(before, model):
    after = values(model)
    return {path for path in before if np.array_equal(before[path], after[path])}


def rows(out):
    return {row["path"]: row for row in record(out)["tensors"]}


class Stop(keras.callbacks.Callback):
    """Ends a training as a crash would, after `epoch` epochs."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_run_with_a_frozen_encoder_proves_each_tensor(prepared, tmp_path):
    model = network()
    before = values(model)
    train(prepared, model, tmp_path / "run", freeze="encoder")
    found, proof = record(tmp_path / "run"), rows(tmp_path / "run")
    assert set(proof) == kept(before, model)
    assert {"inner/e1_bn/moving_mean", "inner/e1_bn/moving_variance", "inner/bridge_conv/kernel"} <= set(proof)
    assert all(row["unchanged"] is True and row["thawed_after"] is None for row in proof.values())
    for path, row in proof.items():
        digest = hashlib.sha256(before[path].tobytes()).hexdigest()
        assert (row["sha256_before"], row["sha256_after"]) == (digest, digest)
        assert row["parameters"] == before[path].size
    assert found["policy"] == ["encoder"]
    assert found["frozen"] == sum(row["parameters"] for row in proof.values())
    assert {row["group"] for row in found["groups"] if row["frozen"]} == {"encoder1", "encoder2", "encoder3"}


def test_a_run_without_anything_frozen_says_so(prepared, tmp_path):
    train(prepared, plain(), tmp_path / "run", epochs=1)
    found = record(tmp_path / "run")
    assert (found["policy"], found["frozen"], found["tensors"]) == ([], 0, [])
    assert found["trainable"] == plain().count_params()


def test_flags_that_were_set_before_fit_are_kept_and_proved(prepared, tmp_path):
    model = plain()
    freeze(model, "all-but-head")
    before = values(model)
    train(prepared, model, tmp_path / "run", epochs=1)
    assert set(rows(tmp_path / "run")) == kept(before, model) == set(before) - {"head/kernel", "head/bias"}


def test_policy_none_lets_all_train_that_was_frozen_before(prepared, tmp_path):
    model = plain()
    freeze(model, "encoder")
    before = values(model)
    train(prepared, model, tmp_path / "run", epochs=1, freeze="none")
    assert "e1_conv/kernel" not in kept(before, model)
    assert record(tmp_path / "run")["policy"] == ["none"]


def test_a_model_trains_on_thawed_after_a_frozen_training(prepared, tmp_path):
    model = plain()
    train(prepared, model, tmp_path / "first", epochs=1, freeze="encoder")
    before = values(model)
    train(prepared, model, tmp_path / "second", epochs=1, freeze="none", learning_rate=1e-3)
    assert "e1_conv/kernel" not in kept(before, model)


def test_freezing_comes_before_another_batch_norm_momentum(prepared, tmp_path):
    train(prepared, plain(), tmp_path / "run", epochs=1, freeze="encoder", batch_norm_momentum=0.5)
    assert all(row["unchanged"] for row in rows(tmp_path / "run").values())


def test_norm_train_keeps_kernels_and_lets_statistics_move(prepared, tmp_path):
    model = plain()
    before = values(model)
    train(prepared, model, tmp_path / "run", epochs=1, freeze="encoder", freeze_norm="train")
    assert set(rows(tmp_path / "run")) == {"e1_conv/kernel", "e1_conv/bias", "e2_conv/kernel", "e2_conv/bias"}
    assert not [path for path in kept(before, model) if "_bn/moving" in path]


@pytest.mark.parametrize("path", ["e1_conv/kernel", "e2_bn/moving_variance"])
def test_a_frozen_tensor_that_changes_fails_the_run_and_is_named(prepared, tmp_path, path):
    class Meddle(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            value = tensors_of(self.model)[path].value
            value.assign(value + 1e-3)

    model = plain()
    with pytest.raises(TrainingError, match=f"Frozen {path} and 0 more"):
        sides = prepared.select(["s0", "s1", "s2"]), prepared.select(["s3"])
        fit(model, *sides, out=tmp_path / "run", epochs=1, freeze="encoder", callbacks=[Meddle()], **SETTINGS)
    assert [name for name, row in rows(tmp_path / "run").items() if not row["unchanged"]] == [path]


def test_hashes_stand_in_the_run_before_the_first_step(prepared, tmp_path):
    model = plain()
    with pytest.raises(KeyboardInterrupt):
        fit(model, prepared.select(["s0"]), out=tmp_path / "run", freeze="encoder", callbacks=[Stop(0)], **SETTINGS)
    found = rows(tmp_path / "run")
    assert found["e1_conv/kernel"]["sha256_before"]
    assert found["e1_conv/kernel"]["unchanged"] is None


def interrupted(prepared, model, out, epoch, **settings):
    with pytest.raises(KeyboardInterrupt):
        train(prepared, model, out, callbacks=[Stop(epoch)], **settings)


def test_a_resumed_run_is_proved_against_its_beginning(prepared, tmp_path):
    model = plain()
    before = values(model)
    interrupted(prepared, model, tmp_path / "run", 1, freeze="encoder")
    first = rows(tmp_path / "run")
    resumed = plain()
    train(prepared, resumed, tmp_path / "run", freeze="encoder", resume=True)
    after = rows(tmp_path / "run")
    assert {path: row["sha256_before"] for path, row in first.items()} == {
        path: row["sha256_after"] for path, row in after.items()
    }
    assert set(after) <= kept(before, resumed)


def test_a_state_whose_frozen_weights_were_exchanged_is_refused_on_resuming(prepared, tmp_path):
    interrupted(prepared, plain(), tmp_path / "run", 1, freeze="encoder")
    with h5py.File(tmp_path / "run" / "state" / "state.h5", "a") as state:
        state["weights/0"][...] = state["weights/0"][()] + 1
    with pytest.raises(TrainingError, match="Frozen e1_conv/kernel and 0 more"):
        train(prepared, plain(), tmp_path / "run", freeze="encoder", resume=True)


def test_a_run_is_not_resumed_with_other_flags_than_it_began_with(prepared, tmp_path):
    model = plain()
    freeze(model, "encoder")
    interrupted(prepared, model, tmp_path / "run", 1)
    with pytest.raises(InputError, match="began with other layers frozen: e1_bn/beta and 11 more"):
        train(prepared, plain(), tmp_path / "run", resume=True)


def test_a_run_that_was_killed_before_its_last_proof_is_proved_on_resuming(prepared, tmp_path):
    model = plain()
    train(prepared, model, tmp_path / "run", freeze="encoder")
    whole = record(tmp_path / "run")
    unproved = {**whole, "tensors": [{**row, "sha256_after": None, "unchanged": None} for row in whole["tensors"]]}
    (tmp_path / "run" / "freeze.json").write_text(json.dumps(unproved), encoding="utf-8")
    train(prepared, plain(), tmp_path / "run", freeze="encoder", resume=True)
    assert record(tmp_path / "run") == whole


GRADUAL = {"freeze": "gradual", "unfreeze_epochs": (1, 2), "epochs": 3}


@pytest.fixture(scope="module")
def gradual(prepared, tmp_path_factory):
    """A run that thawed two blocks, undisturbed: its folder and the weights that it ended with."""
    out, model = tmp_path_factory.mktemp("gradual") / "run", plain()
    train(prepared, model, out, **GRADUAL)
    return out, values(model)


def test_gradual_unfreezing_verifies_each_block_when_it_thaws(gradual):
    found = rows(gradual[0])
    assert all(row["unchanged"] for row in found.values())
    thawed = {path.split("_")[0]: row["thawed_after"] for path, row in found.items()}
    assert thawed == {"e1": None, "e2": 2, "d1": 1}


@pytest.mark.parametrize("epoch", [1, 2])
def test_gradual_unfreezing_goes_on_exactly_when_resumed(prepared, gradual, tmp_path, epoch):
    interrupted(prepared, plain(), tmp_path / "run", epoch, **GRADUAL)
    resumed = plain()
    train(prepared, resumed, tmp_path / "run", resume=True, **GRADUAL)
    assert kept(gradual[1], resumed) == set(gradual[1])
    assert record(tmp_path / "run") == record(gradual[0])


def test_weights_of_a_partly_frozen_nested_model_load_into_an_unfrozen_twin(prepared, tmp_path):
    model = network()
    train(prepared, model, tmp_path / "run", epochs=1, freeze="encoder")
    twin = network()
    twin.load_weights(tmp_path / "run" / "last.h5")
    assert kept(values(model), twin) == set(values(model))
    assert kept(values(twin), Run(tmp_path / "run", model=model).model("last")) == set(values(model))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"freeze": ("encoder", "decoder", "head")}, "left to train by encoder, decoder, head"),
        ({"freeze": "encodr"}, "means no layer"),
        ({"freeze": "gradual", "unfreeze_epochs": (3, 3)}, "rising numbers"),
        ({"freeze": "gradual", "unfreeze_epochs": (1, 2, 3, 4, 5)}, "blocks before its head"),
    ],
)
def test_freezing_that_cannot_be_is_refused_before_there_is_a_run(prepared, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        train(prepared, plain(), tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
