"""Heads with skull: the order of tissues is told in a box below the top, and where there is none nothing is said."""
import numpy as np
import pytest

from mstl.data.checks.foreground import find_foreground
from mstl.data.checks.head import head_signals
from mstl.data.grid import oriented, resample
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume


@pytest.fixture(scope="module")
def images():
    return make_phantom(seed=2, scanner="quick-raw", modalities=("flair", "t1", "t2")).images


def signals(volume: Volume):
    return head_signals(volume, find_foreground(volume))


def test_tissues_come_in_the_order_of_their_modality(images):
    white, grey, fluid = signals(images["t1"])
    assert white > grey + 0.4
    assert grey > fluid
    pale, dull, fluid = signals(images["flair"])
    assert pale - dull < white - grey - 0.4
    assert min(pale, dull) > fluid
    white, grey, fluid = signals(images["t2"])
    assert fluid > grey > white


def test_neither_scale_nor_the_order_of_axes_matters(images):
    scan = images["t1"]
    grid = oriented(scan.grid, axes="PIR")
    turned = Volume(resample(np.asarray(scan.data, np.float32) * 2.5, scan.grid, grid), grid.affine)
    assert signals(turned) == pytest.approx(signals(scan), abs=0.1)


def test_a_head_without_its_top_and_what_is_no_head_say_nothing(images):
    scan = images["t1"]
    grid = oriented(scan.grid, axes="RAS")
    upright = resample(np.asarray(scan.data, np.float32), scan.grid, grid)
    assert signals(Volume(upright[..., : grid.shape[2] * 2 // 3].copy(), grid.affine)) is None
    assert signals(Volume(scan.data, scan.affine @ np.diag([0.5, 0.5, 0.5, 1]))) is None
    assert signals(Volume(np.random.default_rng(0).normal(100, 1, (30, 30, 30)), np.eye(4))) is None
    speck = np.zeros((40, 40, 40), np.float32)
    speck[20, 20, 20] = 1
    assert signals(Volume(speck, np.diag([4.0, 4, 4, 1]))) is None
