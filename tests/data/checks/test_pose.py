"""Poses: a mask that was mirrored, turned or shifted is brought back by the pose that fits."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.checks.foreground import find_foreground
from mstl.data.checks.pose import LEAST_VOXELS, Pose, fit_mask
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=3, scanner="quick", lesion_ml=8.0)


@pytest.fixture(scope="module")
def scans(phantom):
    return {name: (scan, find_foreground(scan)) for name, scan in phantom.images.items()}


def test_a_sound_mask_fits_as_it_lies(phantom, scans):
    fit = fit_mask(phantom.mask.data, scans)
    assert fit.contrast - fit.as_is < 0.1
    assert fit.as_is > 0.5
    assert all(contrast > 0 for contrast in fit.contrasts.values())


@pytest.mark.parametrize("pose", [
    Pose(flips=(0,)), Pose(flips=(2,)), Pose(flips=(0, 1)), Pose(order=(2, 1, 0)), Pose(shift=(3, -2, 1)),
])  # fmt: skip
def test_the_pose_that_undoes_a_displacement_is_found(phantom, scans, pose):
    fit = fit_mask(pose.move(phantom.mask.data), scans)
    back = fit.pose.move(pose.move(phantom.mask.data))
    assert np.mean(back[phantom.mask.data > 0]) > 0.95
    assert fit.as_is < fit.contrast - 0.5


def test_a_mirror_is_seen_without_flair(phantom, scans):
    fit = fit_mask(phantom.mask.data[::-1], {"t2": scans["t2"], "t1": scans["t1"]})
    assert fit.pose == Pose(flips=(0,))


def test_what_cannot_tell_gives_none(phantom, scans):
    tiny = np.zeros_like(phantom.mask.data)
    tiny.ravel(order="K")[np.flatnonzero(phantom.mask.data.ravel(order="K"))[: LEAST_VOXELS - 1]] = 1
    assert fit_mask(tiny, scans) is None
    assert fit_mask(np.zeros_like(tiny), scans) is None
    assert fit_mask(phantom.mask.data, {"t1ce": scans["t1"]}) is None
    assert fit_mask(phantom.mask.data, {}) is None
    speck = np.zeros(phantom.mask.data.shape, np.float32)
    speck[0, 0, 0] = 1e-3
    dark = Volume(speck, phantom.mask.affine)
    assert fit_mask(phantom.mask.data, {"flair": (dark, find_foreground(dark))}) is None


@given(axis=st.integers(0, 2), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_flip_is_its_own_inverse(axis, seed):
    mask = np.random.default_rng(seed).integers(0, 2, (4, 5, 6), dtype=np.uint8)
    pose = Pose(flips=(axis,))
    assert np.array_equal(pose.move(mask), np.flip(mask, axis))
    assert np.array_equal(pose.move(pose.move(mask)), mask)


def test_a_shift_loses_what_leaves_the_array():
    mask = np.ones((3, 3, 3), np.uint8)
    assert Pose(shift=(1, 0, -1)).move(mask).sum() == 12
    assert np.array_equal(Pose(order=(2, 1, 0)).move(mask), mask)
