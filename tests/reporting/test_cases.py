"""Cases as the report shows them: which side is where."""
import numpy as np
import pytest

from mstl.data.cohort import Case
from mstl.data.volume import read_volume, write_volume
from mstl.errors import InputError
from mstl.files import write_json
from mstl.reporting.cases import read_case

TURN = np.array([[0.0, np.cos(0.1), np.sin(0.1)], [0.0, np.sin(0.1), -np.cos(0.1)], [1.0, 0.0, 0.0]])
OBLIQUE = np.block([[TURN * (2, 2, 3), np.array([[-25.0], [18], [-22]])], [np.zeros(3), np.ones(1)]])


def test_a_lesion_on_the_right_appears_on_the_left_of_the_picture(tiny):
    shown = read_case(tiny.cohort[0], tiny.predictions)
    columns = np.flatnonzero(shown.reference.any(axis=(0, 1)))
    assert columns.max() < shown.reference.shape[2] / 2
    d, h, w = np.argwhere(shown.reference).mean(axis=0)
    assert (shown.grid.affine @ [d, h, w, 1])[0] > 0
    assert shown.grid.spacing == pytest.approx((4, 2, 2))
    np.testing.assert_array_equal(shown.image[shown.reference], 200)


def test_every_stored_orientation_is_turned_to_the_same_view(tmp_path):
    image = np.zeros((20, 24, 12), np.float32)
    image[2:, 2:-2, 2:-2] = 1
    right, front, top = image.copy(), image.copy(), image.copy()
    right[:, -5:], front[:, :, :3], top[-4:] = 9, 9, 9  # OBLIQUE runs S, R, P
    for name, data in (("right", right), ("front", front), ("top", top)):
        write_volume(tmp_path / f"{name}.nii", data, OBLIQUE)
        write_volume(tmp_path / f"{name}_prediction.nii.gz", (data == 9).astype(np.uint8), OBLIQUE)
    shown = [read_case(Case(name, images={"flair": tmp_path / f"{name}.nii"}), tmp_path)
             for name in ("right", "front", "top")]
    middle = [np.argwhere(case.prediction).mean(axis=0) / case.prediction.shape for case in shown]
    assert middle[0][2] < 0.3  # W from right
    assert middle[1][1] < 0.3  # H from anterior
    assert middle[2][0] > 0.7  # D to superior
    assert shown[0].reference is None
    assert shown[0].probability is None


def test_the_scan_that_is_shown_is_the_one_on_whose_grid_was_predicted(tiny, tmp_path):
    case, thick = tiny.cohort[0], tmp_path / "thick.nii.gz"
    write_volume(thick, np.arange(60, dtype=np.float32).reshape(5, 4, 3), np.diag([9.0, 9, 9, 1]))
    shown = read_case(Case("anna", images={"flair": thick, "t1": case.images["flair"]}), tiny.predictions)
    assert shown.modality == "t1"
    np.testing.assert_array_equal(shown.image, read_case(case, tiny.predictions).image)


def test_a_prediction_on_a_foreign_grid_is_refused(tiny, tmp_path):
    write_volume(tmp_path / "anna_prediction.nii.gz", np.zeros((5, 5, 5), np.uint8), np.eye(4))
    with pytest.raises(InputError, match="grid of no scan of case anna"):
        read_case(tiny.cohort[0], tmp_path)


def test_labels_are_shown_as_labels_and_the_probability_is_that_of_any(tumour_run):
    shown = read_case(tumour_run.cohort[0], tumour_run.predictions)
    assert shown.labels == (1, 2, 4)
    assert np.unique(shown.reference).tolist() == np.unique(shown.prediction).tolist() == [0, 1, 2, 4]
    np.testing.assert_allclose(shown.probability, np.where(shown.prediction > 0, 0.9, 0), atol=1e-6)


def test_one_label_is_lesion_whatever_its_value(tiny, tmp_path):
    case = tiny.cohort[0]
    mask = read_volume(case.mask)
    write_volume(tmp_path / "anna_prediction.nii.gz", mask.data * np.uint8(4), mask.affine)
    write_json(tmp_path / "anna.json", {"labels": [4]})
    shown = read_case(case, tmp_path)
    assert shown.labels == ()
    assert shown.prediction.dtype == bool
    np.testing.assert_array_equal(shown.prediction, shown.reference)
