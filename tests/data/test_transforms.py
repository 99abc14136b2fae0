import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.transforms import (
    AUGMENTATIONS,
    Stream,
    as_compose,
    augment_all,
    augment_pair,
    augmentation,
    thesis_augmentation,
)
from mstl.errors import InputError

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.standard_normal((48, 48, 3)).astype(np.float32)
MASK = (RANDOM.random((48, 48)) > 0.8).astype(np.uint8)
THESIS, STRONG, WIDE = (augmentation(name) for name in ("thesis", "strong", "wide"))
SEEDS = st.integers(0, 2**64) | st.tuples(*[st.integers(0, 2**40)] * 3)


@pytest.mark.parametrize("transform", [THESIS, STRONG, WIDE], ids=["thesis", "strong", "wide"])
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_draw_is_a_function_of_its_seed_and_masks_stay_binary(transform, seed):
    image, mask = augment_pair(transform, IMAGE, MASK, seed=seed)
    again = augment_pair(pickle.loads(pickle.dumps(transform)), IMAGE, MASK, seed=seed)
    assert np.array_equal(image, again[0])
    assert np.array_equal(mask, again[1])
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}
    assert image.shape == IMAGE.shape
    assert np.isfinite(image).all()


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_image_and_mask_move_together(seed):
    blocks = np.zeros((48, 48), np.uint8)
    blocks[6:22, 8:34] = blocks[28:44, 26:40] = 1
    image, mask = augment_pair(THESIS, np.dstack([blocks] * 3).astype(np.float32), blocks, seed=seed)
    unsure = cv2.blur(mask.astype(np.float32), (5, 5))
    inside, outside = unsure > 0.999, unsure < 0.001
    assert (image[inside, 0] > 0.4).all()
    assert (image[outside, 0] < 0.6).all()


def test_transforms_of_one_probability_do_not_fire_together():
    pipeline = A.Compose([A.VerticalFlip(p=0.5), A.HorizontalFlip(p=0.5)])
    corner = np.zeros((8, 8), np.uint8)
    corner[0, 0] = 1
    places = [tuple(np.argwhere(augment_pair(pipeline, IMAGE[:8, :8], corner, seed=seed)[1])[0])
              for seed in range(400)]
    counts = [places.count(place) for place in [(0, 0), (0, 7), (7, 0), (7, 7)]]
    assert min(counts) > 60


def test_a_transform_that_draws_for_each_pixel_leaves_the_next_in_lockstep():
    pipeline = A.Compose([A.GaussNoise(p=1), A.RandomRotate90(p=1)])
    narrow = np.zeros((16, 16, 1), np.float32)
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for seed in range(10):
        one = augment_all(pipeline, {"image": narrow, "mask": mask}, seed=seed)["mask"]
        other = augment_all(pipeline, {"image": IMAGE[:16, :16], "mask": mask}, seed=seed)["mask"]
        assert np.array_equal(one, other)


def test_threads_do_not_disturb_each_other():
    expected = [augment_pair(THESIS, IMAGE, MASK, seed=seed)[0] for seed in range(40)]
    with ThreadPoolExecutor(4) as threads:
        given_ = list(threads.map(lambda seed: augment_pair(THESIS, IMAGE, MASK, seed=seed)[0], range(40)))
    assert all(np.array_equal(left, right) for left, right in zip(expected, given_, strict=True))


def test_masks_keep_their_values_whatever_interpolation_the_transforms_ask_for():
    linear = A.Compose([A.Affine(rotate=(20, 30), mask_interpolation=cv2.INTER_LINEAR, p=1)])
    assert set(np.unique(augment_pair(linear, IMAGE, MASK, seed=1)[1])) == {0, 1}


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6, 9])
@pytest.mark.parametrize("transform", [THESIS, STRONG, WIDE], ids=["thesis", "strong", "wide"])
def test_any_number_of_channels_is_augmented(transform, channels):
    image = np.repeat(IMAGE[..., :1], channels, axis=2)
    for seed in range(4):
        assert augment_pair(transform, image, MASK, seed=seed)[0].shape == image.shape


def test_geometry_does_not_clip_images_of_any_range():
    image, _ = augment_pair(THESIS, IMAGE * 100 - 50, MASK, seed=2)
    assert image.min() < -100
    assert image.max() > 100


def test_the_thesis_augmentation_has_its_four_transforms_and_probabilities(recwarn):
    kinds = [(type(part).__name__, part.p) for part in thesis_augmentation().transforms]
    assert kinds == [("VerticalFlip", 0.5), ("RandomRotate90", 0.5), ("Affine", 0.5), ("GridDistortion", 0.2)]
    assert not recwarn.list


def test_probability_zero_changes_nothing():
    still = thesis_augmentation(flip=0, rotate90=0, affine=0, distortion=0)
    image, mask = augment_pair(still, IMAGE, MASK, seed=5)
    assert np.array_equal(image, IMAGE)
    assert np.array_equal(mask, MASK)


def test_what_enters_at_the_border_is_zero():
    shift = A.Compose([A.Affine(translate_px=(10, 10), p=1)])
    image, mask = augment_pair(shift, IMAGE + 9, np.ones_like(MASK), seed=0)
    assert not image[:9].any()
    assert not mask[:9].any()


def test_a_single_transform_and_a_list_become_a_compose():
    assert as_compose(None) is None
    assert as_compose(THESIS) is THESIS
    assert isinstance(as_compose(A.VerticalFlip()), A.Compose)
    assert len(as_compose([A.VerticalFlip(), A.HorizontalFlip()])) == 2
    assert all(as_compose(name) is None or as_compose(name) for name in AUGMENTATIONS)


@pytest.mark.parametrize("wrong", ["thesys", 3, [A.VerticalFlip(), "flip"]])
def test_what_is_no_augmentation_is_refused(wrong):
    with pytest.raises(InputError, match="thesis"):
        as_compose(wrong)


def test_a_seed_that_is_no_integer_is_refused():
    with pytest.raises(InputError, match="seed"):
        augment_pair(THESIS, IMAGE, MASK, seed=0.5)


def test_the_stream_is_uniform_and_starts_over():
    stream = Stream()
    stream.seed(11)
    first = [stream.random() for _ in range(4000)]
    turns = np.bincount([stream.randint(0, 3) for _ in range(4000)])
    stream.gauss(0, 1)
    stream.seed(11)
    assert [stream.random() for _ in range(4000)] == first
    assert 0.48 < np.mean(first) < 0.52
    assert turns.min() > 900
    assert stream.getrandbits(200).bit_length() > 150
    assert isinstance(stream, random.Random)
