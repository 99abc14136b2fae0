"""Sides of a split: no person on two of them, whatever the spelling."""
from pathlib import Path

import pytest

from mstl.data.case import Case
from mstl.data.checks.sides import plain_name, shared_subjects


def cases(*names: str) -> list[Case]:
    return [Case(*name.split("/"), images={"t1": Path("t1.nii.gz")}) for name in names]


def test_sessions_of_one_subject_on_two_sides_are_an_error():
    (found,) = shared_subjects({"train": cases("ms-1/a", "ms-2"), "test": cases("ms-1/b")})
    assert (found.level, found.rule) == ("error", "subject-across-sides")
    assert "train: ms-1_a; test: ms-1_b" in found.message


def test_sessions_on_one_side_are_well():
    assert list(shared_subjects({"train": cases("ms-1/a", "ms-1/b"), "test": cases("ms-2")})) == []


def test_names_that_differ_by_spelling_alone_are_a_warning():
    (found,) = shared_subjects({"train": cases("MS-07"), "test": cases("ms_7")})
    assert (found.level, found.rule) == ("warning", "alike-subjects")
    assert "if it is one person" in found.message


@pytest.mark.parametrize(("one", "other"), [("MS-07", "ms7"), ("P 001", "p_1"), ("a1b02", "A1-B2")])
def test_plain_names_are_equal(one, other):
    assert plain_name(one) == plain_name(other)


@pytest.mark.parametrize(("one", "other"), [("ms-1", "ms-10"), ("ms-11", "ms-1"), ("a", "b")])
def test_plain_names_differ(one, other):
    assert plain_name(one) != plain_name(other)
