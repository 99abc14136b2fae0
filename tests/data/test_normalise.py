"""Normalisation: measured within the brain, applied to the brain, nothing outside."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.normalise import NORMALISATIONS, normalise
from mstl.errors import InputError

RNG = np.random.default_rng(0)
BRAIN = np.zeros((8, 9, 10), bool)
BRAIN[2:6, 2:7, 2:8] = True
SCAN = np.where(BRAIN, RNG.normal(100, 15, BRAIN.shape), 1000).astype(np.float32)  # brighter outside


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_the_background_is_zero_and_the_brain_is_finite_float32(method):
    image = normalise(SCAN, BRAIN, method=method)
    assert image.dtype == np.float32
    assert image.shape == SCAN.shape
    assert not image[~BRAIN].any()
    assert np.all(np.isfinite(image))


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_what_lies_outside_the_brain_has_no_influence(method):
    other = np.where(BRAIN, SCAN, -5).astype(np.float32)
    np.testing.assert_array_equal(
        normalise(SCAN, BRAIN, method=method), normalise(other, BRAIN, method=method)
    )


def test_max_divides_by_the_largest_value_of_the_brain():
    image = normalise(SCAN, BRAIN, method="max")
    np.testing.assert_allclose(image[BRAIN], SCAN[BRAIN] / SCAN[BRAIN].max(), rtol=1e-6)
    assert image.max() == 1


def test_minmax_reaches_zero_and_one():
    values = normalise(SCAN, BRAIN, method="minmax")[BRAIN]
    assert (values.min(), values.max()) == (0, 1)


def test_percentile_cuts_half_a_percent_at_each_end():
    values = normalise(SCAN, BRAIN, method="percentile")[BRAIN]
    low, high = np.percentile(SCAN[BRAIN], (0.5, 99.5))
    np.testing.assert_allclose(values, np.clip((SCAN[BRAIN] - low) / (high - low), 0, 1), atol=1e-5)
    assert (values.min(), values.max()) == (0, 1)


def test_zscore_has_mean_zero_and_deviation_one():
    values = normalise(SCAN, BRAIN, method="zscore")[BRAIN].astype(np.float64)
    assert values.mean() == pytest.approx(0, abs=1e-6)
    assert values.std() == pytest.approx(1, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.01, 1e4), shift=st.floats(-1e3, 1e3))
@pytest.mark.parametrize("method", ["minmax", "zscore", "percentile"])
def test_the_units_of_the_scanner_have_no_influence(method, scale, shift):
    image = (SCAN.astype(np.float64) * scale + shift * scale).astype(np.float32)
    np.testing.assert_allclose(
        normalise(image, BRAIN, method=method), normalise(SCAN, BRAIN, method=method), atol=1e-3
    )


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_integers_are_normalised_as_their_floats(method):
    scan = SCAN.astype(np.int16)
    np.testing.assert_array_equal(
        normalise(scan, BRAIN, method=method), normalise(scan.astype(np.float32), BRAIN, method=method)
    )


def test_an_unknown_method_is_an_error_that_lists_the_known():
    with pytest.raises(InputError, match=r"'z-score' is unknown\. Choose one of max, minmax, zscore, perc"):
        normalise(SCAN, BRAIN, method="z-score")


@pytest.mark.parametrize("method", NORMALISATIONS)
def test_an_empty_brain_and_a_scan_that_does_not_vary_in_it_are_errors(method):
    with pytest.raises(InputError, match="brain mask is empty"):
        normalise(SCAN, np.zeros_like(BRAIN), method=method)
    with pytest.raises(InputError, match="7 everywhere in the brain"):
        normalise(np.where(BRAIN, 7, SCAN), BRAIN, method=method)


def test_max_needs_a_value_above_zero():
    with pytest.raises(InputError, match="Use 'zscore'"):
        normalise(SCAN - 2000, BRAIN, method="max")


def test_imagenet_needs_8_bit_greys():
    with pytest.raises(InputError, match="'imagenet' needs greys from 0 to 255"):
        normalise(SCAN * 3, BRAIN, method="imagenet")
