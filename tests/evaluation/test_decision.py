"""The way from probabilities to a mask, and where a run states it."""
from types import SimpleNamespace

import numpy as np
import pytest

from mstl.errors import InputError
from mstl.evaluation.cleanup import NO_CLEAN_UP, CleanUp
from mstl.evaluation.decision import Decision

CHOSEN = {"minimum_ml": 0.01, "largest_only": True}


def run(*, labels=(), threshold=0.5, clean_up=None):
    return SimpleNamespace(
        folder="run", preparation={"labels": list(labels)}, threshold=threshold, clean_up=clean_up or {}
    )


@pytest.mark.parametrize("classes", [1, 2])
def test_threshold_and_clean_up_of_the_run_go_together(classes):
    chosen = run(threshold=0.35, clean_up=CHOSEN)
    assert Decision.of_run(chosen, classes=classes) == Decision(0.35, CleanUp(0.01, True))
    assert Decision.of_run(chosen, classes=classes, threshold=0.6) == Decision(0.6, NO_CLEAN_UP)


def test_an_older_run_has_no_clean_up():
    assert Decision.of_run(run(), classes=1) == Decision(0.5)


def test_several_classes_take_the_labels_of_the_preparation_or_their_numbers():
    assert Decision.of_run(run(labels=(1, 2, 4), clean_up=CHOSEN), classes=4) == Decision(
        None, CleanUp(0.01, True), (1, 2, 4)
    )
    assert Decision.of_run(run(), classes=3).labels == (1, 2)


def test_one_class_writes_its_label_if_there_is_but_one():
    assert Decision.of_run(run(labels=(4,)), classes=2).labels == (4,)
    assert Decision.of_run(run(labels=(1, 2, 4)), classes=1).labels == ()


def test_the_most_probable_class_is_written_as_its_label():
    probability = np.eye(4, dtype=np.float32)[[[[0, 1, 2, 3]]]]
    assert Decision(None, labels=(1, 2, 4))(probability, voxel_ml=1).tolist() == [[[0, 1, 2, 4]]]
    assert not Decision(None, labels=(1, 2, 4))(np.zeros((2, 2, 2, 4)), voxel_ml=1).any()


def test_one_class_is_cut_at_the_threshold_and_cleaned():
    probability = np.array([0.9, 0.1, 0.7, 0.7], np.float32).reshape(1, 1, 4, 1)
    assert Decision(0.7)(probability, voxel_ml=1).tolist() == [[[1, 0, 1, 1]]]
    assert Decision(0.7, CleanUp(2))(probability, voxel_ml=1).tolist() == [[[0, 0, 1, 1]]]


def test_a_threshold_for_several_classes_is_refused():
    with pytest.raises(InputError, match="tells 4 classes apart"):
        Decision.of_run(run(), classes=4, threshold=0.5)


def test_another_number_of_labels_than_of_classes_is_refused():
    with pytest.raises(InputError, match=r"labels 1,2,4\. Train it again with num_classes: 4"):
        Decision.of_run(run(labels=(1, 2, 4)), classes=3)


def test_the_record_names_what_was_done():
    assert Decision(0.4).to_record() == {"threshold": 0.4, "minimum_ml": 0.0, "largest_only": False}
    assert Decision(None, labels=(1, 2)).to_record()["labels"] == (1, 2)
