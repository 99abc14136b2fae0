import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.augment import ImageDataAugmentor, thesis_augmentation
from mstl.errors import InputError

RANDOM = np.random.default_rng(0)
MASKS = (RANDOM.random((12, 32, 32, 1)) > 0.7).astype(np.float32)
PIPELINE = A.Compose([
    A.VerticalFlip(p=0.5), A.RandomRotate90(p=0.5), A.Affine(rotate=(-15, 15), p=0.5), A.GridDistortion(p=0.2)
])


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), batch_size=st.integers(1, 7), steps=st.integers(1, 8))
def test_zipped_generators_of_equal_seeds_stay_in_lockstep(seed, batch_size, steps):
    turns = A.Compose([A.VerticalFlip(p=0.5), A.RandomRotate90(p=0.5)])
    images = ImageDataAugmentor(augment=turns, input_augment_mode="image", validation_split=0.2, seed=seed)
    masks = ImageDataAugmentor(augment=turns, input_augment_mode="mask", validation_split=0.2, seed=seed)
    pairs = zip(
        images.flow(MASKS * 7, batch_size=batch_size, subset="training"),
        masks.flow(MASKS, batch_size=batch_size, subset="training"), strict=False,
    )
    for _ in range(steps):
        image, mask = next(pairs)
        assert np.array_equal(image, mask * 7)


def test_zipped_masks_stay_binary_through_the_thesis_transforms():
    flow = ImageDataAugmentor(augment=PIPELINE, input_augment_mode="mask", seed=0).flow(MASKS, batch_size=4)
    seen = np.concatenate([next(flow) for _ in range(9)])
    assert seen.shape == (36, 32, 32, 1)
    assert seen.dtype == np.float32
    assert set(np.unique(seen)) == {0, 1}


@pytest.mark.parametrize("labels", [MASKS, MASKS[..., 0], MASKS.astype(np.uint8), MASKS.astype(bool)])
def test_masks_given_as_labels_are_transformed_in_the_same_call(labels):
    turns = A.Compose([A.VerticalFlip(p=0.5), A.RandomRotate90(p=0.5)])
    augmentor = ImageDataAugmentor(augment=turns, label_augment_mode="mask", seed=0)
    flow = augmentor.flow(MASKS, labels, batch_size=5)
    for image, mask in (next(flow) for _ in range(5)):
        assert mask.dtype == labels.dtype
        assert np.array_equal(image, mask.reshape(image.shape))


@pytest.mark.parametrize("mode", ["image", "same_as_input"])
def test_labels_may_be_images_too(mode):
    augmentor = ImageDataAugmentor(augment=PIPELINE, label_augment_mode=mode, seed=3)
    image, label = next(augmentor.flow(MASKS, MASKS))
    assert np.array_equal(image, label)


def test_labels_without_a_mode_pass_unchanged_beside_weights():
    flow = ImageDataAugmentor(augment=PIPELINE, seed=1).flow(
        MASKS, np.arange(12), 12, False, sample_weight=np.arange(12) * 2
    )
    _, labels, weights = next(flow)
    assert labels.tolist() == list(range(12))
    assert weights.tolist() == list(range(0, 24, 2))


def test_zero_is_a_seed_and_none_is_a_fresh_one():
    def batch(**arguments):
        return next(ImageDataAugmentor(augment=PIPELINE, **arguments).flow(MASKS, batch_size=12))

    assert np.array_equal(batch(seed=0), batch(seed=0))
    assert not np.array_equal(batch(seed=0), batch(seed=1))
    assert not np.array_equal(batch(), batch())


def test_a_seed_in_flow_and_the_older_spellings_are_accepted():
    old = ImageDataAugmentor(augment=PIPELINE, augment_mode="mask", augment_seed=4)
    new = ImageDataAugmentor(augment=PIPELINE, input_augment_mode="mask", seed=4)
    late = ImageDataAugmentor(augment=PIPELINE, input_augment_mode="mask", seed=9)
    expected = next(new.flow(MASKS))
    assert np.array_equal(next(old.flow(MASKS)), expected)
    assert np.array_equal(next(late.flow(MASKS, seed=4)), expected)


def test_the_users_pipeline_is_left_alone():
    pipeline = A.Compose([A.VerticalFlip(p=0.5)])
    ImageDataAugmentor(augment=pipeline, label_augment_mode="image", seed=1)
    assert pipeline.additional_targets == {}


def test_normalisation_follows_rescaling_and_the_users_function():
    images = RANDOM.random((6, 8, 8, 2)).astype(np.float32) * 255
    plain = ImageDataAugmentor(rescale=1 / 255, preprocess_input=lambda image: image + 1)
    assert np.allclose(next(plain.flow(images, shuffle=False)), (images + 1) / 255, atol=1e-6)
    sample = next(ImageDataAugmentor(samplewise_std_normalization=True).flow(images))
    assert np.allclose(sample.mean((1, 2, 3)), 0, atol=1e-4)
    assert np.allclose(sample.std((1, 2, 3)), 1, atol=1e-4)


def test_featurewise_statistics_come_from_fit():
    images = (RANDOM.random((6, 8, 8, 2)) * [1, 50]).astype(np.float32)
    augmentor = ImageDataAugmentor(featurewise_center=True, featurewise_std_normalization=True)
    with pytest.raises(InputError, match="fit"):
        next(augmentor.flow(images))
    augmentor.fit(images)
    assert np.allclose(augmentor.mean, images.mean((0, 1, 2)), rtol=1e-5)
    assert np.allclose(augmentor.std, images.std((0, 1, 2)), rtol=1e-5)
    batch = next(augmentor.flow(images))
    assert np.allclose(batch.mean((0, 1, 2)), 0, atol=1e-4)
    turning = ImageDataAugmentor(featurewise_center=True, augment=PIPELINE)
    turning.fit(images, augment=True, rounds=2, seed=1)
    assert turning.mean.shape == (2,)


def test_channels_first_equals_channels_last():
    same = {"augment": PIPELINE, "seed": 2, "label_augment_mode": "mask"}
    last, first = ImageDataAugmentor(**same), ImageDataAugmentor(**same, data_format="channels_first")
    moved = np.moveaxis(MASKS, -1, 1)
    image, mask = next(first.flow(moved, moved))
    expected = next(last.flow(MASKS, MASKS))
    assert np.array_equal(np.moveaxis(image, 1, -1), expected[0])
    assert np.array_equal(np.moveaxis(mask, 1, -1), expected[1])


def test_it_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        next(ImageDataAugmentor(augment=thesis_augmentation(), seed=1).flow(MASKS))
        next(ImageDataAugmentor(augment=A.VerticalFlip(), seed=1).flow(MASKS))


@pytest.mark.parametrize(("arguments", "word"), [
    ({"zca_whitening": True}, "featurewise_center"),
    ({"data_format": "NCHW"}, "channels_first"),
    ({"validation_split": 1.0}, "validation_split"),
    ({"input_augment_mode": "masks"}, "additional_targets"),
    ({"input_augment_mode": "mask", "samplewise_center": True}, "keep their values"),
    ({"augment": "thesys"}, "thesis"),
])
def test_arguments_that_do_not_go_together_are_refused(arguments, word):
    with pytest.raises(InputError, match=word):
        ImageDataAugmentor(**arguments)


def test_unknown_arguments_are_refused_and_folders_answered_with_what_to_use():
    with pytest.raises(TypeError, match="rotation_range"):
        ImageDataAugmentor(rotation_range=20)
    for method in ("flow_from_directory", "flow_from_dataframe"):
        with pytest.raises(InputError, match="SliceSequence"):
            getattr(ImageDataAugmentor(), method)("folder", batch_size=3)
    with pytest.raises(InputError, match="rank 4"):
        ImageDataAugmentor().fit(np.zeros((3, 4, 4)))
