"""Whole heads on one grid."""
import numpy as np
import pytest

from mstl.data.case import MR_MODALITIES as MODALITIES
from mstl.data.phantom import Phantom, make_phantom


@pytest.fixture(scope="module")
def head() -> Phantom:
    return make_phantom(seed=5, scanner="quick-skull", modalities=MODALITIES, lesion_ml=12)


@pytest.fixture(scope="module")
def brain() -> Phantom:
    return make_phantom(seed=5, scanner="quick", modalities=MODALITIES, lesion_ml=12)


def test_equal_seeds_give_equal_heads_whichever_other_modalities_are_made(head):
    again = make_phantom(seed=5, scanner="quick-skull", modalities=("t2",), lesion_ml=12)
    np.testing.assert_array_equal(again.images["t2"].data, head.images["t2"].data)
    np.testing.assert_array_equal(again.brain_mask.data, head.brain_mask.data)


def test_the_head_holds_the_brain_and_lesions_of_the_phantom_without_skull(head, brain):
    for whole, alone in ((head.brain_mask, brain.brain_mask), (head.mask, brain.mask)):
        positions = [
            np.round(np.argwhere(volume.data) @ volume.affine[:3, :3].T + volume.affine[:3, 3])
            for volume in (whole, alone)
        ]
        assert set(map(tuple, positions[0])) <= set(map(tuple, positions[1]))
        assert whole.data.sum() > 0.97 * alone.data.sum()


@pytest.mark.parametrize("modality", MODALITIES)
def test_air_is_dark_and_noisy_and_lies_around_the_head(head, modality):
    data = head.images[modality].data
    white = np.median(data[head.brain_mask.data > 0])
    edge = np.concatenate([data[:4, :, -30:].ravel(), data[-4:, :, -30:].ravel()])
    assert np.median(edge) < 0.12 * white
    assert len(np.unique(edge)) > 5


def test_fat_is_brighter_than_the_brain_and_bone_darker(head):
    from scipy import ndimage

    away = ndimage.distance_transform_edt(head.brain_mask.data == 0, sampling=head.mask.spacing)
    upper = np.zeros(away.shape, bool)
    upper[:, :, -40:-10] = True
    wall = head.images["t1"].data[upper & (away > 1) & (away < 18)]
    brain = np.median(head.images["t1"].data[head.brain_mask.data > 0])
    assert np.percentile(wall, 95) > 1.2 * brain
    assert np.percentile(wall, 15) < 0.5 * brain


def test_the_field_of_view_differs_from_head_to_head():
    shapes = {
        make_phantom(seed=seed, scanner="quick-skull", modalities=("flair",)).mask.shape for seed in (1, 2)
    }
    assert len(shapes) == 2
