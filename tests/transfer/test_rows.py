import numpy as np
import pytest

from mstl._keras import keras
from mstl.models.bayesian_conv3d import BayesianConv3D
from mstl.models.tree import tensors_of
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.pairing import Match, Matches
from mstl.transfer.rows import facts_of, plan_row, unused_row
from tests.twins import write


def network(channels: int) -> keras.Model:
    image = keras.layers.Input((8, 8, 8, channels))
    return keras.Model(image, BayesianConv3D(2, 3, use_bias=False, name="conv")(image))


@pytest.fixture
def checkpoint(tmp_path):
    with Checkpoint.open(write(network(2), tmp_path, "save_weights.h5")) as opened:
        yield opened


def row_of(path: str, checkpoint: Checkpoint, *, channels: int = 2, source: str | None = None, **options):
    matches = Matches()
    if source is not None:
        matches[path] = Match(source, "a test")
    given = {"rules": ("error",), "axis": -2} | options
    return plan_row(tensors_of(network(channels))[path], matches, checkpoint, given["rules"], given["axis"])


def test_a_tensor_of_the_same_path_is_loaded_and_of_another_renamed(checkpoint):
    assert row_of("conv/kernel", checkpoint, source="conv/kernel").status == "load"
    assert row_of("conv/kernel", checkpoint, source="conv/log_variance").status == "renamed"


def test_without_a_source_a_kernel_is_missing_and_a_variance_kept(checkpoint):
    assert row_of("conv/kernel", checkpoint).status == "no source"
    assert row_of("conv/log_variance", checkpoint).status == "kept"


def test_another_shape_is_a_mismatch_or_adapted_by_a_rule(checkpoint):
    options = {"channels": 1, "source": "conv/kernel"}
    assert row_of("conv/kernel", checkpoint, **options).status == "shape mismatch"
    row = row_of("conv/kernel", checkpoint, **options, rules=("mean",))
    assert row.status == "adapted"
    assert row.change(np.ones((3, 3, 3, 2, 2))).shape == (3, 3, 3, 1, 2)


def test_what_goes_nowhere_is_unused_for_a_reason(checkpoint):
    row = unused_row(checkpoint.tensors["conv/kernel"], "out of scope")
    assert facts_of(row) == ("unused", None, "conv/kernel", None, (3, 3, 3, 2, 2), "out of scope")
