"""Errors that a user can mend."""
import pytest

from mstl.errors import InputError, TrainingError


def test_an_input_error_is_a_value_error_that_keeps_its_line():
    with pytest.raises(ValueError, match=r"^Mask of p1 is empty\. Draw it\.$") as caught:
        raise InputError("Mask of p1 is empty. Draw it.")
    assert str(caught.value) == "Mask of p1 is empty. Draw it."


def test_a_training_error_is_caught_where_input_errors_are():
    with pytest.raises(InputError, match="nan"):
        raise TrainingError("Loss is nan at step 3.")
