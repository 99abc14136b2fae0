import base64
import json
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import TransferError
from mstl.models.pix2pix import discriminator, generator
from mstl.models.tree import tensors_of
from mstl.models.unet2d import unet_resnet34
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.plan import plan_transfer, transfer_weights
from tests.twins import FILES, Net, randomise, write

layers = keras.layers

OUTPUTS = 1e-5  # relative, to the largest output
GENERATED = 1e-4  # absolute, as the fixtures allow for generators
ARRAYS = {
    "pix2pix_gen_div16_model": "pix2pix_gen_div16_weights",
    "pix2pix_gen_div16_model_noopt": "pix2pix_gen_div16_weights",
    "pix2pix_gen_div16_weights": "pix2pix_gen_div16_weights",
    "unet2d_c4_base_model": "unet2d_c4_base",
    "unet2d_c4_base_weights": "unet2d_c4_base",
    "unet2d_c4_frozen_model": "unet2d_c4_frozen",
    "unet3d_c4_base_model": "unet3d_c4_base",
    "unet3d_c4_base_weights": "unet3d_c4_base",
    "nested_tfkeras114_model": "nested_tfkeras114",
    "nested_tfkeras114_weights": "nested_tfkeras114",
}


@pytest.fixture(scope="module")
def old(shared):
    """The folder of files that the frameworks of 2021 wrote."""
    return shared / "fixtures" / "keras-2021"


def unet(dims):
    """The four-class U-Net of the fixtures, with automatic names."""
    conv = layers.Conv3D if dims == 3 else layers.Conv2D
    pool = layers.MaxPooling3D if dims == 3 else layers.MaxPooling2D

    def block(maps, filters):
        for _ in range(2):
            maps = layers.BatchNormalization()(conv(filters, 3, padding="same")(maps))
            maps = layers.Activation("relu")(maps)
        return maps

    image = layers.Input((32, 32, 32, 1) if dims == 3 else (64, 64, 2))
    first = block(image, 8)
    second = block(pool(2)(first), 16)
    maps = layers.Dropout(0.2)(block(pool(2)(second), 24 if dims == 3 else 32))
    for skip, filters in ((second, 16), (first, 8)):
        if dims == 3:
            up = layers.Conv3DTranspose(filters, 2, strides=2, padding="same")(maps)
        else:
            up = conv(filters, 2, padding="same", activation="relu")(layers.UpSampling2D(2)(maps))
        maps = block(layers.Concatenate()([skip, up]), filters)
    return keras.Model(image, conv(4, 1, activation="softmax")(maps))


def nested():
    """The stand-in for a segmentation-models U-Net behind a 1x1 convolution."""
    def norm(maps, name, **options):
        return layers.ReLU()(layers.BatchNormalization(name=name, **options)(maps))

    def conv(maps, filters, name, **options):
        return layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name, **options)(maps)

    data = layers.Input((None, None, 3), name="data")
    first = layers.BatchNormalization(scale=False, name="bn_data")(data)
    first = norm(conv(first, 8, "conv0", strides=2), "bn0")
    maps = norm(conv(layers.MaxPooling2D(2)(first), 16, "stage1_unit1_conv1"), "stage1_unit1_bn1")
    maps = layers.Concatenate()([layers.UpSampling2D(2)(maps), first])
    maps = norm(conv(maps, 8, "decoder_stage0a_conv"), "decoder_stage0a_bn")
    maps = layers.Conv2D(1, 3, padding="same", name="final_conv")(layers.UpSampling2D(2)(maps))
    inner = keras.Model(data, layers.Activation("sigmoid")(maps), name="model_1")
    image = layers.Input((None, None, 1))
    return keras.Model(image, inner(layers.Conv2D(3, 1, name="conv2d")(image)))


def composite():
    image = layers.Input((192, 192, 1))
    made = generator(width=4)(image)
    return keras.Model(image, [discriminator(width=4)([image, made]), made])


def difference(ours, theirs):
    return float(np.abs(ours - theirs).max())


@pytest.mark.parametrize("file", ARRAYS)
def test_every_array_of_an_old_file_is_read_to_the_bit(old, file):
    with np.load(old / f"{ARRAYS[file]}.npz") as stored, Checkpoint.open(old / f"{file}.h5") as checkpoint:
        known = {name.removeprefix("w/"): stored[name] for name in stored if "/" in name}
        assert set(checkpoint.tensors) == set(known)
        for path, tensor in checkpoint.tensors.items():
            assert np.array_equal(tensor.read(), known[path])
            assert tensor.norm == pytest.approx(np.linalg.norm(known[path].astype(np.float64)), rel=1e-5)


def test_old_files_tell_their_version_classes_and_training(old):
    with Checkpoint.open(old / "unet2d_c4_base_model.h5") as checkpoint:
        assert (checkpoint.format, checkpoint.keras_version, checkpoint.backend) == (
            "Keras 2 model", "2.3.1", "tensorflow")  # fmt: skip
        assert checkpoint.layers["conv2d_1"] == "Conv2D"
        assert checkpoint.training_config["loss"] == "soft_dice_loss"
        assert checkpoint.parameters == sum(np.prod(tensor.shape) for tensor in checkpoint.tensors.values())


def test_a_generator_called_in_training_mode_is_noted(old):
    with Checkpoint.open(old / "pix2pix_gen_div16_model.h5") as checkpoint:
        assert "training=True" in checkpoint.notes[0]


@pytest.mark.parametrize(
    ("file", "arrays", "dims"),
    [("unet2d_c4_base_model", "unet2d_c4_base", 2), ("unet2d_c4_base_weights", "unet2d_c4_base", 2),
     ("unet2d_c4_frozen_model", "unet2d_c4_frozen", 2), ("unet3d_c4_base_model", "unet3d_c4_base", 3),
     ("unet3d_c4_base_weights", "unet3d_c4_base", 3)],
)  # fmt: skip
def test_rebuilt_unets_reproduce_the_old_outputs(old, file, arrays, dims):
    model = randomise(unet(dims), seed=0)
    transfer_weights(old / f"{file}.h5", model)
    with np.load(old / f"{arrays}.npz") as stored:
        assert difference(model.predict(stored["x"], verbose=0), stored["y"]) < OUTPUTS * stored["y"].max()


@pytest.mark.parametrize("file", ["nested_tfkeras114_model", "nested_tfkeras114_weights"])
def test_a_rebuilt_nested_model_reproduces_the_old_outputs(old, file):
    model = nested()
    transfer_weights(old / f"{file}.h5", model)
    with np.load(old / "nested_tfkeras114.npz") as stored:
        assert difference(model.predict(stored["x"], verbose=0), stored["y"]) < OUTPUTS * stored["y"].max()


def test_the_nested_model_alone_takes_its_part_of_the_file(old):
    inner = nested().get_layer("model_1")
    transfer_weights(old / "nested_tfkeras114_weights.h5", inner)
    with np.load(old / "nested_tfkeras114.npz") as stored:
        assert difference(inner.predict(stored["x3"], verbose=0), stored["y_inner"]) < OUTPUTS


@pytest.mark.parametrize("file", ["model", "model_noopt", "weights"])
def test_the_rebuilt_generator_reproduces_the_old_outputs(old, file):
    model = generator(width=4)
    transfer_weights(old / f"pix2pix_gen_div16_{file}.h5", model)
    with np.load(old / "pix2pix_gen_div16_io.npz") as stored:
        both = model.predict(stored["x"], batch_size=2, verbose=0)
        single = model.predict(stored["x"], batch_size=1, verbose=0)
        assert difference(both, stored["y_predict_batch2"]) < GENERATED
        assert difference(single, stored["y_predict_single"]) < GENERATED


def test_the_generator_with_moving_statistics_gives_the_outputs_of_those(old):
    model = generator(width=4, norm_mode="moving")
    transfer_weights(old / "pix2pix_gen_div16_model.h5", model)
    with np.load(old / "pix2pix_gen_div16_io.npz") as stored:
        assert difference(model.predict(stored["x"], verbose=0), stored["y_moving_stats"]) < GENERATED


def test_the_rebuilt_composite_reproduces_both_old_outputs(old):
    model = composite()
    transfer_weights(old / "gan_composite_div16_model.h5", model)
    with np.load(old / "gan_composite_div16_io.npz") as stored:
        patch, image = model.predict(stored["x"], batch_size=2, verbose=0)
        assert difference(image, stored["y_image"]) < GENERATED
        assert difference(patch, stored["y_patch"]) < GENERATED


@pytest.mark.parametrize(("name", "count"), [("generator", 60), ("discriminator", 28)])
def test_a_part_of_the_composite_is_taken_out_of_it(old, name, count):
    model = {"generator": generator, "discriminator": discriminator}[name](width=4)
    report = transfer_weights(old / "gan_composite_div16_model.h5", model)
    assert report.counts["renamed"] == len(model.weights) == count


@pytest.mark.parametrize(
    ("kind", "stem", "count"), [("wrapped_weights", "conv1x1", 230), ("wrapped_model", "conv1x1", 230),
                                ("plain_weights", "direct", 228)],
)  # fmt: skip
def test_files_of_segmentation_models_of_2021_fill_todays_unet(old, tmp_path, kind, stem, count):
    structure = json.loads((old / "sm_unet_resnet34_h5_structure.json").read_text())[kind]
    path = tmp_path / "weights.h5"
    write_structure(path, structure)
    model = unet_resnet34(channels=1 if stem == "conv1x1" else 3, stem=stem)
    report = transfer_weights(path, model)
    assert report.counts["load"] + report.counts["renamed"] == len(model.weights) == count
    assert not report.counts["unused"]


def write_structure(path, structure):
    """A file of the names and shapes of one of 2021; numbers are rising, to be few on disk and unlike."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if "model_weights" in structure["file_keys"] else file
        root.attrs["layer_names"] = [name.encode() for name in structure["layer_names"]]
        for layer in structure["layer_names"]:
            group, weights = root.create_group(layer), structure["weights"].get(layer, [])
            group.attrs["weight_names"] = [name.encode() for name, _ in weights]
            for name, shape in weights:
                group[name] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize("file", [file for file in FILES if file != "keras3.weights.h5"])
def test_what_keras_writes_is_read_with_the_models_own_paths(tmp_path, file):
    model = randomise(Net(5, depth=1).build(names="own"), seed=1)
    with Checkpoint.open(write(model, tmp_path, file)) as checkpoint:
        ours = tensors_of(model)
        assert set(checkpoint.tensors) == set(ours)
        for path, tensor in checkpoint.tensors.items():
            assert np.array_equal(tensor.read(), ours[path].value.numpy())


def test_weights_of_keras_3_without_a_model_are_named_by_class_and_number(tmp_path):
    model = randomise(Net(5, depth=1).build(names="own"), seed=1)
    with Checkpoint.open(write(model, tmp_path, "keras3.weights.h5")) as checkpoint:
        assert checkpoint.tensors["functional/conv2d_1/kernel"].place == "functional/conv2d_1"
        assert len(checkpoint) == len(model.weights)


def test_tensors_are_hashed_as_stored_and_cannot_be_read_when_closed(tmp_path):
    path = write(Net(1).build(names="own"), tmp_path, "save_weights.h5")
    with Checkpoint.open(path) as checkpoint:
        tensor = next(iter(checkpoint.tensors.values()))
        assert len(tensor.sha256) == 64
        assert len(checkpoint) == len(checkpoint.tensors)
    with pytest.raises(TransferError, match="closed"):
        tensor.read()


@pytest.mark.parametrize("use", [
    Checkpoint.to_frame, Checkpoint.rows, Checkpoint.to_dict, lambda checkpoint: checkpoint.parameters,
    lambda checkpoint: plan_transfer(checkpoint, Net(1).build(names="own")),
    lambda checkpoint: plan_transfer(checkpoint, Net(1).build(names="own"), match="order"),
])  # fmt: skip
def test_a_closed_checkpoint_says_so_whatever_is_asked_of_it(tmp_path, use):
    with Checkpoint.open(write(Net(1).build(names="own"), tmp_path, "save.h5")) as checkpoint:
        pass
    with pytest.raises(TransferError, match=r"^save\.h5 is closed\. Open it again\.$"):
        use(checkpoint)
    assert repr(checkpoint) == "<Checkpoint save.h5, closed>"


def test_numbers_that_json_has_not_become_none(tmp_path):
    model = Net(1).build(names="own")
    model.weights[0].assign(np.full(model.weights[0].shape, np.nan))
    path = write(model, tmp_path, "save.h5")
    deep = "[" * 200 + "]" * 200
    with h5py.File(path, "r+") as file:
        file.attrs["training_config"] = f'{{"loss_weights": [NaN, 1e999, 0.5], "metrics": {deep}}}'
    with Checkpoint.open(path) as checkpoint:
        account = json.loads(json.dumps(checkpoint.to_dict(values=True), allow_nan=False))
        assert np.isnan(checkpoint.rows(values=True)[0]["norm"])
    assert account["tensors"][0]["norm"] is None
    assert account["tensors"][1]["norm"] >= 0
    assert account["training_config"]["loss_weights"] == [None, None, 0.5]


@pytest.mark.parametrize("file", ["save.h5", "keras3.keras"])
def test_version_and_training_of_a_whole_model_are_told(tmp_path, file):
    model = Net(1).build(names="own")
    model.compile("adam", "mse")
    with Checkpoint.open(write(model, tmp_path, file)) as checkpoint:
        assert checkpoint.keras_version.startswith("2.")
        assert checkpoint.training.lower() == "optimizer adam, loss mse"
        assert f", Keras {checkpoint.keras_version}," in checkpoint.summary


def test_reading_a_checkpoint_takes_no_tensorflow():
    code = "import sys, mstl.transfer.checkpoint; sys.exit(not {'tensorflow', 'tf_keras'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
@pytest.mark.parametrize("file", FILES)
def test_other_floats_are_read_and_cast(tmp_path, dtype, file):
    def build(kind):
        image = layers.Input((4, 4, 1), dtype=kind)
        return keras.Model(image, layers.Conv2D(2, 3, dtype=kind, name="only")(image))

    source, target = build(dtype), build("float32")
    report = transfer_weights(write(source, tmp_path, file), target)
    assert np.array_equal(target.get_weights()[0], source.get_weights()[0].astype(np.float32))
    assert f"{dtype} to float32" in report.rows[0].reason


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


def test_a_lambda_and_a_pickle_in_the_configuration_are_never_run(tmp_path):
    marker, path = tmp_path / "ran", tmp_path / "evil.h5"
    model = Net(1).build(names="own")
    write(model, tmp_path, "save.h5").rename(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        code = f"open({str(marker)!r}, 'w')"
        evil = {"name": "evil", "function_type": "lambda", "function": [f"lambda x: {code}", None, None]}
        evil["pickle"] = base64.b64encode(pickle.dumps(Evil(marker))).decode()
        config["config"]["layers"].append(
            {"class_name": "Lambda", "name": "evil", "inbound_nodes": [], "config": evil}
        )
        file.attrs["model_config"] = json.dumps(config)
    transfer_weights(path, Net(1).build(names="own"))
    transfer_weights(path, Net(1).build(names="own"), match="order")
    assert not marker.exists()
