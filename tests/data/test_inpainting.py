import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.corruption import Corruption
from mstl.data.inpainting import SIGMA_PER_TILE, gaussian_fill, mean_fill
from mstl.errors import InputError


def batch(*, count=3, channels=2, tile=8, kind="random-checkerboard"):
    """Smooth brains, what hides them, and the corrupted images."""
    rows, columns = np.ogrid[-1:1:48j, -1:1:40j]
    brain = (rows / 0.8) ** 2 + (columns / 0.7) ** 2 < 1
    ramps = [0.5 + 0.2 * np.sin(3 * rows + number) + 0.2 * columns for number in range(count * channels)]
    target = np.stack(ramps).reshape(count, channels, 48, 40).transpose(0, 2, 3, 1) * brain[..., None]
    target = target.astype(np.float32)
    rng = np.random.default_rng(0)
    pairs = [Corruption(kind, tile=tile)(image, rng) for image in target]
    corrupted, hidden = (np.stack(part) for part in zip(*pairs, strict=True))
    return corrupted, target, hidden[..., None].astype(np.float32)


FILLS = [mean_fill, gaussian_fill]


@pytest.mark.parametrize("fill", FILLS)
def test_visible_pixels_stay_and_hidden_ones_are_never_read(fill):
    corrupted, target, hidden = batch()
    before = corrupted.copy()
    filled = fill(corrupted, hidden, background=0)
    assert np.array_equal(corrupted, before)
    assert filled.dtype == np.float32
    visible = np.broadcast_to(hidden == 0, target.shape)
    assert filled[visible].tobytes() == target[visible].tobytes()
    assert np.array_equal(filled, fill(target, hidden.astype(bool), background=0))


@pytest.mark.parametrize("fill", FILLS)
@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.5, 4), offset=st.floats(-1, 1))
def test_fills_follow_the_scale_of_the_images(fill, gain, offset):
    corrupted, _, hidden = batch()
    moved = (gain * corrupted + offset).astype(np.float32)
    expected = gain * fill(corrupted, hidden, background=0) + offset
    found = fill(moved, hidden, background=np.float32(offset))
    assert np.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("fill", FILLS)
def test_an_even_brain_is_restored_exactly_to_its_rim(fill):
    _, target, hidden = batch(channels=1)
    even = np.where(target > 0, np.float32(0.625), np.float32(0))
    filled = fill(even, hidden, background=0)
    inside = (even > 0) & (hidden > 0)
    assert np.allclose(filled[inside], 0.625, atol=1e-6)


def test_the_mean_is_that_of_the_visible_brain_of_each_image_and_channel():
    corrupted, target, hidden = batch()
    filled = mean_fill(corrupted, hidden, background=0)
    for image in range(3):
        for channel in range(2):
            shown = target[image, ..., channel][(hidden[image, ..., 0] == 0) & (target[image, ..., channel] != 0)]
            values = filled[image, ..., channel][hidden[image, ..., 0] > 0]
            assert np.allclose(values, shown.mean(), atol=1e-6)


def test_a_gaussian_weighs_the_pixels_around():
    line = np.zeros((1, 1, 7, 1), np.float32)
    line[0, 0, :, 0] = (0, 2, 9, 9, 9, 4, 0)
    hidden = (line == 9).astype(np.float32)
    filled = gaussian_fill(line, hidden, background=0, sigma=1)[0, 0, :, 0]
    near, far = np.exp(-0.5), np.exp(-4.5)
    left, right = (2 * near + 4 * far) / (near + far), (2 * far + 4 * near) / (near + far)
    assert np.allclose(filled, (0, 2, left, 3, right, 4, 0))


def test_smooth_brains_are_restored_better_by_the_gaussian_than_by_the_mean():
    corrupted, target, hidden = batch()
    inside = (target != 0) & (hidden > 0)

    def error(filled):
        return np.abs(filled - target)[inside].mean()

    blurred = gaussian_fill(corrupted, hidden, background=0, sigma=8 * SIGMA_PER_TILE)
    assert error(blurred) < 0.5 * error(mean_fill(corrupted, hidden, background=0))


def test_far_from_any_visible_brain_the_gaussian_is_the_mean():
    image = np.zeros((1, 64, 64, 1), np.float32)
    image[0, :4] = 0.5
    hidden = np.ones_like(image)
    hidden[0, :2] = 0
    filled = gaussian_fill(image, hidden, background=0, sigma=1)
    assert np.allclose(filled, 0.5)
    assert np.array_equal(filled[0, 20:], mean_fill(image, hidden, background=0)[0, 20:])


@pytest.mark.parametrize("fill", FILLS)
def test_without_visible_brain_hidden_pixels_become_background(fill):
    image = np.full((2, 8, 8, 1), -1, np.float32)
    image[0, 2:4, 2:4] = 1
    hidden = (image > 0).astype(np.float32)
    assert (fill(image, hidden, background=-1.0) == -1).all()


def test_the_default_gaussian_is_nearly_the_strongest_on_a_real_scan(shared):
    import nibabel as nib

    path = next((shared / "data/open_ms_data").rglob("patient07/FLAIR*.nii.gz"))
    volume = np.asarray(nib.load(path).dataobj[..., 60:120:12], np.float32)
    target = np.clip(volume / np.percentile(volume[volume > 0], 99.5), 0, 1).transpose(2, 0, 1)[..., None]
    pairs = [Corruption()(image, np.random.default_rng(0)) for image in target]
    corrupted, hidden = np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])[..., None]
    inside = hidden & (target > 0)

    def error(filled):
        return np.abs(filled - target)[inside].mean()

    errors = [error(gaussian_fill(corrupted, hidden, background=0, sigma=sigma)) for sigma in (1, 1.5, 3, 4, 8, 16)]
    default = error(gaussian_fill(corrupted, hidden, background=0))
    assert default < 1.01 * min(errors)
    assert default < error(mean_fill(corrupted, hidden, background=0))


@pytest.mark.parametrize("fill", FILLS)
def test_shapes_that_do_not_fit_are_refused(fill):
    images = np.zeros((2, 8, 8, 1), np.float32)
    for image, hidden in ((images[0], images), (images, images[0]), (images, images[:1]), (images, images[..., 0])):
        with pytest.raises(InputError, match=r"expected \(N, H, W, C\)"):
            fill(image, hidden, background=0)


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf")])
def test_a_sigma_that_is_not_above_zero_is_refused(sigma):
    corrupted, _, hidden = batch()
    with pytest.raises(InputError, match="sigma"):
        gaussian_fill(corrupted, hidden, background=0, sigma=sigma)
