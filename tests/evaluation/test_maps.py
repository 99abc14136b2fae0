"""The maps of a prediction, read from their files."""
import numpy as np
import pytest

from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.maps import PROBABILITY, read_lesion_probability

SHAPE = (4, 5, 6)


def test_the_probability_of_one_class_is_what_the_file_holds(tmp_path):
    lesion = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
    write_volume(tmp_path / f"a{PROBABILITY}", lesion, np.eye(4))
    for labels in ((), (3,)):
        assert np.array_equal(read_lesion_probability(tmp_path / f"a{PROBABILITY}", labels=labels).data, lesion)


def test_the_probability_of_any_of_several_classes_is_what_the_background_is_not(tmp_path):
    classes = np.random.default_rng(0).dirichlet([1, 1, 1], SHAPE).astype(np.float32)
    write_volume(tmp_path / f"a{PROBABILITY}", classes, np.eye(4))
    found = read_lesion_probability(tmp_path / f"a{PROBABILITY}", labels=(1, 4)).data
    np.testing.assert_allclose(found, classes[..., 1:].sum(axis=-1), atol=1e-6)


def test_probabilities_of_several_classes_are_not_taken_for_those_of_one(tmp_path):
    write_volume(tmp_path / f"a{PROBABILITY}", np.zeros((*SHAPE, 3), np.float32), np.eye(4))
    with pytest.raises(InputError, match=r"a_probability\.nii\.gz"):
        read_lesion_probability(tmp_path / f"a{PROBABILITY}")
