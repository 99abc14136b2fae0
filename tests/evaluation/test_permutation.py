"""The permutation test: whole subjects change sides, twins of one subject are swapped, p is what counting gives."""
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.errors import InputError
from mstl.evaluation.domain_shift import mmd2
from mstl.evaluation.permutation import Subjects, permutation_test


def samples(subjects, seed, *, shift=0.0, between=0.0, each=6, features=3):
    """Samples of some subjects who differ by `between`, and the subject of each."""
    random = np.random.default_rng(seed)
    names = np.repeat(subjects, each)
    own = {name: random.normal(0, between, features) for name in subjects} if between else {}
    data = random.normal(shift, 1, (len(names), features))
    return data + np.array([own.get(name, np.zeros(features)) for name in names]), names.tolist()


def counted(x, y, labels_x, labels_y, swaps):
    """p by computing the MMD anew for every partition of the pooled samples."""
    pooled, labels = np.concatenate([x, y]), [*("x" + name for name in labels_x), *("y" + name for name in labels_y)]
    values = []
    for first in swaps:
        inside = np.isin(labels, first)
        values.append(mmd2(pooled[inside], pooled[~inside]))
    return np.mean(np.array(values) >= mmd2(x, y) - 1e-12)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.sampled_from([0.0, 0.4]))
def test_other_subjects_change_places_whole_and_p_is_exact(seed, shift):
    x, of_x = samples(["a", "b", "c"], seed)
    y, of_y = samples(["d", "e"], seed + 1, shift=shift)
    found = permutation_test(x, y, subjects=(of_x, of_y))
    every = itertools.combinations(["xa", "xb", "xc", "yd", "ye"], 3)
    assert (found.partitions, found.exact, found.smallest_p) == (10, True, 0.1)
    assert found.p == pytest.approx(counted(x, y, of_x, of_y, every))
    assert found.mmd2 == pytest.approx(mmd2(x, y))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), shift=st.sampled_from([0.0, 0.4]))
def test_who_is_in_both_sets_is_swapped_with_himself(seed, shift):
    x, of_x = samples(["a", "b", "c"], seed)
    y, of_y = samples(["b", "c", "a"], seed + 1, shift=shift)
    found = permutation_test(x, y, subjects=(of_x, of_y))
    every = itertools.product(*([side + name for side in "xy"] for name in "abc"))
    assert (found.partitions, found.exact, found.smallest_p) == (4, True, 0.25)
    assert found.p == pytest.approx(counted(x, y, of_x, of_y, every))


def test_equal_names_are_different_persons_where_that_is_said():
    x, of_x = samples(["a", "b", "c"], 0)
    y, of_y = samples(["a", "b", "c"], 1)
    assert permutation_test(x, y, subjects=(of_x, of_y), paired=False).partitions == 10


@pytest.mark.parametrize(("first", "second", "partitions"), [
    ("a", "a", 1), ("a", "b", 1), ("ab", "ab", 2), ("ab", "cd", 3), ("abc", "abd", 4), ("abcd", "a", 2), ("ab", "c", 3),
    ("abcdef", "abcdef", 32),
])
def test_partitions_are_counted_and_tried_once_each(first, second, partitions):
    who = Subjects.of(list(first), list(second))
    rows = who.every()
    both = {min(tuple(row), tuple(~row)) for row in rows} if len(first) == len(second) else set(map(tuple, rows))
    assert who.partitions == len(rows) == len(both) == partitions
    assert set(rows.sum(axis=1)) == {len(first)}
    assert (rows == who.observed).all(axis=1).any()


def test_many_partitions_are_drawn_by_seed():
    x, of_x = samples([f"a{n}" for n in range(12)], 0, shift=1)
    y, of_y = samples([f"b{n}" for n in range(12)], 1)
    options = {"subjects": (of_x, of_y), "permutations": 199}
    one, again, other = (permutation_test(x, y, **options, seed=seed) for seed in (0, 0, 1))
    assert not one.exact
    assert one.p == one.smallest_p == 1 / 200
    assert np.array_equal(one.by_chance, again.by_chance)
    assert not np.array_equal(one.by_chance, other.by_chance)
    assert one.by_chance.max() < one.mmd2


def test_drawn_partitions_swap_pairs_and_keep_the_size_of_each_set():
    who = Subjects.of(list("abcx"), list("abcyz"))
    rows = who.drawn(500, seed=0)
    assert set(rows.sum(axis=1)) == {4}
    for first, second in who.pairs:
        assert (rows[:, first] ^ rows[:, second]).all()
        assert 0.4 < rows[:, first].mean() < 0.6
    assert rows[:, who.first[0]].mean() == pytest.approx(1 / 3, abs=0.08)


def test_subjects_who_differ_are_no_shift_as_single_samples_would_have_it():
    rejected = {"whole": 0, "single": 0}
    for seed in range(20):
        x, of_x = samples(["a", "b", "c", "d"], seed, between=1.0)
        y, of_y = samples(["e", "f", "g", "h"], seed + 100, between=1.0)
        rejected["whole"] += permutation_test(x, y, subjects=(of_x, of_y)).p <= 0.05
        rejected["single"] += permutation_test(x, y, permutations=99).p <= 0.05
    assert rejected["whole"] <= 3
    assert rejected["single"] >= 10


def test_paired_subjects_show_a_shift_that_their_differences_would_hide():
    x, of_x = samples(list("abcdefg"), 0, between=3.0)
    y = x + 0.5
    swapped = permutation_test(x, y, subjects=(of_x, of_x), kernel="linear")
    moved = permutation_test(x, y, subjects=(of_x, of_x), kernel="linear", paired=False)
    assert swapped.p == swapped.smallest_p == 1 / 64
    assert moved.p > 0.5


@pytest.mark.parametrize(("options", "words"), [
    ({"permutations": 0}, "permutations is 0"),
    ({"subjects": (["a"], ["b"] * 6)}, "Subjects of 1 and 6 samples are named, the sets have 6 and 6"),
    ({"kernel": "cubic"}, "Kernel 'cubic' is unknown"),
])
def test_what_cannot_be_tested_is_refused(options, words):
    x, y = np.random.default_rng(0).normal(size=(2, 6, 3))
    with pytest.raises(InputError, match=words):
        permutation_test(x, y, **options)


def test_too_many_single_samples_are_refused_before_anything_is_computed():
    with pytest.raises(InputError, match="6000 groups of samples are more than the 5000"):
        permutation_test(np.zeros((3000, 2)), np.zeros((3000, 2)))


def test_partitions_that_leave_one_sample_in_a_set_are_refused():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 3))
    with pytest.raises(InputError, match="Sets of 7 and 1 samples are too small"):
        permutation_test(x, y, subjects=(["a"] * 3 + ["b"], ["c"] * 4), permutations=10)
