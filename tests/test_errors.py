"""Errors that a user can mend."""
import pytest

from mstl.errors import InputError, PreparationError, TrainingError


def test_an_input_error_is_a_value_error_that_keeps_its_line():
    with pytest.raises(ValueError, match=r"^Mask of p1 is empty\. Draw it\.$") as caught:
        raise InputError("Mask of p1 is empty. Draw it.")
    assert str(caught.value) == "Mask of p1 is empty. Draw it."


def test_a_training_error_is_caught_where_input_errors_are():
    with pytest.raises(InputError, match="nan"):
        raise TrainingError("Loss is nan at step 3.")


def test_a_preparation_error_keeps_the_reason_of_each_case():
    with pytest.raises(InputError, match="1 of 2") as caught:
        raise PreparationError("1 of 2 cases failed.", {"p1": "It is flat."})
    assert caught.value.failures == {"p1": "It is flat."}
