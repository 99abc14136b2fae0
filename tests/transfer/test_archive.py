import io
import json
import os
import pickle
import socket
import warnings
import zipfile

import numpy as np
import pytest

from mstl._keras import keras, tf
from mstl.errors import TransferError
from mstl.transfer.archive import weights_source
from mstl.transfer.checkpoint import Checkpoint
from tests.twins import Net, write


def refused(path):
    with pytest.raises(TransferError) as caught:
        Checkpoint.open(path)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def packed(path, members, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def network():
    return Net(4).build(names="own")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"hello, world", "not a format that weights are kept in"),
        (pickle.dumps({"conv.weight": [0.0]}, protocol=2), "a Python pickle, as old PyTorch files are"),
        (np.arange(300, dtype=np.uint64).tobytes(), "not a format"),
        (b"\x1f\x8b\x08\x00 gzip", "a gzip file"),
        (b"\x93NUMPY\x01\x00", "a NumPy array"),
        ((300).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}', "a safetensors file"),
        ((70_000).to_bytes(8, "little") + b'{"a":{"dtype":"F32"}}', "a safetensors file"),
        (b'model_checkpoint_path: "ckpt"', "the list of TensorFlow checkpoints"),
    ],
)
def test_what_is_not_hdf5_is_named(tmp_path, content, kind):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    assert kind in refused(path)


def test_a_pytorch_archive_is_named_and_nothing_in_it_is_run(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return open, (str(marker), "w")

    path = packed(tmp_path / "weights.h5", {"archive/data.pkl": pickle.dumps(Evil()), "archive/data/0": b"1234"})
    assert "a PyTorch file" in refused(path)
    assert not marker.exists()


def test_parts_of_a_tensorflow_checkpoint_are_named(tmp_path):
    saved = tf.train.Checkpoint(value=tf.Variable(1.0)).save(str(tmp_path / "model"))
    for part, kind in (("index", "the index of a TensorFlow checkpoint"), ("data-00000-of-00001", "not HDF5")):
        assert kind in refused(tmp_path / f"{saved.rsplit('/', 1)[1]}.{part}")
    assert "the list of TensorFlow checkpoints" in refused(tmp_path / "checkpoint")


def test_a_saved_model_is_named(tmp_path, network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tf.saved_model.save(tf.Module(), str(tmp_path / "saved"))
    assert "a folder, a TensorFlow SavedModel" in refused(tmp_path / "saved")
    assert "is a folder." in refused(tmp_path)


def test_what_is_neither_file_nor_folder_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    assert "is a named pipe, no file" in refused(tmp_path / "pipe.h5")
    assert "is a device, no file" in refused("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.h5"))
        assert "is a socket, no file" in refused(tmp_path / "s.h5")


def test_a_file_that_is_absent_or_may_not_be_read_is_refused(tmp_path, monkeypatch):
    assert "does not exist" in refused(tmp_path / "none.h5")
    path = tmp_path / "a.h5"
    path.write_bytes(b"")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", denied)
    assert "cannot be read (Permission denied)" in refused(path)


@pytest.mark.parametrize("file", ["save.h5", "keras3.keras"])
def test_a_file_cut_off_is_refused(tmp_path, network, file):
    path = write(network, tmp_path, file)
    content = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(content[: int(len(content) * share)])
        assert "damaged" in refused(path)


def test_an_archive_without_weights_is_refused(tmp_path):
    assert "a zip archive without Keras weights" in refused(packed(tmp_path / "a.keras", {"config.json": "{}"}))


def test_weights_that_are_no_hdf5_are_refused(tmp_path):
    assert "holds no HDF5 as model.weights.h5" in refused(packed(tmp_path / "a.keras", {"model.weights.h5": b"none"}))


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    members = {"model.weights.h5": bytes(50_000_000)}
    path = packed(tmp_path / "a.keras", members, compression=zipfile.ZIP_DEFLATED)
    assert "declares 50000000 bytes for model.weights.h5" in refused(path)


def test_a_packed_size_that_lies_is_refused(tmp_path):
    content = io.BytesIO()
    packed(content, {"model.weights.h5": bytes(5_000_000)}, compression=zipfile.ZIP_DEFLATED)
    path = tmp_path / "a.keras"
    path.write_bytes(content.getvalue().replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    assert "holds no HDF5" in refused(path) or "damaged" in refused(path)


def test_members_elsewhere_are_neither_read_nor_unpacked(tmp_path, network):
    inner = zipfile.ZipFile(write(network, tmp_path, "keras3.keras")).read("model.weights.h5")
    outside = tmp_path / "inside" / "a.keras"
    outside.parent.mkdir()
    refused(packed(outside, {"../model.weights.h5": inner, "/outside/model.weights.h5": inner}))
    assert [path.name for path in outside.parent.iterdir()] == ["a.keras"]


@pytest.mark.parametrize("config", ["[" * 100_000, "[]", "{", "null", json.dumps({"config": {"layers": [1, {}]}})])
def test_a_configuration_that_is_none_never_ends_in_a_traceback(tmp_path, network, config):
    inner = zipfile.ZipFile(write(network, tmp_path, "keras3.keras")).read("model.weights.h5")
    path = packed(tmp_path / "a.keras", {"model.weights.h5": inner, "config.json": config},
                  compression=zipfile.ZIP_DEFLATED)  # fmt: skip
    message = "damaged"
    try:
        with Checkpoint.open(path) as checkpoint:
            assert len(checkpoint) == len(network.weights)
    except TransferError as error:
        message = str(error)
    assert "damaged" in message
    assert len(message.splitlines()) == 1


def test_the_configuration_lies_beside_the_weights(tmp_path, network):
    source = weights_source(write(network, tmp_path, "keras3.keras"))
    assert source.config["class_name"] == "Functional"
    assert source.keras_version.startswith("2.")
    source.close()


@pytest.mark.parametrize("about", ["[]", '{"keras_version": 3}', '{"keras_version": "3\\n1"}', "{}"])
def test_a_version_that_is_none_is_not_told(tmp_path, network, about):
    inner = zipfile.ZipFile(write(network, tmp_path, "keras3.keras")).read("model.weights.h5")
    path = packed(tmp_path / "a.keras", {"model.weights.h5": inner, "metadata.json": about})
    source = weights_source(path)
    assert source.keras_version is None
    source.close()


def test_a_lambda_in_an_archive_is_never_run(tmp_path):
    marker = tmp_path / "ran"
    image = keras.layers.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.Lambda(lambda maps: maps)(image)))
    path = write(model, tmp_path, "keras3.keras")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"Lambda"', f'"open({str(marker)!r})"'.encode())
    with Checkpoint.open(packed(path, members)) as checkpoint:
        assert len(checkpoint) == 2
    assert not marker.exists()
