"""Prepared grids run from inferior, anterior, right, with the brain in the middle; MNI boxes are the same for all."""
import nibabel as nib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from mstl.data.grid import Grid, resample
from mstl.data.mni import template
from mstl.data.preparation import Preparation
from mstl.data.target_grid import mni_grid, native_grid
from mstl.errors import InputError


def preparation(**parameters) -> Preparation:
    return Preparation(modalities=("flair",), **parameters)


@pytest.fixture
def brain() -> tuple[Grid, np.ndarray]:
    """A scan of 40 x 50 x 30 voxels with a brain of 20 x 24 x 10 in a corner."""
    inside = np.zeros((40, 50, 30), bool)
    inside[2:22, 20:44, 15:25] = True
    return Grid(inside.shape, np.diag([-1.0, 1.0, 2.0, 1.0])), inside


def test_the_box_is_turned_and_has_the_brain_in_its_middle(brain):
    grid = native_grid(*brain, preparation())
    assert nib.aff2axcodes(grid.affine) == ("S", "P", "L")
    assert grid.shape == (10, 32, 32)
    inside = resample(brain[1].view(np.uint8), brain[0], grid, nearest=True)
    assert inside.sum() == brain[1].sum()
    assert_allclose(np.argwhere(inside).mean(0), (np.array(grid.shape) - 1) / 2, atol=0.5)


def test_spacing_and_shape_are_met(brain):
    grid = native_grid(*brain, preparation(spacing=2, shape=(16, 32, 48)))
    assert grid.shape == (16, 32, 48)
    assert_allclose(grid.spacing, (2, 2, 2))


def test_a_brain_that_does_not_fit_is_an_error_that_says_how_large_it_is(brain):
    with pytest.raises(InputError, match=r"spans \(10, 24, 20\) voxels .*requested shape \(10, 20, 20\)"):
        native_grid(*brain, preparation(shape=(10, 20, 20)))


def test_a_spacing_that_no_memory_holds_is_refused(brain):
    with pytest.raises(InputError, match="coarser --spacing"):
        native_grid(*brain, preparation(spacing=0.01))


@pytest.mark.parametrize(("spacing", "shape"), [(None, None), (2, None), (1, (192, 224, 192))])
def test_the_box_of_mni_space_holds_the_whole_template(spacing, shape):
    grid = mni_grid(preparation(spacing=spacing, shape=shape))
    assert nib.aff2axcodes(grid.affine) == ("S", "P", "L")
    assert grid.shape == shape or all(side % 32 == 0 for side in grid.shape[1:])
    inside = (template().data > 0).view(np.uint8)
    within = resample(np.ones(grid.shape, np.uint8), grid, template().grid, nearest=True)
    assert np.count_nonzero(inside & (within == 0)) == 0
