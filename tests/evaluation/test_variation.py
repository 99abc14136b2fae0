"""Where differences vary: as analysis of variance has it where balanced, found again where not; intervals cover."""
import numpy as np
import pytest

from mstl.evaluation.variation import variation

NAN = float("nan")


def cells(random, *, folds, seeds, patients, between=1.0, training=0.5, fold=0.5, noise=0.5, repeats=False):
    """Differences of mean 0: each patient in one fold, or in about half of them."""
    trainings = random.normal(0, fold, (folds, 1, 1)) + random.normal(0, training, (folds, seeds, 1))
    drawn = random.normal(0, between, patients) + trainings + random.normal(0, noise, (folds, seeds, patients))
    tested = np.arange(patients) % folds == np.arange(folds)[:, None]
    if repeats:
        tested = random.random((folds, patients)) < 0.5
    return np.where(tested[:, None], drawn, np.nan)


def test_balanced_estimates_are_those_of_analysis_of_variance():
    found = cells(np.random.default_rng(0), folds=1, seeds=4, patients=9)
    table = found[0]
    of_patients, of_seeds, mean = table.mean(axis=0), table.mean(axis=1), table.mean()
    squares = {"patients": 4 * ((of_patients - mean) ** 2).sum() / 8, "seeds": 9 * ((of_seeds - mean) ** 2).sum() / 3,
               "residual": ((table - of_patients - of_seeds[:, None] + mean) ** 2).sum() / 24}  # fmt: skip
    spread = variation(found)
    assert spread.residual == pytest.approx(squares["residual"])
    assert spread.patients == pytest.approx((squares["patients"] - squares["residual"]) / 4)
    assert spread.seeds == pytest.approx((squares["seeds"] - squares["residual"]) / 9)
    assert np.isnan(spread.folds)


@pytest.mark.parametrize("repeats", [False, True])
def test_known_variances_are_found_again_on_average(repeats):
    random = np.random.default_rng(0)
    options = {"folds": 8, "seeds": 3, "patients": 40, "repeats": repeats}
    found = [variation(cells(random, between=1, training=0.7, fold=0.8, noise=0.5, **options)) for _ in range(400)]
    means = np.mean([(one.patients, one.seeds, one.folds, one.residual) for one in found], axis=0)
    assert means == pytest.approx([1, 0.49, 0.64, 0.25], abs=0.1)


def test_what_one_seed_cannot_tell_apart_is_nan_and_goes_into_the_wider_source():
    random = np.random.default_rng(0)
    found = [variation(cells(random, folds=8, seeds=1, patients=40)) for _ in range(150)]
    assert np.isnan([(one.seeds, one.residual) for one in found]).all()
    means = np.mean([(one.patients, one.folds) for one in found], axis=0)
    assert means == pytest.approx([1 + 0.25, 0.25 + 0.25], abs=0.1)


def test_one_training_shows_patients_only_and_no_interval_for_others():
    values = np.array([[[0.1, 0.3, 0.2, 0.6]]])
    spread = variation(values)
    assert spread.patients == pytest.approx(values.var(ddof=1))
    assert np.isnan([spread.seeds, spread.folds, spread.residual, *spread.interval]).all()


@pytest.mark.parametrize("values", [np.empty((1, 1, 0)), [[[0.1], [0.2]]], [[[0.1, NAN], [0.2, NAN]]]])
def test_fewer_than_two_patients_show_nothing(values):
    spread = variation(np.array(values))
    assert np.isnan([spread.patients, spread.seeds, spread.folds, spread.residual, *spread.interval]).all()


def test_equal_differences_have_no_variance_and_a_point():
    spread = variation(np.full((2, 2, 5), 0.25))
    assert (spread.patients, spread.seeds, spread.folds, spread.residual) == (0, 0, 0, 0)
    assert spread.interval == pytest.approx((0.25, 0.25), abs=1e-12)


def test_shifting_moves_the_interval_and_scaling_scales_it():
    values = cells(np.random.default_rng(3), folds=3, seeds=2, patients=9)
    one, shifted, turned = variation(values), variation(values + 5), variation(-2 * values)
    assert shifted.patients == pytest.approx(one.patients)
    assert shifted.interval == pytest.approx([limit + 5 for limit in one.interval])
    assert turned.residual == pytest.approx(4 * one.residual)
    assert turned.interval == pytest.approx([-2 * limit for limit in one.interval[::-1]])


@pytest.mark.parametrize(("design", "least"), [
    ({"folds": 5, "seeds": 3, "training": 0.5, "fold": 0.0}, 0.92),
    ({"folds": 5, "seeds": 3, "training": 0.5, "fold": 0.5}, 0.90),
    ({"folds": 5, "seeds": 3, "training": 0.5, "fold": 0.5, "repeats": True}, 0.88),
    ({"folds": 5, "seeds": 1, "training": 0.5, "fold": 0.0}, 0.90),
    ({"folds": 1, "seeds": 3, "training": 0.5, "fold": 0.0}, 0.88),
    ({"folds": 1, "seeds": 3, "training": 0.0, "fold": 0.0}, 0.92),
])
def test_intervals_for_new_trainings_cover_where_those_for_new_patients_do_not(design, least):
    random = np.random.default_rng(4)
    wide, narrow = [], []
    for _ in range(300):
        drawn = cells(random, patients=20, **design)
        low, high = variation(drawn).interval
        wide.append(low <= 0 <= high)
        means = np.nanmean(drawn[..., ~np.isnan(drawn).all(axis=(0, 1))], axis=(0, 1))
        narrow.append(abs(means.mean()) <= 2.09 * means.std(ddof=1) / np.sqrt(len(means)))
    assert least <= np.mean(wide) <= 0.995
    if design["training"]:
        assert np.mean(narrow) < min(0.93, np.mean(wide))
