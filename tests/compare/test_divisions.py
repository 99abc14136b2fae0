"""Sides of every fold and size: nobody on two, smaller sets within larger ones, all tested once."""
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.compare.divisions import UNUSED, divide, rows_of
from mstl.compare.study import ALL, Study
from mstl.errors import InputError

STRATEGIES = {"scratch": {}, "locked": {"init": "x.h5"}}


class Prepared(list):
    """As much of a prepared cohort as is divided: subjects with masks and lesion volumes."""

    folder = "prepared"

    def lesion_ml_by_subject(self) -> dict[str, float]:
        return {case.subject: float(number) for number, case in enumerate(self)}


def cohort(count: int) -> Prepared:
    return Prepared(SimpleNamespace(subject=f"s{number:02d}", has_mask=True) for number in range(count))


def study(**changes) -> Study:
    return Study.from_dict({"strategies": STRATEGIES, "folds": 3, **changes})


@settings(max_examples=40, deadline=None)
@given(count=st.integers(9, 30), folds=st.integers(2, 4), validation=st.integers(1, 2))
def test_sides_are_apart_and_smaller_training_sets_within_larger_ones(count, folds, validation):
    found = divide(cohort(count), study(folds=folds, validation=validation, sizes=[1, ALL]))
    tested = [name for one in found if one.size == 1 for name in one.test]
    assert sorted(tested) == [f"s{number:02d}" for number in range(count)]
    for one in found:
        assert not set(one.train) & set(one.validation)
        assert not set(one.test) & set(one.pool)
        assert set(one.train) | set(one.validation) <= set(one.pool)
        assert (len(one.train), len(one.validation)) == (one.size, validation)
    for fold in range(folds):
        largest, smallest = (one for one in found if one.fold == fold)
        assert set(smallest.train) < set(largest.train)
        assert (smallest.test, smallest.validation) == (largest.test, largest.validation)


def test_repeats_draw_other_subjects_to_test():
    found = divide(cohort(12), study(folds=None, repeats=3, test=4))
    assert [len(one.test) for one in found] == [4, 4, 4]
    assert len({one.test for one in found}) == 3


def test_equal_studies_are_divided_equally():
    assert divide(cohort(11), study(sizes=[2, 4])) == divide(cohort(11), study(sizes=[4, 2]))


def test_rows_name_the_side_of_every_subject_at_every_size():
    rows = rows_of(divide(cohort(9), study(sizes=[1, ALL])))
    assert len(rows) == 3 * 2 * 9
    assert {row["side"] for row in rows if row["size"] == 1} == {"train", "validation", "test", UNUSED}


@pytest.mark.parametrize("changes", [{"sizes": [8]}, {"folds": 10}, {"validation": 7}])
def test_folds_that_cannot_be_filled_are_an_error(changes):
    with pytest.raises(InputError, match="but 9 are prepared"):
        divide(cohort(9), study(**changes))


def test_subjects_without_masks_are_named():
    cases = cohort(9)
    cases[3].has_mask = False
    with pytest.raises(InputError, match="subjects s03 have no mask"):
        divide(cases, study())
