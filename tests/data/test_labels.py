"""Labels of a mask become class numbers and labels again."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from mstl.data.labels import checked_labels, proposed_labels, shown, to_classes, to_labels, unknown_values
from mstl.errors import InputError

LABELS = st.lists(st.integers(1, 255), min_size=1, max_size=6, unique=True).map(tuple)


@settings(max_examples=50, deadline=None)
@given(labels=LABELS, data=st.data())
def test_labels_become_classes_and_labels_again(labels, data):
    values = data.draw(arrays(np.uint8, (2, 3, 2), elements=st.sampled_from((0, *labels))))
    classes = to_classes(values, labels)
    assert classes.dtype == np.uint8
    assert classes.max() <= len(labels)
    assert_array_equal(to_labels(classes, labels), values)


def test_classes_are_numbered_in_the_order_of_the_labels():
    assert_array_equal(to_classes(np.array([0, 1, 2, 4]), (1, 2, 4)), [0, 1, 2, 3])
    assert_array_equal(to_classes(np.array([0.0, 1, 2, 4]), (4, 2, 1)), [0, 3, 2, 1])


def test_without_labels_zero_and_one_are_what_they_are():
    assert_array_equal(to_classes(np.array([0, 1], np.int16), ()), [0, 1])
    assert_array_equal(to_labels(np.array([0, 1]), ()), [0, 1])


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_of_memory_is_kept(order):
    values = np.asarray(np.ones((3, 4, 5)), order=order)
    assert to_classes(values, (1, 2)).flags[f"{order}_CONTIGUOUS"]


def test_values_that_nobody_declared_are_found():
    values = np.array([0, 1, 2, 4, 7, -1, 0.5])
    assert_array_equal(unknown_values(values, (1, 2, 4)), [-1, 0.5, 7])
    assert_array_equal(unknown_values(values, ()), [-1, 0.5, 2, 4, 7])
    assert not unknown_values(np.array([0, 2]), (1, 2)).size


@pytest.mark.parametrize("labels", [(0, 1), (1, 1), (256,), (-1,), (1.5,), ("1", "2"), (float("nan"),)])
def test_labels_that_no_mask_can_hold_are_refused(labels):
    with pytest.raises(InputError, match="whole numbers from 1 to 255"):
        checked_labels(labels)


def test_whole_numbers_are_proposed_as_labels_and_nothing_else():
    assert proposed_labels([0.0, 4.0, 1.0, 2.0]) == (1, 2, 4)
    assert proposed_labels([0, 0.5, 1]) == proposed_labels([0, 1, 300]) == proposed_labels([-1, 0]) == ()
    assert proposed_labels(range(100)) == ()
    assert proposed_labels([0, 1, float("inf")]) == proposed_labels([0, float("nan")]) == ()
    assert shown((1.0, 2, 4)) == "1,2,4"
