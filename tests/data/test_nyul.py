"""Histogram standardisation: landmarks end on the scale, whatever the units of the scanner."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.nyul import PERCENTILES, landmarks, standard_scale, standardise, to_scale, to_unit
from mstl.errors import InputError

BRAIN = np.zeros((9, 10, 11), bool)
BRAIN[1:-1, 1:-1, 1:-1] = True
SCALE = standard_scale([np.sqrt(PERCENTILES), np.arange(11)])

seeds = st.integers(0, 10_000)
gains, offsets = st.floats(0.01, 1e3), st.floats(-1e3, 1e3)


def scan(seed: int, *, ties: bool = False) -> np.ndarray:
    """A skewed histogram in the brain, other values around it; with `ties` in 5 grey values."""
    values = np.random.default_rng(seed).gamma(2 + seed % 5, 30, BRAIN.shape)
    values = np.digitize(values, [30, 60, 90, 150]) if ties else values
    return np.where(BRAIN, values, -1000.0)


def test_landmarks_are_values_of_the_brain_at_eleven_percentiles():
    image = np.where(BRAIN, 0.0, -5)
    image[BRAIN] = np.random.default_rng(0).permutation(np.linspace(0, 100, BRAIN.sum()))
    found = landmarks(image, BRAIN)
    assert found.shape == (11,)
    np.testing.assert_allclose(found, PERCENTILES, atol=0.3)
    assert np.isin(found, image[BRAIN]).all()


def test_a_scale_runs_from_zero_to_one_and_is_the_mean_of_what_it_was_learned_from():
    first, second = np.linspace(5, 25, 11), np.linspace(0, 1, 11) ** 2
    scale = standard_scale([first, second])
    np.testing.assert_allclose(scale, (np.linspace(0, 1, 11) + second) / 2)
    np.testing.assert_allclose(standard_scale([first]), np.linspace(0, 1, 11))


def test_a_scale_of_no_scan_is_an_error():
    with pytest.raises(InputError, match="at least one scan; none was given"):
        standard_scale([])


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_the_landmarks_of_a_standardised_image_are_the_scale(seed):
    np.testing.assert_allclose(landmarks(standardise(scan(seed), BRAIN, SCALE), BRAIN), SCALE, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, ties=st.booleans())
def test_brighter_stays_brighter(seed, ties):
    image = scan(seed, ties=ties)
    order = np.argsort(image[BRAIN], kind="stable")
    assert np.all(np.diff(standardise(image, BRAIN, SCALE)[BRAIN][order]) >= 0)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, ties=st.booleans())
def test_a_standardised_image_is_left_as_it_is(seed, ties):
    once = standardise(scan(seed, ties=ties), BRAIN, SCALE)
    np.testing.assert_allclose(standardise(once, BRAIN, SCALE), once, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, ties=st.booleans(), gain=gains, offset=offsets)
def test_gain_and_offset_of_the_scanner_have_no_influence(seed, ties, gain, offset):
    image = scan(seed, ties=ties)
    other = standardise(gain * (image + offset), BRAIN, SCALE)
    np.testing.assert_allclose(other, standardise(image, BRAIN, SCALE), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=seeds, ties=st.booleans())
def test_both_steps_apart_give_the_same_and_keep_zero(seed, ties):
    image = scan(seed, ties=ties)
    marks = landmarks(image, BRAIN)
    mapped = to_scale(to_unit(image, marks), marks, SCALE)
    np.testing.assert_allclose(mapped[BRAIN], standardise(image, BRAIN, SCALE)[BRAIN], atol=1e-5)
    assert to_scale(np.zeros(3), marks, SCALE).tolist() == [0, 0, 0]


def test_values_beyond_the_outer_landmarks_go_on_along_the_outer_pieces():
    marks = np.arange(11.0)
    scale = np.linspace(0, 1, 11) ** 2
    found = to_scale(to_unit(np.array([-1, 12.0]), marks), marks, scale)
    np.testing.assert_allclose(found, [-scale[1], 1 + 2 * (1 - scale[-2])])


@pytest.mark.parametrize("end", ["low", "high"])
def test_a_histogram_that_was_clipped_at_an_end_keeps_that_end(end):
    image = scan(1)
    cut = np.percentile(image[BRAIN], 25 if end == "low" else 75)
    image = np.where(BRAIN, np.maximum(image, cut) if end == "low" else np.minimum(image, cut), 0)
    found = standardise(image, BRAIN, SCALE)[BRAIN]
    assert np.all(np.isfinite(found))
    assert (found.min() if end == "low" else found.max()) == (0 if end == "low" else 1)


def test_what_lies_outside_the_brain_is_zero_and_has_no_influence():
    image = scan(2)
    found = standardise(image, BRAIN, SCALE)
    assert found.dtype == np.float32
    assert not found[~BRAIN].any()
    np.testing.assert_array_equal(standardise(np.where(BRAIN, image, np.nan), BRAIN, SCALE), found)


def test_integers_are_standardised_as_their_floats():
    image = scan(3).astype(np.int16)
    np.testing.assert_array_equal(
        standardise(image, BRAIN, SCALE), standardise(image.astype(np.float64), BRAIN, SCALE)
    )


def test_an_empty_brain_and_one_value_in_nearly_all_of_it_are_errors():
    with pytest.raises(InputError, match="brain mask is empty"):
        landmarks(scan(0), np.zeros_like(BRAIN))
    image = np.full(BRAIN.shape, 7.0)
    image[5, 5, 5] = 9
    with pytest.raises(InputError, match=r"7 in 98 of 100 voxels .*'zscore'"):
        standardise(image, BRAIN, SCALE)
