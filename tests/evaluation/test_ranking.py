import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.evaluation.pooled import Areas, pooled_scores
from mstl.evaluation.ranking import CaseOverlaps, draws, standings


def overlaps(*dice, classes=None):
    """Overlaps of cases of 100 voxels of mask and 100 of prediction with these Dice; None is a case without lesion."""
    both = [0 if one is None else round(100 * one) for one in dice]
    labelled = [0 if one is None else 100 for one in dice]
    areas = [
        Areas(np.array([1000, common]), np.array([1100, 100]), np.array([1200 - size, size]))
        for common, size in zip(both, labelled, strict=True)
    ]
    return CaseOverlaps.of(areas, classes or areas)


def test_the_score_is_the_mean_over_cases_with_a_lesion():
    assert standings([overlaps(0.2, None, 0.6)], ["a", "b", "c"])[0].score == pytest.approx(0.4)


def test_cases_without_any_lesion_have_no_score():
    assert np.isnan(standings([overlaps(None, None)], ["a", "b"])[0].score)


def test_the_pooled_score_is_that_of_all_areas_together():
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (2, 4, 50))
    areas = [Areas.of(one, other, num_classes=3) for one, other in zip(*masks, strict=True)]
    lesions = [Areas.of(one > 0, other > 0, num_classes=2) for one, other in zip(*masks, strict=True)]
    found = standings([CaseOverlaps.of(lesions, areas)], ["a", "a", "b", "c"], by="mdice")[0]
    assert found.score == pytest.approx(pooled_scores(Areas.of(*masks, num_classes=3))["mdice"])
    assert found.low <= found.score <= found.high


def test_a_network_that_is_better_on_every_case_is_always_first():
    good, bad = standings([overlaps(0.9, 0.8, 0.7), overlaps(0.8, 0.7, 0.6)], ["a", "b", "c"])
    assert (good.first, bad.first) == (1, 0)
    assert good.low < good.score < good.high


def test_equal_networks_share_the_first_place():
    found = standings([overlaps(0.9, 0.8)] * 4, ["a", "b"])
    assert [one.first for one in found] == [0.25] * 4


def test_networks_that_differ_by_chance_are_told_by_the_share():
    first, second = standings([overlaps(0.9, 0.1, 0.5), overlaps(0.1, 0.85, 0.5)], ["a", "b", "c"])
    assert first.score > second.score
    assert 0.3 < first.first < 0.75


def test_one_subject_has_no_interval():
    found = standings([overlaps(0.9, 0.1)], ["a", "a"])[0]
    assert found.score == pytest.approx(0.5)
    assert np.isnan([found.low, found.high, found.first]).all()


def test_no_network_has_no_standing():
    assert standings([], ["a", "b"]) == []


def test_the_same_cases_give_the_same_intervals():
    assert standings([overlaps(0.9, 0.1)], ["a", "b"]) == standings([overlaps(0.9, 0.1)], ["a", "b"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=2, max_size=8))
def test_sessions_of_a_subject_are_drawn_together(subjects):
    weights = draws(subjects)
    if len(set(subjects)) < 2:
        assert weights.shape == (0, len(subjects))
        return
    for subject in set(subjects):
        mine = weights[:, [name == subject for name in subjects]]
        assert np.all(mine == mine[:, :1])
    first = [subjects.index(name) for name in sorted(set(subjects))]
    assert np.all(weights[:, first].sum(axis=1) == len(set(subjects)))
