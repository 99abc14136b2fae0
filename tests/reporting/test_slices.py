"""Which slices are shown, and how grey."""
import numpy as np

from mstl.data.grid import Grid
from mstl.reporting.slices import bounding_box, foreground, pick_slices, shaded, slice_heights


def ball(depth=30):
    d, h, w = np.meshgrid(*(np.linspace(-1.2, 1.2, side) for side in (depth, 20, 22)), indexing="ij")
    return (d**2 + h**2 + w**2 < 1).astype(np.float32)


def test_slices_spread_over_the_lesions_and_hold_most_of_them():
    mask = np.zeros((30, 20, 22), bool)
    mask[4:26, 10, 10] = True
    mask[6, 5:15, 5:15] = True
    picked = pick_slices(ball(), [mask], count=4)
    assert len(set(picked)) == 4
    assert 6 in picked
    assert picked.min() < 10 < 20 < picked.max()


def test_slices_without_lesion_spread_over_the_head():
    picked = pick_slices(ball(), [], count=5)
    assert len(picked) == 5
    assert picked.min() >= 3
    assert picked.max() <= 27


def test_few_lesion_slices_are_filled_up_with_others():
    mask = np.zeros((30, 20, 22), bool)
    mask[9, 10, 10] = True
    picked = pick_slices(ball(), [mask], count=5)
    assert 9 in picked
    assert len(picked) == 5


def test_a_thin_volume_gives_the_slices_it_has():
    assert len(pick_slices(np.ones((2, 8, 8)), [np.ones((2, 8, 8))], count=5)) == 2


def test_background_amid_the_values_of_the_tissue_is_black():
    image = np.zeros((3, 8, 8), np.float32)
    image[:, 2:6, 2:6] = np.linspace(-2, 2, 16).reshape(4, 4)
    grey = shaded(image)
    assert not foreground(image)[0, 0].any()
    assert grey[0, 0, 0] == 0
    assert grey.max() == 1
    assert np.all(shaded(np.zeros((2, 4, 4))) == 0)


def test_bounding_box_stays_inside():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 1:11] = True
    assert bounding_box(mask, margin=2) == (0, 7, 0, 12)
    assert bounding_box(np.zeros((4, 5), bool), margin=1) == (0, 4, 0, 5)


def test_heights_are_world_mm_of_the_slice_middles():
    affine = np.array([[0, 0, -1, 9], [0, -1, 0, 9], [3.0, 0.5, 0, -10], [0, 0, 0, 1]])
    np.testing.assert_allclose(slice_heights(Grid((3, 5, 7), affine)), [-9, -6, -3])
