"""One patient's anatomy and lesions, and their masks on the scan's voxels."""
import numpy as np
import pytest

from mstl.data.heads.acquisition import average_sections
from mstl.data.heads.patient import Projection, draw_patient
from mstl.data.heads.scanner import SCANNERS

GRID = SCANNERS["quick"].grid()


def test_masks_cover_the_brains_box():
    patient = draw_patient(GRID, (1, 1, 1), seed=1, lesion_ml=6)
    assert patient.brain.shape == patient.mask.shape == patient.fine.shape
    assert np.all(patient.brain[patient.mask])
    np.testing.assert_allclose(patient.fine.affine[:, 3], GRID.affine @ [*patient.low, 1])


def test_masks_are_made_and_measured_on_the_voxels_of_a_projection():
    box = draw_patient(GRID, (1, 1, 1), seed=1, lesion_ml=6).fine.shape
    whole = tuple(side // 2 * 2 for side in box)
    cut = tuple(slice(side) for side in whole)
    halved = Projection(lambda values, _: average_sections(values[cut], (2, 2, 2)), voxel_ml=0.064)
    patient = draw_patient(GRID, (1, 1, 1), seed=1, lesion_ml=6, projection=halved)
    assert patient.mask.shape == tuple(side // 2 for side in whole)
    assert patient.mask.sum() * 0.064 == pytest.approx(6, rel=0.25)
