import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.augment3d import AUGMENTATIONS_3D, augment_volume, augmentation_3d, border_of, strong_3d
from mstl.data.geometry3d import Deform, FlipAxis
from mstl.errors import InputError

SIDES = (12, 16, 14)


def pair(shape=SIDES, channels=2):
    random = np.random.default_rng(0)
    image = random.standard_normal((*shape, channels)).astype(np.float32)
    image[:3] = 0
    return image, random.integers(0, 4, shape).astype(np.uint8)


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(["flips", "strong"]), seed=st.integers(0, 2**40))
def test_a_result_is_a_function_of_the_seed(name, seed):
    image, mask = pair()
    results = [augment_volume(augmentation_3d(name), image, mask, seed=seed, sides=SIDES) for _ in range(2)]
    assert all(np.array_equal(left, right) for left, right in zip(*results, strict=True))
    changed, labels = results[0]
    assert changed.shape == image.shape
    assert changed.dtype == np.float32
    assert labels.dtype == np.uint8
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("name", ["flips", "strong"])
def test_seeds_differ(name):
    image, mask = pair()
    results = {augment_volume(augmentation_3d(name), image, mask, seed=seed, sides=SIDES)[0].tobytes()
               for seed in range(16)}
    assert len(results) > 6


def test_background_stays_zero_where_only_the_intensity_changes():
    image, mask = pair()
    intensity = A.Compose(strong_3d().transforms[2:])
    for seed in range(12):
        changed, same = augment_volume(intensity, image, mask, seed=seed, sides=SIDES)
        assert not changed[:3].any()
        assert np.array_equal(same, mask)


def test_flips_of_image_and_mask_are_the_same():
    _, mask = pair()
    for seed in range(8):
        image, labels = augment_volume(
            augmentation_3d("flips"), mask[..., None].astype(np.float32), mask, seed=seed, sides=SIDES
        )
        assert np.array_equal(image[..., 0], labels)


def test_a_crop_ends_in_its_sides_and_says_what_it_reaches_into():
    strong = augmentation_3d("strong", crop=(8, 8, 8), spacing=(2, 1, 1))
    border = border_of(strong, (8, 8, 8))
    assert all(0 < side < 12 for side in border)
    image, mask = pair(tuple(np.add(8, 2 * np.array(border))))
    assert augment_volume(strong, image, mask, seed=0, sides=(8, 8, 8))[1].shape == (8, 8, 8)
    assert border_of(augmentation_3d("flips"), (8, 8, 8)) == (0, 0, 0)
    nested = A.Compose([A.OneOf([Deform(), FlipAxis()])])
    assert border_of(nested, (8, 8, 8)) == Deform().border((8, 8, 8))


def test_none_is_no_augmentation_and_unknown_names_are_refused():
    assert AUGMENTATIONS_3D["none"]() is None
    with pytest.raises(InputError, match="Choose one of none, flips, strong"):
        augmentation_3d("thesis")


def test_transforms_that_lose_voxels_are_refused():
    image, mask = pair()
    with pytest.raises(InputError, match="keep the shape"):
        augment_volume(A.Compose([A.CenterCrop3D((8, 8, 8))]), image, mask, seed=0, sides=SIDES)


def test_volume_transforms_of_albumentations_serve_too():
    image, mask = pair((8, 8, 8))
    turned, labels = augment_volume(A.Compose([A.CubicSymmetry(p=1)]), image, mask, seed=3, sides=(8, 8, 8))
    assert np.array_equal(np.sort(turned.ravel()), np.sort(image.ravel()))
    assert np.array_equal(np.bincount(labels.ravel()), np.bincount(mask.ravel()))
