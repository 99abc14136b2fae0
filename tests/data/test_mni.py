"""Brains find their place in MNI space."""
import numpy as np
import pytest

from mstl.data.grid import Grid, resample
from mstl.data.mni import align_to_mni, template
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume


def test_the_template_is_a_brain_with_nothing_around_it():
    data = template().data
    assert data.dtype == np.float32
    assert 1.7e6 < np.count_nonzero(data) < 2.1e6
    assert not data[0].any()


@pytest.mark.parametrize("modality", ["flair", "t1"])
def test_a_brain_of_any_modality_covers_the_template(modality):
    phantom = make_phantom(seed=3, scanner="quick", modalities=(modality,))
    scan, brain = phantom.images[modality], phantom.brain_mask.data > 0
    shift = np.eye(4)
    shift[:3, 3] = (30, -20, 15)
    found = align_to_mni(Volume(scan.data, shift @ scan.affine), brain)
    there = template()
    inside = resample(brain.view(np.uint8), Grid(scan.shape, found.matrix @ shift @ scan.affine), there.grid,
                      nearest=True)  # fmt: skip
    overlap = 2 * np.count_nonzero(inside & (there.data > 0)) / (inside.sum() + np.count_nonzero(there.data))
    assert overlap > 0.93
