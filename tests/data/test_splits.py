"""Divisions by subject: complete, repeatable, of the right sizes, balanced."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.splits import fold_subjects, split_subjects
from mstl.errors import InputError

loads = st.dictionaries(
    st.text(alphabet="abcdefgh0123456789", min_size=1, max_size=4),
    st.sampled_from([0.0, 0.0, 0.1, 1.3, 5.0, 49.8, 200.0]),
    min_size=5,
    max_size=40,
)
seeds = st.integers(0, 2**31)
ratio_sets = st.sampled_from(
    [(0.6, 0.2, 0.2), (0.5, 0.5), (0.9, 0.05, 0.05), (1.0,), (0.7, 0.0, 0.3), (1 / 3,) * 3]
)


def lognormal_loads(rng: np.random.Generator, count: int) -> dict[str, float]:
    return {f"s{i:02d}": float(volume) for i, volume in enumerate(rng.lognormal(2, 1.2, count))}


def spread(volumes: dict[str, float], sides: list[list[str]]) -> float:
    means = [np.mean([volumes[name] for name in side]) for side in sides]
    return max(means) - min(means)


@settings(deadline=None)
@given(loads, ratio_sets, seeds)
def test_a_split_is_a_partition_of_the_subjects(volumes, ratios, seed):
    sides = split_subjects(volumes, ratios=ratios, seed=seed)
    assert sorted(name for side in sides for name in side) == sorted(volumes)


@settings(deadline=None)
@given(loads, ratio_sets, seeds)
def test_sizes_are_within_one_of_the_ratios_and_empty_only_where_asked(volumes, ratios, seed):
    sides = split_subjects(volumes, ratios=ratios, seed=seed)
    for side, ratio in zip(sides, ratios, strict=True):
        assert bool(side) == (ratio > 0)
        assert abs(len(side) - ratio * len(volumes)) < 2


@settings(deadline=None)
@given(loads, seeds)
def test_a_split_depends_on_the_seed_and_not_on_the_order_of_the_subjects(volumes, seed):
    backwards = dict(reversed(volumes.items()))
    assert split_subjects(volumes, ratios=(0.5, 0.5), seed=seed) == split_subjects(
        backwards, ratios=(0.5, 0.5), seed=seed
    )


@settings(deadline=None)
@given(loads, st.integers(2, 5), seeds)
def test_folds_are_a_partition_of_nearly_equal_sizes(volumes, k, seed):
    folds = fold_subjects(volumes, k, seed=seed)
    assert sorted(name for fold in folds for name in fold) == sorted(volumes)
    assert len(folds) == k
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


def test_sizes_follow_by_largest_remainder():
    volumes = dict.fromkeys("abcdefghijk", 1.0)
    assert [len(side) for side in split_subjects(volumes, ratios=(0.6, 0.2, 0.2), seed=0)] == [7, 2, 2]
    assert [len(side) for side in fold_subjects(volumes, 4, seed=0)] == [3, 3, 3, 2]


def test_a_small_ratio_still_gets_one_subject():
    sides = split_subjects(dict.fromkeys("abcde", 1.0), ratios=(0.9, 0.05, 0.05), seed=0)
    assert [len(side) for side in sides] == [3, 1, 1]


def test_another_seed_gives_another_split():
    volumes = lognormal_loads(np.random.default_rng(0), 20)
    splits = {tuple(map(tuple, split_subjects(volumes, ratios=(0.5, 0.5), seed=seed))) for seed in range(10)}
    assert len(splits) > 5


def test_each_side_holds_small_and_large_loads():
    volumes = {f"s{i:02d}": float(i) for i in range(20)}
    for seed in range(20):
        for side in split_subjects(volumes, ratios=(0.6, 0.2, 0.2), seed=seed):
            assert min(volumes[name] for name in side) < 10 <= max(volumes[name] for name in side)


@pytest.mark.parametrize("ratios", [(0.6, 0.2, 0.2), (0.5, 0.5)])
def test_mean_loads_of_the_sides_are_nearer_than_by_chance(ratios):
    rng = np.random.default_rng(1)
    ours, chance = [], []
    for seed in range(200):
        volumes = lognormal_loads(rng, 30)
        sides = split_subjects(volumes, ratios=ratios, seed=seed)
        names = rng.permutation(list(volumes))
        cuts = np.cumsum([len(side) for side in sides])[:-1]
        ours.append(spread(volumes, sides))
        chance.append(spread(volumes, [list(side) for side in np.split(names, cuts)]))
    assert np.mean(ours) < 0.8 * np.mean(chance)


def test_mean_loads_of_folds_are_nearer_than_by_chance():
    rng = np.random.default_rng(2)
    ours, chance = [], []
    for seed in range(200):
        volumes = lognormal_loads(rng, 30)
        ours.append(spread(volumes, fold_subjects(volumes, 5, seed=seed)))
        chance.append(spread(volumes, np.array_split(rng.permutation(list(volumes)), 5)))
    assert np.mean(ours) < 0.8 * np.mean(chance)


@pytest.mark.parametrize("ratios", [(), (0.5, 0.4), (1.5, -0.5), (float("nan"), 1.0), (6, 2, 2)])
def test_ratios_that_are_no_shares_of_one_are_an_error(ratios):
    with pytest.raises(InputError, match="sum to 1"):
        split_subjects(dict.fromkeys("abc", 1.0), ratios=ratios, seed=0)


def test_fewer_subjects_than_sides_is_an_error_that_counts_them():
    with pytest.raises(InputError, match=r"2 subjects given.*3 sides.*Add subjects"):
        split_subjects(dict.fromkeys("ab", 1.0), ratios=(0.6, 0.2, 0.2), seed=0)
    with pytest.raises(InputError, match=r"1 subject given, 2 folds need at least 2"):
        fold_subjects({"a": 1.0}, 2, seed=0)


@pytest.mark.parametrize("k", [1, 0, -2, 2.5])
def test_a_number_of_folds_that_makes_no_folds_is_an_error(k):
    with pytest.raises(InputError, match="integer of at least 2"):
        fold_subjects(dict.fromkeys("abc", 1.0), k, seed=0)
