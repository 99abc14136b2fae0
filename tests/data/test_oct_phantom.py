import filecmp

import numpy as np
import pytest
from scipy import ndimage

import mstl
from mstl.data.formats.pictures import is_picture
from mstl.data.oct_phantom import SCANS, make_oct_phantom, write_oct_phantoms
from mstl.errors import InputError


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_oct_phantoms(tmp_path_factory.mktemp("oct") / "eyes", subjects=2, seed=3)


def test_equal_arguments_give_equal_pixels_and_others_do_not():
    first, again, other = (make_oct_phantom(seed=seed, scan=4) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[0], other[0])


def test_fluid_is_darker_than_the_tissue_around_it():
    seen = 0
    for seed in range(8):
        image, mask = make_oct_phantom(seed=seed)
        inside = ndimage.binary_erosion(mask)
        around = ndimage.binary_dilation(mask, iterations=6) & ~ndimage.binary_dilation(mask, iterations=2)
        if inside.sum() > 50:
            seen += 1
            assert image[inside].mean() < 0.8 * image[around].mean()
    assert seen >= 3


def test_there_is_most_fluid_in_the_middle_of_an_eye():
    areas = np.array([[make_oct_phantom(seed=seed, scan=scan)[1].sum() for scan in range(SCANS)] for seed in range(12)])
    middle, rim = areas[:, 4:7].mean(), areas[:, [0, 1, 9, 10]].mean()
    assert middle > 4 * rim
    assert (areas == 0).any()


def test_images_and_masks_have_the_published_form():
    image, mask = make_oct_phantom(seed=5)
    assert image.shape == mask.shape == (256, 256)
    assert image.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) <= {0, 1}
    assert image.max() > 150


def test_a_cohort_holds_eleven_scans_of_each_eye(cohort):
    assert len(cohort) == 2 * SCANS
    assert cohort.subjects == ("Subject_01", "Subject_02")
    assert cohort.modalities == ("oct",)
    assert all(is_picture(path) for case in cohort for path in case.files.values())


def test_the_tree_is_found_by_the_layout_of_the_published_set(cohort):
    root = cohort[0].images["oct"].parent.parent
    found = mstl.Cohort.from_layout(root, layout="oct-dme")
    assert [case.name for case in found] == sorted(case.name for case in cohort)
    assert all(case.mask is not None for case in found)


def test_the_same_seed_writes_the_same_bytes(cohort, tmp_path):
    again = write_oct_phantoms(tmp_path / "eyes", subjects=1, seed=3)
    for old, new in zip(cohort, again, strict=False):
        assert filecmp.cmp(old.images["oct"], new.images["oct"], shallow=False)


def test_progress_hears_of_every_eye(tmp_path):
    heard = []
    write_oct_phantoms(tmp_path / "eyes", subjects=2, progress=heard.append)
    assert heard == ["Subject_01", "Subject_02"]


@pytest.mark.parametrize("arguments", [{"seed": -1}, {"seed": 0, "scan": 11}])
def test_numbers_out_of_range_are_refused(arguments):
    with pytest.raises(InputError, match=r"0 to 10, are expected"):
        make_oct_phantom(**arguments)


def test_no_subject_is_refused(tmp_path):
    with pytest.raises(InputError, match="at least 1 is expected"):
        write_oct_phantoms(tmp_path / "eyes", subjects=0)
