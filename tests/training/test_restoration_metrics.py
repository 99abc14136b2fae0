"""Error and similarity of restored pixels against numpy and scikit-image; what does not count changes nothing."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.training.restoration_metrics import (
    SIGNED,
    SSIM_WINDOW,
    UNIT,
    HiddenError,
    HiddenSimilarity,
    hidden_errors,
    hidden_similarities,
)

SHAPE = (2, 24, 20, 2)
BORDER = SSIM_WINDOW // 2
KINDS = (HiddenError, HiddenSimilarity)


def images(seed: int, scale=UNIT):
    """Target with air on the left and below, another image, and what is hidden."""
    rng = np.random.default_rng(seed)
    low, high = scale
    target, restored = rng.uniform(0.1, 1, (2, *SHAPE)).astype(np.float32)
    target[:, :, :6] = target[:, 18:] = 0
    hidden = (rng.random((*SHAPE[:3], 1)) < 0.5).astype(np.float32)
    return low + (high - low) * target, low + (high - low) * restored, hidden


def brain(target, scale):
    return (target > scale[0]).any(axis=-1)


def mean(measured) -> float:
    """That of the values that count."""
    values, counted = measured
    return np.average(values, weights=counted)


def value(kind, *batches, scale=UNIT) -> float:
    metric = kind(scale)
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("scale", [UNIT, SIGNED])
def test_the_error_is_numpys_in_units_of_prepared_images(scale, everywhere):
    target, restored, hidden = images(0, scale)
    counted = hidden[..., 0] > 0 if everywhere else brain(target, scale) & (hidden[..., 0] > 0)
    expected = np.abs(target - restored).mean(axis=-1)[counted].mean() / (scale[1] - scale[0])
    found = mean(hidden_errors(target, restored, hidden, scale=scale, everywhere=everywhere))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("scale", [UNIT, SIGNED])
def test_the_similarity_is_that_of_scikit_image(scale, everywhere):
    similarity_of = pytest.importorskip("skimage.metrics").structural_similarity
    target, restored, hidden = images(1, scale)
    maps = [
        similarity_of(one, other, data_range=scale[1] - scale[0], channel_axis=-1, gaussian_weights=True, sigma=1.5,
                      use_sample_covariance=False, full=True)[1].mean(axis=-1)
        for one, other in zip(target - scale[0], restored - scale[0], strict=True)
    ]  # fmt: skip
    counted = hidden[..., 0] > 0 if everywhere else brain(target, scale) & (hidden[..., 0] > 0)
    inside = slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER)
    expected = np.stack(maps)[inside][counted[inside]].mean()
    found = mean(hidden_similarities(target, restored, hidden, scale=scale, everywhere=everywhere))
    assert found == pytest.approx(expected, abs=2e-5)


def test_metrics_are_the_means_of_what_counts():
    for kind, measure in zip(KINDS, (hidden_errors, hidden_similarities), strict=True):
        assert value(kind, images(9), scale=SIGNED) == pytest.approx(mean(measure(*images(9), scale=SIGNED)))


def test_both_scales_give_the_same():
    for kind in KINDS:
        unit, signed = (value(kind, images(2, scale), scale=scale) for scale in (UNIT, SIGNED))
        assert unit == pytest.approx(signed, abs=1e-5)


def test_a_perfect_restoration_has_no_error_and_full_similarity():
    target, _, hidden = images(3)
    assert value(HiddenError, (target, target, hidden)) == 0
    assert value(HiddenSimilarity, (target, target, hidden)) == pytest.approx(1)


def test_what_is_visible_or_air_does_not_count_for_the_error():
    target, restored, hidden = images(4)
    counts = (brain(target, UNIT) & (hidden[..., 0] > 0))[..., None]
    spoilt = np.where(counts, restored, 1 - restored)
    assert value(HiddenError, (target, spoilt, hidden)) == value(HiddenError, (target, restored, hidden))


def test_a_pixel_is_brain_where_any_channel_is():
    target, restored, hidden = images(5)
    target[..., 0] = 0
    assert value(HiddenError, (target, restored, hidden)) > 0
    assert value(HiddenError, (np.zeros_like(target), restored, hidden)) == 0


def test_pixels_of_all_batches_count_alike():
    first, second = images(6), images(7)
    second[2][1:] = 0
    together = tuple(np.concatenate(pair) for pair in zip(first, second, strict=True))
    for kind in KINDS:
        assert value(kind, first, second) == pytest.approx(value(kind, together), rel=1e-5)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 999), shift=st.floats(0, 0.5))
def test_symmetries(seed, shift):
    target, restored, hidden = images(seed)
    for kind in KINDS:
        once = value(kind, (target, restored, hidden))
        for axis in (1, 2):
            turned = [np.flip(part, axis) for part in (target, restored, hidden)]
            assert value(kind, turned) == pytest.approx(once, abs=1e-5)
        swapped = (target[..., ::-1], restored[..., ::-1], hidden)
        assert value(kind, swapped) == pytest.approx(once, abs=1e-5)
    assert value(HiddenError, (target, target + np.float32(shift), hidden)) == pytest.approx(shift, abs=1e-6)
    assert -1 <= value(HiddenSimilarity, (target, restored, hidden)) <= 1


def test_half_precision_is_measured_in_single():
    batch = [part.astype(np.float16) for part in images(8)]
    for kind in KINDS:
        exact = value(kind, [part.astype(np.float32) for part in batch])
        assert value(kind, batch) == pytest.approx(exact, abs=1e-6)
