"""The maps of a prediction, read from their files."""
import numpy as np
import pytest

from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.maps import ENTROPY, PROBABILITY, map_path, predicted_names, read_lesion_probability

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


def test_probabilities_of_pictures_are_in_65535ths_and_those_of_labels_are_summed(tmp_path):
    for name, value in (("a_probability", 65535), ("b_probability_1", 13107), ("b_probability_4", 26214)):
        write_volume(tmp_path / f"{name}.png", np.full((3, 4, 1), value, np.uint16), PICTURE_AFFINE)
    assert np.all(read_lesion_probability(tmp_path / "a_probability.png", labels=(4,)).data == 1)
    np.testing.assert_allclose(read_lesion_probability(tmp_path / "b_probability.png", labels=(1, 4)).data, 0.6)


def test_rounding_of_labels_makes_no_probability_above_one(tmp_path):
    for label, value in ((1, 32768), (4, 32768)):  # 0.5 each, rounded up
        write_volume(tmp_path / f"a_probability_{label}.png", np.full((3, 4, 1), value, np.uint16), PICTURE_AFFINE)
    assert np.all(read_lesion_probability(tmp_path / "a_probability.png", labels=(1, 4)).data == 1)


def test_maps_are_pictures_where_the_prediction_is_one(tmp_path):
    for name in ("flat_prediction.png", "deep_prediction.nii.gz", "both_prediction.nii.gz", "both_prediction.png"):
        (tmp_path / name).touch()
    assert predicted_names(tmp_path) == ["both", "deep", "flat"]
    assert map_path(tmp_path, "flat", PROBABILITY).name == "flat_probability.png"
    assert map_path(tmp_path, "deep", PROBABILITY).name == "deep_probability.nii.gz"
    assert map_path(tmp_path, "both", ENTROPY).name == "both_entropy.nii.gz"


def test_a_folder_without_predictions_is_refused(tmp_path):
    with pytest.raises(InputError, match="mstl predict"):
        predicted_names(tmp_path)
