"""Parameters of a preparation are checked at once and come in one form."""
import itertools

import pytest

from mstl.data.preparation import STEPS, Preparation
from mstl.errors import InputError


def test_steps_run_in_one_order_whatever_order_they_are_given_in():
    for steps in itertools.permutations(("n4", "brain", "coregister")):
        assert Preparation(modalities=("flair",), steps=steps).steps == ("coregister", "brain", "n4")
    assert Preparation(modalities=("flair",), steps=("n4", "n4")).steps == ("n4",)


def test_nothing_is_done_to_scans_that_was_not_asked_for():
    assert Preparation(modalities=("flair",)).steps == ()


def test_one_number_stands_for_three_axes():
    preparation = Preparation(modalities=["flair"], spacing=1, shape=(64,))
    assert (preparation.spacing, preparation.shape) == ((1.0, 1.0, 1.0), (64, 64, 64))
    assert preparation.modalities == ("flair",)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": ("corregister",)}, "'corregister' is unknown .did you mean 'coregister'"),
        ({"steps": ("skull",)}, f"Choose of {', '.join(STEPS)}"),
        ({"brain": "betty"}, "'betty' is unknown. Choose one of auto, "),
        ({"normalise": "z"}, "Normalisation 'z' is unknown"),
        ({"modalities": ()}, "no modality in common"),
        ({"modalities": ("t1", "t1")}, "name one twice"),
        ({"spacing": (1, 0, 1)}, "spacing is .1, 0, 1.; one or three positive"),
        ({"shape": (1, 2, 3, 4)}, "one or three positive"),
        ({"spacing": (1, 2)}, "one or three positive"),
    ],
)
def test_what_cannot_be_is_an_error_that_shows_what_can(parameters, message):
    with pytest.raises(InputError, match=message):
        Preparation(**{"modalities": ("flair",), **parameters})


def test_parameters_of_an_older_record_have_their_defaults():
    old = {"modalities": ["flair", "t1"], "spacing": [1.0, 1.0, 1.0], "shape": None, "normalise": "max"}
    assert Preparation.of_record(old, source="run") == Preparation(("flair", "t1"), spacing=1, normalise="max")


@pytest.mark.parametrize(
    ("record", "reason"), [({"modalities": ["t1"], "warp": 1}, "run was prepared with warp"), ({}, "no modalities")]
)
def test_records_that_are_not_understood_are_refused(record, reason):
    with pytest.raises(InputError, match=reason):
        Preparation.of_record(record, source="run")


def test_a_shape_that_no_memory_holds_is_refused():
    with pytest.raises(InputError, match="smaller --shape"):
        Preparation(("flair",), shape=100_000)


def test_a_record_without_labels_is_that_of_an_older_preparation():
    preparation = Preparation(("flair",))
    assert "labels" not in preparation.to_record()
    assert Preparation.of_record(preparation.to_record(), source="run") == preparation
    labelled = Preparation(("flair",), labels=[1, 2, 4])
    assert labelled.to_record()["labels"] == (1, 2, 4)
    assert Preparation.of_record(labelled.to_record(), source="run") == labelled


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"labels": (0, 1)}, "Labels are 0, 1"), ({"labels": (1, 2), "binarise_masks": True}, "Ask for one")],
)
def test_labels_that_cannot_be_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        Preparation(("flair",), **parameters)
