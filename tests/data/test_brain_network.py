"""The network of brain extraction: heads of every contrast, field of view and orientation, and what is no head."""
import numpy as np
import pytest

from mstl.data.brain_network import brain_probabilities, network_brain, scaled
from mstl.data.grid import Grid, oriented, resample
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume, read_volume
from mstl.errors import InputError


def dice(one: Volume, other: Volume) -> float:
    one, other = one.data > 0, other.data > 0
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.fixture(scope="module")
def head():
    return make_phantom(seed=5, scanner="quick-skull", modalities=("flair", "t1", "t2"))


@pytest.fixture(scope="module")
def raw_head():
    """Thick slices; each modality on its own grid, the patient moved in between."""
    return make_phantom(seed=6, scanner="quick-raw", modalities=("flair", "t1", "t2"))


@pytest.mark.parametrize("modality", ["flair", "t1", "t2"])
def test_the_brain_of_a_synthetic_head_is_found(head, modality):
    mask = network_brain([head.images[modality]])
    assert mask.data.dtype == np.uint8
    assert mask.grid.difference(head.mask.grid) is None
    assert dice(mask, head.brain_mask) > 0.88


def test_thick_slices_are_enough(raw_head):
    assert dice(network_brain([raw_head.images["flair"]]), raw_head.brain_mask) > 0.85


@pytest.mark.parametrize(("gain", "offset"), [(0.001, 0.0), (1000.0, -500.0)])
def test_units_of_intensity_do_not_matter(head, gain, offset):
    scan = head.images["t1"]
    other = Volume(scan.data * gain + offset, scan.affine)
    assert dice(network_brain([other]), network_brain([scan])) > 0.999


def test_the_orientation_of_the_array_does_not_matter(head):
    scan = head.images["t2"]
    grid = oriented(scan.grid, axes="PIL")
    turned = Volume(resample(scan.data, scan.grid, grid, nearest=True), grid.affine)
    mask = network_brain([turned])
    back = Volume(resample(mask.data, grid, scan.grid, nearest=True), scan.affine)
    assert dice(back, network_brain([scan])) > 0.94


def test_several_images_share_one_mask_on_the_grid_of_the_first(head):
    flair, t1 = head.images["flair"], head.images["t1"]
    part = Grid((60, 80, 50), flair.affine).moved((12, 15, 70), (60, 80, 50))
    cut = Volume(resample(t1.data, t1.grid, part), part.affine)
    mask = network_brain([flair, cut])
    assert mask.grid.difference(flair.grid) is None
    assert dice(mask, head.brain_mask) > 0.88


def test_probabilities_cover_the_scan_at_3_mm(head):
    for probability, grid in brain_probabilities(head.images["flair"]):
        assert probability.shape == grid.shape
        assert probability.dtype == np.float32
        assert np.allclose(grid.spacing, 3)
        assert probability.min() >= 0
        assert probability.max() <= 1


def test_scaled_intensities_do_not_depend_on_gain_or_offset():
    values = np.random.default_rng(0).gamma(1, 100, (20, 20, 20))
    assert np.allclose(scaled(values), scaled(3 * values - 70), atol=1e-4)
    assert scaled(np.ones((4, 4, 4))).max() == 0


@pytest.mark.parametrize("shape", [(2, 2, 2), (40, 50, 1), (90, 100, 80)])
def test_noise_holds_no_brain(shape):
    noise = np.random.default_rng(0).rayleigh(10, shape).astype(np.float32)
    with pytest.raises(InputError, match=r"No brain was found in the image \(.* ml of it") as error:
        network_brain([Volume(noise, np.diag([2.0, 2, 2, 1]))])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["t1", "t1c", "t2", "fla"])
def test_real_scans_with_thick_slices_agree_with_hd_bet(shared, name):
    folder = shared / "data" / "tcia_raw"
    reference = read_volume(folder / f"{name}_brainmask_hdbet.nii.gz")
    assert dice(network_brain([read_volume(folder / f"{name}.nii.gz")]), reference) > 0.93
