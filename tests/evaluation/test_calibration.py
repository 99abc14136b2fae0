"""Calibration: known answers, identities, and what cannot be answered."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.errors import InputError
from mstl.evaluation.calibration import brier_score, calibration_error, error_detection, pooled, reliability


def voxels(seed, size=400, power=1.0):
    """Probabilities, and lesions that are as frequent as these say, or for another `power` are not."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(size=size)
    return probability, rng.uniform(size=size) < probability**power


def test_bins_hold_what_lies_in_them_and_the_last_one_what_is_1():
    table = reliability(np.array([0.0, 0.05, 0.5, 0.95, 1.0]), np.array([0, 1, 0, 1, 1]))
    assert table["voxels"].tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert table.loc[9, ["mean_probability", "lesion_fraction"]].tolist() == [pytest.approx(0.975), 1.0]
    assert table.loc[0, "lesion_fraction"] == 0.5
    assert np.isnan(table.loc[3, "mean_probability"])


def test_probabilities_that_mean_what_they_say_are_calibrated_and_others_are_not():
    assert calibration_error(reliability(*voxels(0, 200_000))) < 0.01
    assert calibration_error(reliability(*voxels(0, 200_000, power=3))) > 0.2


def test_sure_and_right_is_perfect_and_sure_and_wrong_the_worst():
    lesion = np.array([[0, 1], [1, 0]], bool)
    for said, value in ((lesion, 0.0), (~lesion, 1.0)):
        assert calibration_error(reliability(said.astype(float), lesion)) == value
        assert brier_score(said.astype(float), lesion) == value


@given(st.integers(0, 99), st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_the_error_is_between_that_of_one_bin_and_1_and_the_brier_score_at_least_its_square(seed, bins):
    probability, lesion = voxels(seed, power=2)
    error, coarse = (calibration_error(reliability(probability, lesion, bins=number)) for number in (bins, 1))
    assert abs(probability.mean() - lesion.mean()) == pytest.approx(coarse)
    assert coarse - 1e-9 <= error <= 1
    assert error**2 <= brier_score(probability, lesion) + 1e-9


@given(st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_tables_of_parts_pool_to_the_table_of_all(seed):
    probability, lesion = voxels(seed, 60)
    parts = [reliability(probability[part], lesion[part]) for part in (slice(0, 7), slice(7, 30), slice(30, None))]
    pd.testing.assert_frame_equal(pooled(pd.concat(parts)), reliability(probability, lesion), check_dtype=False)


def test_uncertainty_that_is_highest_where_voxels_are_wrong_finds_all_errors():
    wrong = np.array([[0, 0, 1], [0, 0, 1]], bool)
    area, correlation = error_detection(np.where(wrong, 0.6, 0.1), wrong)
    assert (area, correlation) == (1.0, pytest.approx(1.0))
    area, correlation = error_detection(np.where(wrong, 0.1, 0.6), wrong)
    assert (area, correlation) == (0.0, pytest.approx(-1.0))


def test_equal_uncertainty_everywhere_says_nothing():
    area, correlation = error_detection(np.ones(6), np.array([0, 0, 1, 0, 1, 0]))
    assert area == 0.5
    assert np.isnan(correlation)


@given(st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_only_the_order_of_the_uncertainty_matters(seed):
    rng = np.random.default_rng(seed)
    uncertainty, wrong = rng.integers(0, 9, 50), np.arange(50) % 3 == 0
    np.testing.assert_allclose(error_detection(uncertainty, wrong), error_detection(np.exp(uncertainty), wrong))


def test_what_cannot_be_told_is_nan():
    for wrong in (np.zeros(4, bool), np.ones(4, bool), np.zeros(0, bool)):
        assert np.isnan(error_detection(np.arange(len(wrong)), wrong)).all()
    empty = np.zeros(0)
    assert np.isnan(calibration_error(reliability(empty, empty)))
    assert np.isnan(brier_score(empty, empty))


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(InputError, match=r"shape \(3,\), the mask beside it \(2,\)"):
        reliability(np.zeros(3), np.zeros(2))
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        error_detection(np.zeros(3), np.zeros(2))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(InputError, match="within 0 and 1"):
        brier_score(np.array([wrong]), np.array([1]))
