import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data._albumentations import A
from mstl.data.intensity import ChannelBlur, ChannelContrast, ChannelNoise, LowResolution
from mstl.data.transforms import augment_pair

KINDS = [ChannelContrast, ChannelNoise, ChannelBlur, LowResolution]


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
