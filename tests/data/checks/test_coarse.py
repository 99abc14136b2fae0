"""Coarse volumes: the same head is known again, and which tissue is bright is told."""
import nibabel as nib
import numpy as np
import pytest

from mstl.data.checks.coarse import SIDE, details_of, shrink, tissue_signals
from mstl.data.checks.foreground import find_foreground
from mstl.data.grid import Grid, oriented, resample
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume


@pytest.fixture(scope="module")
def phantoms():
    return [make_phantom(seed=seed, scanner="quick").images for seed in (1, 2)]


def coarse(volume: Volume) -> np.ndarray:
    return shrink(volume, find_foreground(volume))


def likeness(first: Volume, second: Volume) -> float:
    return float(details_of(coarse(first)) @ details_of(coarse(second)))


def test_two_persons_differ_and_one_is_the_same(phantoms):
    assert likeness(phantoms[0]["t1"], phantoms[1]["t1"]) < 0.6
    assert likeness(phantoms[0]["t1"], phantoms[0]["t1"]) == pytest.approx(1)


@pytest.mark.parametrize("axes", ["LPS", "PIR"])
def test_neither_scale_nor_orientation_hides_a_copy(phantoms, axes):
    scan = phantoms[0]["t1"]
    grid = oriented(scan.grid, axes=axes)
    copy = Volume(resample(np.asarray(scan.data, np.float32) * 3.7, scan.grid, grid), grid.affine)
    assert likeness(scan, copy) > 0.99


def test_a_coarser_grid_does_not_hide_a_copy(phantoms):
    scan = phantoms[0]["t1"]
    grid = Grid((70, 84, 70), scan.affine @ np.diag([90 / 70, 108 / 84, 90 / 70, 1]))
    data = resample(np.asarray(scan.data, np.float32), scan.grid, grid)
    assert likeness(scan, Volume(np.where(data < 1, 0, data), grid.affine)) > 0.75


def test_tissues_come_in_the_order_of_their_modality(phantoms):
    white, grey, fluid = tissue_signals(coarse(phantoms[0]["t1"]))
    assert white > grey > fluid
    white, grey, fluid = tissue_signals(coarse(phantoms[0]["t2"]))
    assert fluid > max(white, grey)
    white, grey, fluid = tissue_signals(coarse(phantoms[0]["flair"]))
    assert min(white, grey) > fluid


def test_a_scan_too_small_to_shrink_gives_none():
    data = np.zeros((30, 30, 30), np.float32)
    data[10:20, 10:20, 10:20] = 5
    assert coarse(Volume(data, np.eye(4))) is None
    assert coarse(Volume(np.pad(np.ones((SIDE,) * 3), 8), nib.affines.from_matvec(np.eye(3)))) is not None
