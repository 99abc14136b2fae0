"""Pairs: prediction and reference are read as the same classes, or not at all."""
import numpy as np
import pytest

from mstl.data.cohort import Case
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.pairs import read_pairs
from mstl.files import write_json


@pytest.fixture
def pair(tmp_path):
    """Function that writes a prediction and a reference of given values; returns the folder and the cases."""

    def write(prediction, reference, *, beside=None):
        for name, values in (("a_prediction.nii.gz", prediction), ("mask.nii.gz", reference)):
            data = np.zeros((4, 3, 2), np.uint8)
            data.ravel()[: len(values)] = values
            write_volume(tmp_path / name, data, np.eye(4))
        if beside is not None:
            write_json(tmp_path / "a.json", beside)
        return tmp_path, [Case("a", images={"t1": tmp_path / "t1.nii"}, mask=tmp_path / "mask.nii.gz")]

    return write


def test_labels_beside_a_prediction_are_those_of_its_reference(pair):
    (found,) = read_pairs(*pair((1, 2, 4), (4, 2, 1), beside={"labels": [1, 2, 4]}))
    assert found.labels == (1, 2, 4)
    assert found.prediction.ravel()[:3].tolist() == [1, 2, 3]
    assert found.reference.ravel()[:3].tolist() == [3, 2, 1]


def test_labels_of_predictions_by_other_programs_are_declared(pair):
    given = pair((1, 2, 4), (4, 2, 1))
    with pytest.raises(InputError, match=r"a_prediction.*--labels 1,2,4"):
        list(read_pairs(*given))
    (found,) = read_pairs(*given, labels=(1, 2, 4))
    assert found.reference.max() == 3


def test_a_reference_may_have_labels_that_nothing_was_trained_for(pair):
    given = pair((1, 2), (1, 2, 4), beside={"labels": [1, 2]})
    with pytest.raises(InputError, match=r"mask\.nii\.gz holds values 0, 1, 2, 4; .*--labels 1,2,4"):
        list(read_pairs(*given))
    (found,) = read_pairs(*given, labels=(1, 2, 4))
    assert (found.prediction.max(), found.reference.max()) == (2, 3)


def test_a_prediction_of_labels_that_were_not_declared_is_refused(pair):
    given = pair((1, 2, 4), (1, 2), beside={"labels": [1, 2, 4]})
    with pytest.raises(InputError, match=r"is of labels 1,2,4, but 1,2 are declared.*--labels 1,2,4"):
        list(read_pairs(*given, labels=(1, 2)))


def test_labels_of_a_prediction_of_one_class_cannot_be_scored(pair):
    given = pair((1, 1), (1, 2, 4), beside={"threshold": 0.5})
    with pytest.raises(InputError, match=r"tells lesion from no lesion.*--binarise-masks"):
        list(read_pairs(*given, labels=(1, 2, 4)))
    (found,) = read_pairs(*given, binarise_masks=True)
    assert found.labels == ()
    assert found.reference.sum() == 3


def test_one_label_of_the_reference_is_the_lesion_of_a_prediction_of_one_class(pair):
    (found,) = read_pairs(*pair((1, 1), (4, 4), beside={"threshold": 0.5}), labels=(4,))
    assert np.array_equal(found.prediction, found.reference)
