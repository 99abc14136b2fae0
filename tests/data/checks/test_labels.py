"""Masks of labels: what they hold is told, rare labels and mixed conventions are found."""
import pytest

from mstl.data.checks.labels import (
    cohort_labels,
    holds_labels,
    labelled_masks,
    mixed_conventions,
    rare_labels,
)


@pytest.fixture
def cases(case, mask):
    """Function that makes a case for each dictionary of labels and their voxels."""

    def make(*held: dict[int, int]):
        kinds = ["labels" if len(one) > 1 else "binary" if set(one) <= {1} else "scaled" for one in held]
        masks = [mask(kind=kind, labels=labels) for kind, labels in zip(kinds, held, strict=True)]
        return [case(f"c{number}", mask=one) for number, one in enumerate(masks)]

    return make


def test_labels_are_told_with_their_voxels_and_the_option_that_keeps_them(cases):
    (found, other) = labelled_masks(cases({1: 10, 2: 2000, 4: 30}, {1: 5, 2: 10}))
    assert (found.level, found.rule) == ("note", "labels-mask")
    assert "1 (10), 2 (2,000), 4 (30). 'mstl prepare --labels 1,2,4' keeps" in found.message
    assert other.details["labels"] == {"1": 5, "2": 10}


def test_masks_of_one_label_are_of_the_cohort_s_labels_where_others_hold_several(cases):
    tumours = cases({1: 10, 2: 20}, {2: 5}, {1: 5}, {255: 5})
    known = cohort_labels(tumours)
    assert known == (1, 2)
    assert [holds_labels(case, known) for case in tumours] == [True, True, True, False]
    assert cohort_labels(cases({1: 5}, {255: 5})) == ()


def test_a_cohort_of_one_class_has_no_labels_to_tell_of(cases, case):
    assert list(labelled_masks(cases({1: 5}, {1: 7}))) == []
    assert list(rare_labels([case(mask=None)])) == []


def test_a_label_of_some_masks_is_told_of_the_fewer(cases):
    some = cases({1: 1, 2: 1, 4: 1}, {1: 1, 2: 1, 4: 1}, {1: 1, 2: 1}, {1: 1, 2: 1, 3: 1, 4: 1})
    found = {(one.case, one.details["label"]): one.message for one in rare_labels(some)}
    assert found.keys() == {("c2", 4), ("c3", 3)}
    assert "lacks label 4, unlike 3 of 4 masks" in found["c2", 4]
    assert "holds label 3, unlike 3 of 4 masks" in found["c3", 3]


def test_labels_that_all_masks_hold_are_not_told_of(cases):
    assert list(rare_labels(cases({1: 1, 2: 1}, {1: 1, 2: 1}))) == []


def test_two_years_of_brats_in_one_cohort_are_a_warning(cases):
    mixed = cases({1: 1, 2: 1, 4: 1}, {1: 1, 2: 1, 4: 1}, {1: 1, 2: 1, 3: 1})
    (found,) = mixed_conventions(mixed)
    assert (found.case, found.level) == ("c2", "warning")
    assert "holds label 3 and no 4" in found.message
    assert list(mixed_conventions([*mixed, *cases({1: 1, 3: 1, 4: 1})])) == []
    assert list(mixed_conventions(mixed[:2])) == []
