"""N4 takes planted fields out and leaves the rest."""
import numpy as np
import pytest
import SimpleITK as sitk

from mstl.data.bias_field import correct_bias
from mstl.data.phantom import make_phantom
from mstl.data.volume import Volume
from mstl.errors import InputError


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(seed=2, scanner="quick", modalities=("t1",))


def smooth_field(shape: tuple) -> np.ndarray:
    i, j, k = np.ix_(*(np.linspace(-1, 1, side) for side in shape))
    return 0.3 * i + 0.25 * j**2 - 0.2 * k * j


def test_most_of_a_planted_field_is_divided_out(phantom):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    field = smooth_field(scan.shape)
    planted = Volume((scan.data * np.exp(field)).astype(np.float32), scan.affine)
    plain, mended = (correct_bias(volume, brain).data for volume in (scan, planted))
    left = np.log(np.maximum(mended, 1) / np.maximum(plain, 1))[brain]
    assert left.std() < 0.2 * field[brain].std()


def test_the_correction_is_float32_on_the_same_grid_and_keeps_the_usual_brightness(phantom):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    mended = correct_bias(scan, brain)
    assert mended.data.dtype == np.float32
    assert mended.grid.difference(scan.grid) is None
    assert np.median(mended.data[brain]) == pytest.approx(np.median(scan.data[brain]), rel=0.03)
    assert np.all(mended.data[scan.data == 0] == 0)


def test_a_brighter_scan_gives_a_brighter_correction(phantom):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    once, twice = (correct_bias(Volume(factor * scan.data.astype(np.float32), scan.affine), brain) for factor in (1, 2))
    np.testing.assert_allclose(twice.data, 2 * once.data, rtol=0.01)


def test_the_number_of_threads_does_not_show(phantom):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 3):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(correct_bias(scan, brain).data)
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("dark", ["scan", "brain"])
def test_nothing_to_estimate_from_is_an_error(phantom, dark):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    scan = Volume(np.zeros_like(scan.data), scan.affine, "t1.nii.gz") if dark == "scan" else scan
    with pytest.raises(InputError, match="Leave out the step n4"):
        correct_bias(scan, brain if dark == "scan" else np.zeros_like(brain))


def test_a_slab_of_a_few_thin_slices_has_a_field_too(phantom):
    scan, brain = phantom.images["t1"], phantom.brain_mask.data > 0
    middle = np.s_[:, :, scan.shape[2] // 2 - 2 : scan.shape[2] // 2 + 2]
    affine = scan.affine @ np.diag([1, 1, 0.2, 1])
    mended = correct_bias(Volume(np.ascontiguousarray(scan.data[middle]), affine), brain[middle])
    assert mended.shape[2] == 4
    assert np.isfinite(mended.data).all()


def test_a_single_slice_is_refused_by_name(phantom):
    middle = np.s_[:, :, phantom.images["t1"].shape[2] // 2, None]
    slice_ = Volume(np.ascontiguousarray(phantom.images["t1"].data[middle]), np.eye(4), "flat.nii")
    with pytest.raises(InputError, match=r"flat\.nii of .* x 1 voxels"):
        correct_bias(slice_, phantom.brain_mask.data[middle] > 0)
