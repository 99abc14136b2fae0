import numpy as np
import pytest

from mstl._keras import keras
from mstl.models.tree import tensors_of
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.ordering import LayerShapes
from mstl.transfer.pairing import open_pairing
from tests.twins import FILES, write

layers = keras.layers


def recurrent():
    series = layers.Input((4, 2))
    return keras.Model(series, layers.Dense(1, name="out")(layers.Bidirectional(layers.GRU(2))(series)))


@pytest.mark.parametrize("file", FILES[:2])
def test_a_files_tensors_are_divided_as_the_models_are(tmp_path, file):
    model = recurrent()
    with Checkpoint.open(write(model, tmp_path, file)) as checkpoint:
        todo = open_pairing(checkpoint, model, tensors_of(model))
        assert [layer.shapes for layer in todo.open_sources()] == [layer.shapes for layer in todo.open_targets()]
        assert len(todo.open_sources()) == 2


def test_what_is_paired_is_no_longer_open_and_half_a_layer_is_none(tmp_path):
    model = recurrent()
    with Checkpoint.open(write(model, tmp_path, FILES[0])) as checkpoint:
        todo = open_pairing(checkpoint, model, tensors_of(model))
        todo.pair("out/kernel", "out/kernel", "a test")
        assert [layer.path.rpartition("_")[0] or layer.path for layer in todo.open_targets()] != ["out"]
        assert len(todo.open_sources()) == len(todo.open_targets()) == 1
        assert todo.found["out/kernel"].reason == "a test"


def test_only_names_that_someone_gave_are_kept(tmp_path):
    model = recurrent()
    with Checkpoint.open(write(model, tmp_path, FILES[0])) as checkpoint:
        todo = open_pairing(checkpoint, model, tensors_of(model))
        assert [layer.name for layer in todo.open_targets(named=True)] == [None, "out"]
        assert isinstance(todo.open_targets()[0], LayerShapes)
        assert all(np.prod(shape) for layer in todo.open_targets() for shape in layer.shapes)
