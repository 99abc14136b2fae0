import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.intensity import (
    ChannelBias,
    ChannelBlur,
    ChannelContrast,
    ChannelCurve,
    ChannelNoise,
    LowResolution,
    ModalityDropout,
)
from mstl.data.transforms import augment_all, augment_pair

KINDS = [ChannelBias, ChannelContrast, ChannelCurve, ChannelNoise, ChannelBlur, LowResolution]


def slice_of(channels: int, *, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    image = np.random.default_rng(0).standard_normal((32, 32, channels)) * scale + shift
    image[:8] = 0
    return image.astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**64), channels=st.integers(1, 6),
    scale=st.sampled_from([0.1, 1, 300]), shift=st.sampled_from([-5, 0, 0.5]),
)
def test_background_stays_zero_and_the_foreground_in_its_own_range(kind, seed, channels, scale, shift):
    image = slice_of(channels, scale=scale, shift=shift)
    mask = (image[..., 0] > shift).astype(np.uint8)
    changed, same = augment_pair(A.Compose([kind(p=1)]), image, mask, seed=seed)
    assert changed.dtype == np.float32
    assert changed.shape == image.shape
    assert np.array_equal(same, mask)
    assert not changed[:8].any()
    assert not np.array_equal(changed, image)
    assert np.abs(changed - image).max() < 6 * np.ptp(image)


@pytest.mark.parametrize("kind", KINDS)
def test_volumes_change_as_a_whole_and_keep_their_background(kind):
    volume = np.stack([slice_of(2, shift=3 * (position in (4, 5, 6))) for position in range(8)])
    mask = (volume[..., 0] > 0).astype(np.uint8)
    result = augment_all(A.Compose([kind(p=1)]), {"volume": volume, "mask3d": mask}, seed=2)
    changed = result["volume"]
    assert changed.dtype == np.float32
    assert np.array_equal(result["mask3d"], mask)
    assert not changed[:, :8].any()
    assert not np.array_equal(changed, volume)
    bright = changed[:, 12:].mean(axis=(1, 2, 3))
    assert bright.argmax() in (4, 5, 6)
    assert bright[5] > bright[0] + 1


def test_volumes_lose_detail_along_all_their_axes():
    points = np.zeros((17, 17, 17, 1), np.float32)
    points[8, 8, 8] = 1
    points[4:13, 4:13, 4:13] += 0.01
    for kind in (ChannelBlur(limits=(1, 1), p=1), LowResolution(limits=(2, 2), p=1)):
        changed = augment_all(A.Compose([kind]), {"volume": points}, seed=0)["volume"][..., 0]
        for axis in range(3):
            line = np.moveaxis(changed, axis, 0)[:, 8, 8]
            assert line[8] < 0.5
            assert line[7] > 0.012


def test_a_bias_field_is_smooth_and_differs_between_channels():
    volume = np.ones((16, 16, 16, 2), np.float32)
    volume[0, 0, 0] = 0.5
    changed = augment_all(A.Compose([ChannelBias(p=1)]), {"volume": volume}, seed=1)["volume"][1:]
    assert np.ptp(changed) > 0.05
    assert max(np.abs(np.diff(changed, axis=axis)).max() for axis in range(3)) < 0.06
    assert not np.allclose(changed[..., 0], changed[..., 1])


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_slice_is_left_alone(kind):
    image, mask = np.zeros((16, 16, 2), np.float32), np.zeros((16, 16), np.uint8)
    changed, _ = augment_pair(A.Compose([kind(p=1)]), image, mask, seed=1)
    assert np.array_equal(changed, image)


def test_channels_change_independently():
    image = np.repeat(slice_of(1), 2, axis=2)
    changed, _ = augment_pair(A.Compose([ChannelContrast(p=1)]), image, image[..., 0] > 0, seed=3)
    assert not np.allclose(changed[..., 0], changed[..., 1])


def test_contrast_of_neutral_limits_changes_nothing():
    neutral = ChannelContrast(limits=((1, 1), (1, 1), (0, 0)), p=1)
    image = slice_of(2)
    changed, _ = augment_pair(A.Compose([neutral]), image, image[..., 0] > 0, seed=3)
    assert np.allclose(changed, image, atol=1e-5)


def test_a_curve_keeps_the_order_of_intensities_their_mean_and_their_spread():
    image = slice_of(1)
    changed, _ = augment_pair(A.Compose([ChannelCurve(p=1)]), image, image[..., 0] > 0, seed=3)
    before, after = image[image != 0], changed[image != 0]
    assert np.all(np.diff(after[np.argsort(before)]) >= 0)
    assert np.isclose(before.mean(), after.mean(), atol=1e-5)
    assert np.isclose(before.std(), after.std(), atol=1e-5)


def test_a_curve_changes_the_contrast_between_two_tissues():
    tissues = np.random.default_rng(0).choice([-1.0, 1.0, 4.0], size=(64, 64, 1), p=[0.5, 0.45, 0.05])
    image = (tissues + 0.1 * np.random.default_rng(1).standard_normal(tissues.shape)).astype(np.float32)
    pipeline = A.Compose([ChannelCurve(p=1)])
    contrasts = []
    for seed in range(20):
        changed, _ = augment_pair(pipeline, image, image[..., 0] > 0, seed=seed)
        white, grey, lesion = (changed[tissues == level].mean() for level in (-1, 1, 4))
        contrasts.append((grey - white) / (lesion - white))
    assert min(contrasts) < 0.3
    assert max(contrasts) > 0.6


def test_modality_dropout_keeps_the_first_channel_and_half_of_the_others():
    image = np.ones((8, 8, 3), np.float32)
    pipeline = A.Compose([ModalityDropout(limits=0.5, p=1)])
    drawn = [augment_pair(pipeline, image, image[..., 0] > 0, seed=seed)[0] for seed in range(400)]
    kept = np.stack(drawn).any(axis=(1, 2))
    assert kept[:, 0].all()
    assert np.all(abs(kept[:, 1:].mean(axis=0) - 0.5) < 0.1)
    assert abs(np.corrcoef(kept[:, 1], kept[:, 2])[0, 1]) < 0.15
