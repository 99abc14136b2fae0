"""Grids: voxels keep their place in the world, whichever way an array is stored."""
import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from mstl.data.grid import Grid, check_same_grid, oriented, resample, respaced
from mstl.errors import InputError

SIDES = st.tuples(*[st.integers(2, 9)] * 3)
SPACINGS = st.tuples(*[st.floats(0.4, 6)] * 3)
ORIGINS = st.tuples(*[st.floats(-200, 200)] * 3)
AXES = st.permutations(["RL", "AP", "SI"]).flatmap(lambda pairs: st.tuples(*map(st.sampled_from, pairs)))


@st.composite
def aligned(draw) -> Grid:
    """A grid whose axes run along the world's, in any order and direction."""
    axes, spacing = draw(AXES), draw(SPACINGS)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = draw(ORIGINS)
    for column, (axis, mm) in enumerate(zip(axes, spacing, strict=True)):
        affine["RASLPI".index(axis) % 3, column] = mm if axis in "RAS" else -mm
    return Grid(draw(SIDES), affine)


@st.composite
def oblique(draw) -> Grid:
    """A grid turned by any angles."""
    grid = draw(aligned())
    angles = draw(st.tuples(*[st.floats(-180, 180)] * 3))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    return Grid(grid.shape, turn @ grid.affine)


GRIDS = aligned() | oblique()


def random(grid: Grid, dtype=np.float32, *, order: str = "C") -> np.ndarray:
    rng = np.random.default_rng(sum(grid.shape))
    return np.asarray(rng.integers(0, 200, grid.shape), dtype=dtype, order=order)


def corners(grid: Grid) -> np.ndarray:
    """World positions of the outer corners `(8, 3)`, sorted."""
    index = np.array(np.meshgrid(*[(-0.5, side - 0.5) for side in grid.shape])).reshape(3, -1)
    points = (grid.affine[:3, :3] @ index).T + grid.affine[:3, 3]
    return points[np.lexsort(points.round(3).T)]


@settings(max_examples=40, deadline=None)
@given(grid=GRIDS, axes=AXES.map("".join), order=st.sampled_from("CF"))
def test_orienting_and_going_back_is_the_identity(grid, axes, order):
    for dtype, nearest in ((np.uint8, True), (np.float32, False), (np.int16, False)):
        data = random(grid, dtype, order=order)
        there = oriented(grid, axes=axes)
        back = resample(resample(data, grid, there, nearest=nearest), there, grid, nearest=nearest)
        assert back.dtype == dtype
        np.testing.assert_allclose(back, data, atol=0 if dtype != np.float32 else 1e-3)


@settings(max_examples=60, deadline=None)
@given(grid=aligned(), axes=AXES.map("".join))
def test_an_aligned_grid_is_oriented_as_nibabel_does(grid, axes):
    there = oriented(grid, axes=axes)
    assert "".join(nib.aff2axcodes(there.affine)) == axes
    image = nib.Nifti1Image(random(grid), grid.affine)
    wanted = image.as_reoriented(
        nib.orientations.ornt_transform(
            nib.io_orientation(grid.affine), nib.orientations.axcodes2ornt(axes)
        )
    )
    np.testing.assert_allclose(there.affine, wanted.affine, atol=1e-4)
    np.testing.assert_array_equal(resample(random(grid), grid, there, nearest=True), wanted.get_fdata())


@settings(max_examples=60, deadline=None)
@given(grid=GRIDS, axes=AXES.map("".join))
def test_orienting_keeps_the_place_and_the_size_of_every_voxel(grid, axes):
    there = oriented(grid, axes=axes)
    assert sorted(there.shape) == sorted(grid.shape)
    np.testing.assert_allclose(sorted(there.spacing), sorted(grid.spacing), atol=1e-9)
    np.testing.assert_allclose(corners(there), corners(grid), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(grid=GRIDS, spacing=SPACINGS)
def test_a_respaced_grid_covers_the_old_field_of_view_from_the_same_edge(grid, spacing):
    new = respaced(grid, spacing)
    np.testing.assert_allclose(new.spacing, spacing, atol=2e-3)
    first = new.affine @ [-0.5, -0.5, -0.5, 1]
    np.testing.assert_allclose(first, grid.affine @ [-0.5, -0.5, -0.5, 1], atol=1e-6)
    beyond = np.array(new.shape) * new.spacing - np.array(grid.shape) * grid.spacing
    assert np.all(beyond > -1e-3 * np.array(new.spacing))
    assert np.all(beyond < np.array(new.spacing))


@settings(max_examples=30, deadline=None)
@given(grid=GRIDS, noise=st.tuples(*[st.floats(-9e-4, 9e-4)] * 3))
def test_equal_spacing_keeps_the_lattice(grid, noise):
    new = respaced(grid, tuple(np.add(grid.spacing, noise)))
    assert new.shape == grid.shape
    np.testing.assert_allclose(new.affine, grid.affine, atol=1e-9)


def test_halving_the_spacing_doubles_the_shape():
    new = respaced(Grid((4, 5, 6), np.diag([2.0, 3.0, 1.0, 1.0])), (1.0, 1.5, 0.5))
    assert new.shape == (8, 10, 12)
    np.testing.assert_allclose(new.affine[:3, 3], (-0.5, -0.75, -0.25))


@settings(max_examples=40, deadline=None)
@given(source=oblique(), spacing=SPACINGS, order=st.sampled_from("CF"))
def test_resampling_agrees_with_scipy_inside_the_field_of_view(source, spacing, order):
    target = respaced(oriented(source, axes="SPL"), spacing)
    index = np.indices(target.shape).reshape(3, -1)
    voxel = np.linalg.inv(source.affine) @ target.affine @ np.vstack([index, np.ones(index.shape[1])])
    inside = np.all((voxel[:3] >= 0) & (np.array(source.shape)[:, None] - 1 >= voxel[:3]), axis=0)
    data = random(source, order=order)
    wanted = map_coordinates(data, voxel[:3], order=1, mode="nearest")
    found = resample(data, source, target)
    assert found.shape == target.shape
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found.ravel()[inside], wanted[inside], atol=0.05)


def test_a_sheared_grid_is_resampled_too():
    sheared = np.array([[1, 0.3, 0, 5], [0, 1, 0.1, 0], [0, 0, 2, 0], [0, 0, 0, 1.0]])
    grid = Grid((9, 8, 7), sheared)
    there = oriented(grid, axes="SPL")
    assert there.shape == (7, 8, 9)
    back = resample(resample(random(grid), grid, there), there, grid)
    np.testing.assert_allclose(back, random(grid), atol=1e-5)


def test_outside_the_field_of_view_is_zero():
    grid = Grid((3, 4, 5), np.diag([1.0, 2.0, 3.0, 1.0]))
    padded = resample(random(grid) + 1, grid, grid.moved((-2, -1, -3), (7, 7, 9)))
    np.testing.assert_array_equal(padded, np.pad(random(grid) + 1, ((2, 2), (1, 2), (3, 1))))


def test_a_moved_grid_begins_at_that_voxel():
    grid = Grid((5, 6, 7), np.diag([1.0, 2.0, 3.0, 1.0]))
    part = grid.moved((1, 2, 3), (2, 2, 2))
    np.testing.assert_array_equal(resample(random(grid), grid, part), random(grid)[1:3, 2:4, 3:5])
    assert not grid.affine[:3, 3].any()  # the first grid is as it was


def test_nearest_makes_no_value_that_was_not_there():
    source = Grid((8, 8, 8), np.diag([1.3, 1.1, 0.7, 1.0]))
    labels = np.where(random(source) > 100, 4, 1).astype(np.uint8)
    found = resample(labels, source, respaced(source, (0.5, 0.8, 1.2)), nearest=True)
    assert set(np.unique(found)) <= {0, 1, 4}


def test_grids_that_agree_within_a_thousandth_of_a_mm_are_the_same():
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    near, far = affine.copy(), affine.copy()
    near[0, 3], far[0, 3] = 9e-4, 0.25
    check_same_grid(Grid((4, 5, 6), near), Grid((4, 5, 6), affine), names=("a.nii", "b.nii"))
    with pytest.raises(InputError, match=r"a\.nii and b\.nii .*affines differ by 0\.25 mm.*resample one"):
        check_same_grid(Grid((4, 5, 6), far), Grid((4, 5, 6), affine), names=("a.nii", "b.nii"))
    with pytest.raises(InputError, match=r"shape \(4, 5, 6\) against \(4, 5, 7\)"):
        check_same_grid(Grid((4, 5, 6), affine), Grid((4, 5, 7), affine), names=("a.nii", "b.nii"))
