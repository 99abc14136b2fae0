"""Strategies compared at each size: who with whom, which patients, which family; algebra, coverage, wrong input."""
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.errors import InputError
from mstl.evaluation.paired_tests import bca_interval, holm, signed_rank_p
from mstl.evaluation.statistics import compare_strategies, mean_scores, paired_differences
from tests.study_frames import pairs_frame, study_frame

GAINS = {"scratch": 0.0, "gan": 0.05, "imagenet": 0.0, "oct": -0.05}
dice = st.integers(0, 100).map(lambda value: value / 100)
several = st.lists(st.tuples(dice, dice), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def frame():
    return study_frame(GAINS, patients=16, sizes=(5, 20))


@pytest.fixture(scope="module")
def found(frame):
    return compare_strategies(frame, baseline="scratch", resamples=999)


def one(frame, **options):
    """The comparison of a with b."""
    return next(iter(compare_strategies(frame, baseline="b", resamples=499, **options)))


def test_each_strategy_meets_the_baseline_first_and_then_the_others_at_each_size(found):
    others = ("gan", "imagenet", "oct")
    pairs = [*((name, "scratch") for name in others), *combinations(others, 2)]
    assert [(one.size, one.a, one.b) for one in found] == [(size, *pair) for size in (5, 20) for pair in pairs]
    assert [one.baseline for one in found] == [one.b == "scratch" for one in found]


def test_gains_and_losses_that_were_put_in_are_found(found):
    verdicts = {(one.a, one.size): one.verdict for one in found if one.baseline}
    assert {verdicts["gan", 5], verdicts["gan", 20]} == {"better"}
    assert {verdicts["oct", 5], verdicts["oct", 20]} == {"worse"}
    assert [one.a for one in found if one.negative_transfer] == ["oct", "oct"]
    assert "no evidence" in {verdicts["imagenet", 5], verdicts["imagenet", 20]}


def test_numbers_are_of_patients_and_not_of_cells(frame, found):
    first = found[0]
    pair = paired_differences(frame, "gan", "scratch", size=5)
    assert first.patients == len(pair.subjects) == 16
    assert first.difference == pytest.approx(pair.differences.mean())
    assert first.interval == bca_interval(pair.differences, resamples=999)
    assert first.p == signed_rank_p(pair.differences)
    assert first.mean_a - first.mean_b == pytest.approx(first.difference)


def test_mean_scores_are_of_patients_with_an_interval(frame):
    table = mean_scores(frame, resamples=999)
    names = [(size, name) for size in (5, 20) for name in sorted(GAINS)]
    assert list(zip(table["size"], table["strategy"], strict=True)) == names
    patients = frame[(frame["size"] == 5) & (frame["strategy"] == "gan")].groupby("subject")["dice"].mean()
    first = table.iloc[0]
    assert (first["patients"], first["mean"]) == (16, pytest.approx(patients.mean()))
    assert (first["low"], first["high"]) == pytest.approx(bca_interval(patients.to_numpy(), resamples=999))


def test_strategies_without_a_score_at_a_size_have_no_mean_there(frame):
    lacking = frame[(frame["strategy"] != "gan") | (frame["size"] == 5)]
    assert mean_scores(lacking, resamples=100).groupby("size")["strategy"].count().to_dict() == {5: 4, 20: 3}
    with pytest.raises(InputError, match="resamples 10"):
        mean_scores(frame, resamples=10)


def test_holm_corrects_each_family_over_all_sizes(found):
    for baseline in (True, False):
        family = [one for one in found if one.baseline == baseline]
        assert [one.p_holm for one in family] == holm([one.p for one in family]).tolist()
        assert {one.family for one in family} == {6}


def test_the_interval_for_new_trainings_holds_the_other(found):
    for one in found:
        assert one.interval_trained_anew[0] <= one.interval[0] < one.interval[1] <= one.interval_trained_anew[1]


def test_the_same_rows_in_another_order_give_the_same_numbers(frame, found):
    again = compare_strategies(frame.sample(frac=1, random_state=3), baseline="scratch", resamples=999)
    assert again == found


def test_another_seed_changes_the_interval_and_not_p(frame, found):
    other = compare_strategies(frame, baseline="scratch", resamples=999, seed=1)
    assert other[0].interval != found[0].interval
    assert [one.p for one in other] == [one.p for one in found]


@settings(max_examples=15, deadline=None)
@given(several)
def test_exchanging_the_two_turns_everything_around(pairs):
    frame = pairs_frame(*zip(*pairs, strict=True))
    forth = one(frame)
    back = one(frame.replace({"strategy": {"a": "b", "b": "a"}}))
    assert back.difference == pytest.approx(-forth.difference, abs=1e-12)
    assert back.effect == pytest.approx(-forth.effect, abs=1e-9)
    assert back.probability == pytest.approx(1 - forth.probability)
    assert (back.p, back.p_holm) == pytest.approx((forth.p, forth.p_holm))
    assert back.interval == pytest.approx([-limit for limit in forth.interval[::-1]], abs=1e-9, nan_ok=True)


@settings(max_examples=15, deadline=None)
@given(several, dice)
def test_shifting_both_changes_no_difference(pairs, shift):
    frame = pairs_frame(*zip(*pairs, strict=True))
    shifted = one(frame.assign(dice=frame["dice"] + shift))
    plain = one(frame)
    assert (shifted.p, shifted.effect, shifted.probability) == (plain.p, plain.effect, plain.probability)
    assert (shifted.difference, *shifted.interval) == pytest.approx((plain.difference, *plain.interval), nan_ok=True)


def test_lower_distances_are_gains(found, frame):
    turned = frame.assign(hausdorff95_mm=10 * (1 - frame["dice"]))
    lower = compare_strategies(turned, baseline="scratch", score="hausdorff95_mm", resamples=499)
    assert [one.verdict for one in lower] == [one.verdict for one in found]
    assert lower[0].difference == pytest.approx(-10 * found[0].difference)
    assert lower[0].effect == found[0].effect
    assert lower[0].probability == found[0].probability


@pytest.mark.parametrize(("patients", "verdict"), [(1, "too few patients"), (2, "too few patients"),
                                                   (5, "too few patients"), (6, "better")])
def test_few_patients_are_too_few_until_they_could_show_something(patients, verdict):
    steps = np.arange(1, patients + 1) / 100
    found = one(pairs_frame(0.5 + steps, np.full(patients, 0.5)))
    assert found.verdict == verdict
    assert found.p == pytest.approx(min(1, 2.0 ** (1 - patients)))
    assert np.isnan(found.interval[0]) == (patients < 3)
    assert np.isnan(found.interval_trained_anew[0])


def test_equal_strategies_differ_by_nothing():
    found = one(pairs_frame([0.3, 0.5, 0.9] * 4, [0.3, 0.5, 0.9] * 4))
    assert (found.difference, found.p, found.effect, found.probability) == (0, 1, 0, 0.5)
    assert (found.interval, found.verdict) == ((0, 0), "no evidence")


def test_rounding_makes_no_difference_between_equal_ones():
    a = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    found = one(pairs_frame(a + 0.1, a))
    assert found.interval[0] == found.interval[1] == pytest.approx(0.1)


def test_strategies_without_a_common_case_are_not_compared_and_not_counted():
    frame = study_frame({"a": 0.0, "b": 0.0, "c": 0.02}, patients=8, sizes=(5,))
    frame = frame[(frame["strategy"] != "a") | (frame["seed"] == 0)]
    frame = frame[(frame["strategy"] != "b") | (frame["seed"] == 1)]
    found = {(one.a, one.b): one for one in compare_strategies(frame, baseline="b", resamples=499)}
    assert found["a", "b"].verdict == "not compared"
    assert (found["a", "b"].patients, found["a", "b"].missing) == (0, 16)
    assert (found["c", "b"].patients, found["c", "b"].family) == (8, 1)
    with pytest.raises(InputError, match="Strategies 'a' and 'b' have no test case with a dice in common at size 5"):
        paired_differences(frame, "a", "b", size=5)


def test_a_size_that_one_of_two_lacks_is_told_and_one_that_both_lack_is_not():
    frame = study_frame({"a": 0.0, "b": 0.0, "c": 0.0}, patients=8, sizes=(5, 10))
    frame = frame[(frame["size"] == 5) | (frame["strategy"] == "b")]
    found = compare_strategies(frame, baseline="b", resamples=499)
    assert [(one.a, one.b) for one in found if one.size == 10] == [("a", "b"), ("c", "b")]
    assert {one.verdict for one in found if one.size == 10} == {"not compared"}


def test_a_strategy_without_any_score_is_not_compared_and_not_counted(frame):
    lost = frame.assign(dice=frame["dice"].where(frame["strategy"] != "gan"))
    found = [one for one in compare_strategies(lost, baseline="scratch", resamples=100) if one.baseline]
    assert {one.verdict for one in found if one.a == "gan"} == {"not compared"}
    assert {one.family for one in found} == {4}


def test_no_difference_is_found_as_rarely_as_promised():
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(60):
        strategies = random.normal(0.6, 0.05, (4, 15))
        frame = pairs_frame(strategies[0], strategies[1])
        more = pairs_frame(strategies[2], strategies[3]).replace({"strategy": {"a": "c", "b": "d"}})
        both = compare_strategies(pd.concat([frame, more]), baseline="b", resamples=100)
        alarms += any(one.verdict != "no evidence" for one in both if one.baseline)
    assert alarms <= 8


@pytest.mark.parametrize(("options", "words"), [
    ({"baseline": "scrach"}, "Baseline 'scrach' is not in the study. Did you mean scratch"),
    ({"baseline": "scratch", "score": "dics"}, "Column 'dics' is not in the study. Did you mean dice"),
    ({"baseline": "scratch", "confidence": 95}, "confidence is 95"),
    ({"baseline": "scratch", "resamples": 10}, "resamples 10"),
])
def test_what_cannot_be_compared_is_refused(frame, options, words):
    with pytest.raises(InputError, match=words):
        compare_strategies(frame, **options)


def test_one_strategy_alone_is_refused(frame):
    with pytest.raises(InputError, match="'scratch' is the study's only strategy"):
        compare_strategies(frame[frame["strategy"] == "scratch"], baseline="scratch")
