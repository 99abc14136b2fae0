"""Learning curves: what was put in comes out, with an interval that covers it; each doubt is said."""
import json

import numpy as np
import pandas as pd
import pytest

from mstl.errors import InputError
from mstl.evaluation.learning_curve import learning_curves
from tests.study_frames import pairs_frame, study_frame

SIZES = (5, 10, 20, 40)


def curve(frame, **options):
    return learning_curves(frame, **options)[0]


def steps(means, *, patients=12, sizes=SIZES, noise=0.002):
    """One strategy with these mean scores, trained once."""
    random = np.random.default_rng(0)
    level = random.normal(0, 0.05, patients)
    parts = [pairs_frame(mean + level + random.normal(0, noise, patients), [], size=size)
             for mean, size in zip(means, sizes, strict=True)]  # fmt: skip
    return pd.concat(parts)


def test_the_gain_that_was_put_in_is_expected():
    found = curve(study_frame({"gan": 0.0}, patients=24, sizes=SIZES, folds=3, seeds=3, noise=0.003))
    truth = 0.5 * (40**-0.6 - 50**-0.6)
    assert found.gain == pytest.approx(truth, abs=0.004)
    assert found.gain_interval[0] <= truth <= found.gain_interval[1]
    assert (found.reliable, found.reasons, found.cautions) == (True, (), ())
    assert (found.sizes, found.patients) == (SIZES, 24)
    assert f"mean dice {found.means[-1]:.3f} with 40 labelled subjects; 10 more are expected" in found.words


def test_points_of_the_curve_lie_within_their_interval():
    found = curve(study_frame({"gan": 0.0}, patients=12, sizes=SIZES))
    points = found.at([5, 10, 30, 50])
    assert list(points) == ["size", "value", "low", "high"]
    assert (points["low"] <= points["value"]).all()
    assert (points["value"] <= points["high"]).all()
    assert points["value"].is_monotonic_increasing
    assert points["value"].iloc[:2].to_numpy() == pytest.approx(found.means[:2], abs=0.02)


def test_a_distance_falls_along_its_curve_and_its_gain_is_positive():
    frame = study_frame({"gan": 0.0}, patients=12, sizes=SIZES)
    plain = curve(frame)
    found = curve(frame.assign(hausdorff95_mm=1 - frame["dice"]), score="hausdorff95_mm")
    assert found.gain == pytest.approx(plain.gain)
    assert found.means == pytest.approx([1 - mean for mean in plain.means])
    points = found.at([5, 50])
    assert points["value"].to_numpy() == pytest.approx(1 - plain.at([5, 50])["value"].to_numpy())
    assert (points["low"] <= points["value"]).all()


@pytest.mark.parametrize(("frame", "options", "words"), [
    (steps([0.5, 0.6], sizes=(5, 10)), {}, "it was trained with 2 of at least 3 sizes"),
    (steps([0.5, 0.62, 0.6, 0.65]), {}, "the mean score gets worse from 10 to 20 subjects"),
    (steps([0.5, 0.6, 0.66, 0.69], patients=5), {}, "5 patients are fewer than 10"),
    (steps([0.5, 0.6, 0.66, 0.69]), {"more": 60}, "100 subjects are more than 2 times the 40 tried"),
    (steps([0.5, 0.51, 0.53, 0.7]), {}, "the curve misses the mean score of 20 subjects by 0.0"),
    (steps([0.5, 0.65, 0.652, 0.652], noise=0), {}, "these sizes do not show how the curve bends"),
    (steps([0.5, 0.51, 0.52], sizes=(5, 10, 20), noise=0.1), {}, "the interval is wider than the gain itself"),
])
def test_each_doubt_is_said(frame, options, words):
    found = curve(frame, **options)
    assert any(reason.startswith(words) for reason in found.reasons)
    assert not found.reliable
    assert words in found.words


def test_a_curve_without_enough_sizes_or_patients_claims_nothing():
    two = curve(steps([0.5, 0.6], sizes=(5, 10)))
    assert np.isnan([two.gain, two.end, *two.gain_interval]).all()
    assert two.words == (
        "a: what 10 more labelled subjects bring cannot be said: it was trained with 2 of at least 3 sizes."
    )
    frame = steps([0.5, 0.6, 0.7, 0.8], patients=4)
    one_each = frame["subject"].str[-1].astype(int).to_numpy() == np.repeat(range(4), 4)
    assert "no patient was scored at every size" in curve(frame[one_each]).words
    alone = curve(steps([0.5, 0.6, 0.66, 0.69], patients=1))
    assert alone.gain > 0
    assert np.isnan(alone.gain_interval).all()
    assert "nan" not in alone.words
    assert alone.at([50])["low"].isna().all()


def test_a_strategy_without_any_score_has_no_curve():
    frame = study_frame({"gan": 0.0, "oct": 0.0}, patients=6)
    frame.loc[frame["strategy"] == "oct", "dice"] = np.nan
    assert [found.strategy for found in learning_curves(frame)] == ["gan"]


def test_three_sizes_are_cautioned_about_and_one_seed_is_not_relied_on():
    found = curve(study_frame({"gan": 0.0}, patients=12, sizes=(5, 10, 20), noise=0.002))
    assert found.reliable
    assert found.cautions[0].startswith("three sizes nearly always fit")
    once = curve(study_frame({"gan": 0.0}, patients=12, sizes=(5, 10, 20), seeds=1, noise=0.002))
    assert once.reasons == ("with one seed the interval leaves out the chance of a training",)


def test_the_chance_of_a_training_widens_the_interval():
    frame = study_frame({"gan": 0.0}, patients=20, sizes=SIZES, folds=1, seeds=4, noise=0.001)
    shaken = frame.assign(dice=frame["dice"] + 0.02 * (-1.0) ** frame["seed"])
    calm, wide = (np.diff(curve(one).gain_interval)[0] for one in (frame, shaken))
    assert wide > 3 * calm


def test_intervals_of_the_gain_cover_what_was_put_in():
    truth = 0.5 * (40**-0.6 - 50**-0.6)
    covered = []
    for seed in range(60):
        frame = study_frame({"gan": 0.0}, patients=20, sizes=SIZES, folds=1, seeds=3, noise=0.006, seed=seed)
        low, high = curve(frame, resamples=300).gain_interval
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.85


def test_rows_in_any_order_give_the_same_curves_and_a_row_is_strict_json():
    frame = study_frame({"b": 0.0, "a": 0.02}, patients=6)
    one, other = learning_curves(frame), learning_curves(frame.sample(frac=1, random_state=0))
    assert [found.as_row() for found in one] == [found.as_row() for found in other]
    assert [found.strategy for found in one] == ["a", "b"]
    row = curve(steps([0.5, 0.6], sizes=(5, 10))).as_row()
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["gain"] is None


@pytest.mark.parametrize(("options", "words"), [
    ({"more": 0}, "more is 0"), ({"resamples": 5}, "resamples 5"), ({"best": 0.3}, "holds values better than 0.3"),
    ({"score": "dyce"}, "Did you mean dice"),
])
def test_what_cannot_be_fitted_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        learning_curves(steps([0.5, 0.6, 0.7, 0.8]), **options)
