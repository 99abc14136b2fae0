"""Telling brains that were extracted before from scans with the head around the brain."""
import numpy as np
import pytest
from scipy import ndimage

from mstl.data.brain_extracted import extracted_brain
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume, read_volume

MODALITIES = ("flair", "t1", "t2")


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=3, scanner="quick", modalities=MODALITIES)


@pytest.fixture(scope="module")
def head():
    return make_phantom(seed=3, scanner="quick-skull", modalities=MODALITIES)


def differing(brain: np.ndarray, mask: Volume) -> int:
    """Voxels in which they differ: holes are filled, specks of one voxel left out."""
    return np.count_nonzero(brain != mask.data.astype(bool))


@pytest.mark.parametrize("modality", MODALITIES)
def test_an_extracted_brain_is_found_as_it_was_cut_out(phantom, modality):
    assert differing(extracted_brain(phantom.images[modality]), phantom.brain_mask) < 10


@pytest.mark.parametrize("modality", MODALITIES)
def test_small_noise_of_interpolation_around_a_brain_is_background(phantom, modality):
    scan = phantom.images[modality]
    inside = phantom.brain_mask.data.astype(bool)
    near = ndimage.binary_dilation(inside, iterations=2) & ~inside
    noise = np.random.default_rng(0).normal(0, 0.002 * scan.data.max(), scan.shape)
    brain = extracted_brain(Volume(np.where(near, noise, scan.data), scan.affine))
    assert differing(brain, phantom.brain_mask) < 10


@pytest.mark.parametrize("background", [-3.5, 0.0, 1000.0])
def test_the_background_may_be_any_one_value(phantom, background):
    inside = phantom.brain_mask.data.astype(bool)
    data = np.where(inside, 4.0 * phantom.images["t1"].data / phantom.images["t1"].data.max(), background)
    assert differing(extracted_brain(Volume(data, phantom.mask.affine)), phantom.brain_mask) < 10


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("air", ["noise", "zero"])
def test_a_head_is_no_extracted_brain_even_where_its_air_is_zero(head, modality, air):
    scan = head.images[modality]
    data = np.where(scan.data < 0.1 * np.percentile(scan.data, 99), 0, scan.data) if air == "zero" else scan.data
    assert extracted_brain(Volume(data, scan.affine)) is None


def test_noise_and_a_constant_are_no_brain():
    noise = np.random.default_rng(0).normal(100, 5, (20, 20, 20)).astype(np.float32)
    assert extracted_brain(Volume(noise, np.eye(4))) is None
    assert extracted_brain(Volume(np.ones((20, 20, 20)), np.eye(4))) is None


def test_real_scans_are_told_apart(shared):
    folder = shared / "data" / "open_ms_data" / "cross_sectional" / "MNI"
    extracted = sorted(folder.rglob("*_brain_N4_regtoMNI.nii.gz"))
    assert len(extracted) == 8
    for path in extracted[::3]:
        scan = read_volume(path)
        volume_ml = np.count_nonzero(extracted_brain(scan)) / 1000
        assert 1000 < volume_ml < 1300, path
    for name in ("t1", "t1c", "t2", "fla"):
        assert extracted_brain(read_volume(shared / "data" / "tcia_raw" / f"{name}.nii.gz")) is None
