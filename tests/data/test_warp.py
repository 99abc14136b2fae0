import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mstl.data import warp as module
from mstl.data.warp import Warp

SHAPE = (20, 26, 17)


def turned(seed: int, *, shape=SHAPE, sides=(18, 11, 9), bent=True) -> Warp:
    random = np.random.default_rng(seed)
    matrix = Rotation.from_euler("xyz", random.uniform(-20, 20, 3), degrees=True).as_matrix() / random.uniform(0.8, 1.2)
    return Warp(matrix, random.uniform(-2, 2, (3, 6, 6, 6)) if bent else None, shape, sides)


def all_of(warp: Warp) -> tuple[slice, slice, slice]:
    return tuple(slice(0, side) for side in warp.sides)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), channels=st.integers(1, 6), bent=st.booleans())
def test_views_are_those_of_scipy(seed, channels, bent):
    warp = turned(seed, bent=bent)
    volume = np.random.default_rng(seed).random((*SHAPE, channels)).astype(np.float32)
    mask = (volume[..., 0] * 5).astype(np.uint8)
    places = warp.coordinates(all_of(warp))
    inside = np.all([(place >= 0) & (place <= side - 1) for place, side in zip(places, SHAPE, strict=True)], axis=0)
    expected = np.stack([
        ndimage.map_coordinates(volume[..., channel], places, order=1) for channel in range(channels)
    ], axis=-1)
    assert np.allclose(warp.linear(volume)[inside], expected[inside], atol=1 / 32)
    nearest = np.rint(places[:, inside]).astype(int)
    assert np.array_equal(warp.nearest(mask)[inside], mask[tuple(nearest)])


def test_image_and_mask_are_taken_from_the_same_places():
    """An image that holds where its voxels lie says, after the warp, which voxel of the mask belongs there."""
    warp = turned(4, sides=(10, 12, 8), bent=True)
    where = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1).astype(np.float32)
    mask = np.random.default_rng(0).integers(1, 200, SHAPE).astype(np.uint8)
    seen, labels = warp.linear(where), warp.nearest(mask)
    clear = (labels > 0) & (np.abs(seen - np.rint(seen)) < 0.45).all(axis=-1)
    clear &= ((seen > 0) & (seen < np.array(SHAPE) - 1)).all(axis=-1)
    assert clear.sum() > 300
    assert np.array_equal(labels[clear], mask[tuple(np.rint(seen[clear]).astype(int).T)])


def test_beyond_the_volume_all_is_zero():
    warp = Warp(np.eye(3), None, (4, 4, 4), (8, 10, 6))
    for view in (warp.linear(np.ones((4, 4, 4, 2), np.float32))[..., 1], warp.nearest(np.ones((4, 4, 4), np.uint8))):
        assert view.sum() == 64
        assert view[2:6, 3:7, 1:5].all()


def test_the_middle_of_the_volume_is_the_middle_of_the_view():
    volume = np.random.default_rng(0).random((9, 8, 7, 1)).astype(np.float32)
    assert np.allclose(Warp(np.eye(3), None, (9, 8, 7), (5, 4, 3)).linear(volume), volume[2:7, 2:6, 2:5], atol=1e-6)


@pytest.mark.parametrize("limit", [60, 150])
def test_blocks_that_opencv_cannot_take_at_once_are_cut(monkeypatch, limit):
    warp = turned(1)
    volume = np.random.default_rng(0).random((*SHAPE, 2)).astype(np.float32)
    whole = warp.linear(volume)
    monkeypatch.setattr(module, "OPENCV_ROWS", limit)
    assert np.allclose(warp.linear(volume), whole, atol=1e-4)
