from types import SimpleNamespace

import numpy as np
import pytest

from mstl.data.case import Case
from mstl.data.volume import read_mask, write_volume
from mstl.errors import InputError
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.references import MOTIONS, motions, on_prediction
from mstl.files import write_json

MOTION = np.eye(4)
MOTION[:3, 3] = (6.0, -4.0, 2.0)


@pytest.fixture
def moved(tmp_path):
    """A prediction on flair's grid; the mask was drawn on a t1 of another grid, after the head had moved."""
    flair, t1 = np.diag([2.0, 2.0, 2.0, 1.0]), np.diag([1.0, 1.0, 2.0, 1.0])
    scan = np.arange(20 * 22 * 16, dtype=np.float32).reshape(20, 22, 16)
    found = np.zeros((20, 22, 16), np.uint8)
    found[8:12, 9:13, 6:9] = 1
    drawn = np.zeros((40, 44, 16), np.uint8)
    drawn[10:18, 22:30, 5:8] = 1  # moved by (6, -4, 2) mm these are the voxels of `found`
    t1[:3, 3] = (-0.5, -0.5, 0.0)
    write_volume(tmp_path / "flair.nii.gz", scan, flair)
    write_volume(tmp_path / "t1.nii.gz", np.kron(scan, np.ones((2, 2, 1), np.float32)), t1)
    write_volume(tmp_path / "mask.nii.gz", drawn, t1)
    write_volume(tmp_path / "a_prediction.nii.gz", found, flair)
    files = {name: tmp_path / f"{name}.nii.gz" for name in ("flair", "t1", "mask")}
    return Case.of_files(files, subject="a")


def record(folder, t1=MOTION):
    write_json(folder / "a.json", {MOTIONS: {"flair": np.eye(4).tolist(), "t1": t1.tolist()}})


@pytest.mark.parametrize("resample_masks", [False, True])
def test_a_mask_goes_with_the_scan_that_it_was_drawn_on(moved, tmp_path, resample_masks):
    record(tmp_path)
    assert evaluate(tmp_path, [moved], resample_masks=resample_masks)["dice"].tolist() == [1.0]


def test_a_mask_of_the_reference_scan_stays_where_it_is(moved, tmp_path):
    record(tmp_path)
    prediction = read_mask(tmp_path / "a_prediction.nii.gz")
    assert np.array_equal(on_prediction(prediction, moved, prediction).data, prediction.data)


def test_without_a_record_a_mask_on_another_grid_needs_leave(moved, tmp_path):
    with pytest.raises(InputError, match="different grids"):
        evaluate(tmp_path, [moved])
    assert 0 < evaluate(tmp_path, [moved], resample_masks=True)["dice"][0] < 1


def test_a_mask_on_the_grid_of_no_scan_needs_leave_too(moved, tmp_path):
    record(tmp_path)
    other = read_mask(moved.mask)
    write_volume(moved.mask, other.data[:-1], other.affine)
    with pytest.raises(InputError, match="different grids"):
        evaluate(tmp_path, [moved])


def test_motions_are_those_of_the_coregistration_and_none_for_other_scans():
    step = {"name": "coregister", "scans": {"t1": {"matrix": MOTION.tolist()}}}
    case = SimpleNamespace(record={"steps": [{"name": "read"}, step]}, modalities=("flair", "t1"))
    assert motions(case) == {"flair": np.eye(4).tolist(), "t1": MOTION.tolist()}
    case.record["steps"].pop()
    assert motions(case)["t1"] == np.eye(4).tolist()
