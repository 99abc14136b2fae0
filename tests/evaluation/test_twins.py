"""Comparisons with twins: the numbers of the statistics, the right side first, two families."""
import math

import pytest

from mstl.evaluation.statistics import compare_strategies
from mstl.evaluation.twins import compare_with_twins, turned
from tests.study_frames import study_frame

GAINS = {"a": 0.03, "b": 0.0, "c": 0.02, "d": -0.03}
QUICK = {"resamples": 500}


@pytest.fixture(scope="module")
def frame():
    return study_frame(GAINS, sizes=(5, 10))


@pytest.fixture(scope="module")
def plain(frame):
    return compare_strategies(frame, baseline="b", **QUICK)


def of(found, *key):
    return next(one for one in found if (one.a, one.b, one.size) == key)


def test_with_one_twin_for_all_it_is_what_the_statistics_say(frame, plain):
    found = compare_with_twins(frame, twins={"a": "b", "b": None, "c": "b", "d": "b"}, **QUICK)
    assert len(found) == len(plain)
    for one in plain:
        same = of(found, one.a, one.b, one.size)
        assert same.p_holm == pytest.approx(one.p_holm)
        assert (same.family, same.verdict, same.baseline) == (one.family, one.verdict, one.baseline)
        assert same.difference == pytest.approx(one.difference)
        assert same.interval == pytest.approx(one.interval, abs=2e-3)


def test_every_strategy_stands_before_its_twin_and_twins_are_one_family(frame):
    found = compare_with_twins(frame, twins={"a": "c", "d": "c", "c": "b"}, **QUICK)
    with_twin = [one for one in found if one.baseline]
    assert {(one.a, one.b) for one in with_twin} == {("a", "c"), ("d", "c"), ("c", "b")}
    assert {one.family for one in with_twin} == {6}
    assert {one.family for one in found if not one.baseline} == {6}
    assert len(found) == 12
    assert of(found, "d", "c", 10).negative_transfer
    assert of(found, "d", "c", 10).verdict == "worse"


def test_a_comparison_turned_twice_is_itself_and_turned_once_says_the_opposite(plain):
    for one in plain:
        back = turned(turned(one))
        assert (back.a, back.b, back.interval) == (one.a, one.b, one.interval)
        assert back.probability == pytest.approx(one.probability)
        other = turned(one)
        assert other.difference == -one.difference
        assert other.interval == (-one.interval[1], -one.interval[0])
        assert other.p_holm == one.p_holm
        assert {one.verdict, other.verdict} in ({"better", "worse"}, {"no evidence"}, {"mixed"})


def test_a_twin_that_has_no_scores_is_passed_over(frame):
    found = compare_with_twins(frame, twins={"a": "gone", "c": "b", "d": "d"}, **QUICK)
    assert {(one.a, one.b) for one in found if one.baseline} == {("c", "b")}


def test_one_strategy_alone_has_no_comparison(frame):
    assert compare_with_twins(frame[frame["strategy"] == "a"], twins={"a": "b"}) == []


def test_a_pair_without_a_common_case_is_not_compared(frame):
    alone = {"a": 1, "b": 0}
    apart = frame[frame["fold"] == frame["strategy"].map(alone).fillna(frame["fold"])]
    one = of(compare_with_twins(apart, twins={"a": "b"}, **QUICK), "a", "b", 5)
    assert one.verdict == "not compared"
    assert math.isnan(one.p_holm)
