import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.geometry3d import Deform, FlipAxis, centre_of
from mstl.data.transforms import augment_all
from mstl.errors import InputError

SHAPE = (12, 16, 14)


def volume_of(shape=SHAPE) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    mask = random.integers(0, 4, shape).astype(np.uint8)
    return {"volume": np.stack([mask, random.random(shape)], axis=-1).astype(np.float32), "mask3d": mask}


def changed(transform, data, seed=0) -> dict[str, np.ndarray]:
    return augment_all(A.Compose([transform]), data, seed=seed)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flip_is_its_own_inverse_and_moves_image_and_mask(axis):
    data = volume_of()
    once = changed(FlipAxis(axis, p=1), data)
    assert np.array_equal(once["mask3d"], np.flip(data["mask3d"], axis))
    assert np.array_equal(once["volume"][..., 0], once["mask3d"])
    twice = changed(FlipAxis(axis, p=1), once)
    assert all(np.array_equal(twice[name], data[name]) for name in data)


@pytest.mark.parametrize("transform", [FlipAxis(1, p=0), Deform(p=0), Deform(each=0)])
def test_probability_0_changes_nothing(transform):
    data = volume_of()
    assert all(np.array_equal(changed(transform, data)[name], data[name]) for name in data)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**40), elastic=st.sampled_from([0, 0.1]), degrees=st.sampled_from([0, 10]))
def test_a_lesion_stays_where_its_image_is(seed, elastic, degrees):
    data = {"volume": np.zeros((20, 20, 20, 1), np.float32), "mask3d": np.zeros((20, 20, 20), np.uint8)}
    data["volume"][6:13, 8:14, 7:12] = data["mask3d"][6:13, 8:14, 7:12, None] = 1
    result = changed(Deform(degrees, elastic=elastic, each=1), data, seed)
    image, mask = result["volume"][..., 0], result["mask3d"]
    assert mask.any()
    assert image[mask > 0].min() > 0
    assert image[mask == 0].max() < 1 - 1e-4
    assert np.abs(np.argwhere(image > 0.5).mean(0) - np.argwhere(mask).mean(0)).max() < 0.35


def test_masks_keep_their_values_and_shapes_theirs():
    data = volume_of()
    for seed in range(5):
        result = changed(Deform(each=1), data, seed)
        assert result["volume"].shape == data["volume"].shape
        assert result["volume"].dtype == np.float32
        assert result["mask3d"].dtype == np.uint8
        assert set(np.unique(result["mask3d"])) <= {0, 1, 2, 3}


def test_a_scale_above_1_enlarges():
    data = {"volume": np.zeros((20, 20, 20, 1), np.float32), "mask3d": np.zeros((20, 20, 20), np.uint8)}
    data["mask3d"][5:15, 5:15, 5:15] = 1
    larger = changed(Deform(0, scale=(1.4, 1.4), elastic=0, each=1), data)["mask3d"]
    assert larger.sum() == 14**3


def test_turns_are_right_where_voxels_are_no_cubes():
    matrix = Deform(spacing=(4, 1, 1))._matrix((0, 90, 0), 1)
    assert np.allclose(np.abs(matrix), [[0, 0, 0.25], [0, 1, 0], [4, 0, 0]], atol=1e-9)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 1, 1)])
def test_within_the_border_nothing_from_beyond_comes_in(spacing):
    sides = (8, 24, 16)
    deform = Deform(crop=sides, each=1, spacing=spacing)
    shape = np.add(sides, 2 * np.array(deform.border(sides)))
    data = {"volume": np.ones((*shape, 1), np.float32), "mask3d": np.ones(shape, np.uint8)}
    for seed in range(40):
        result = changed(deform, data, seed)
        assert result["mask3d"].shape == sides
        assert result["mask3d"].all()
        assert np.allclose(result["volume"], 1)


def test_neighbours_never_change_places():
    where = np.stack(np.meshgrid(*3 * [np.arange(40.0)], indexing="ij"), axis=-1).astype(np.float32)
    data = {"volume": where, "mask3d": np.ones((40, 40, 40), np.uint8)}
    for seed in range(4):
        bent = changed(Deform(0, scale=(1, 1), crop=(20, 20, 20), elastic=0.16, each=1), data, seed)["volume"]
        assert all(np.diff(bent[..., axis], axis=axis).min() > 0 for axis in range(3))


def test_the_window_in_the_middle_is_kept():
    assert np.array_equal(centre_of(np.arange(7).reshape(7, 1, 1), (3, 1, 1)).ravel(), [2, 3, 4])


@pytest.mark.parametrize("arguments", [
    {"degrees": -1}, {"scale": (1.2, 0.9)}, {"scale": (0, 1)}, {"elastic": -0.1}, {"each": 2},
])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(InputError, match=next(iter(arguments))):
        Deform(**arguments)
    with pytest.raises(InputError, match="axis is 3"):
        FlipAxis(3)
