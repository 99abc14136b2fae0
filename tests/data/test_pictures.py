"""Pictures go from their files to prepared and their masks back, all of each image counting as brain."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.cohort import Case, Cohort
from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.grid import Grid, resample
from mstl.data.preparation import Preparation
from mstl.data.prepare import prepare
from mstl.data.prepared import to_native
from mstl.data.target_grid import picture_grid
from mstl.data.volume import read_mask, read_volume, write_volume
from mstl.errors import InputError
from tests.pictures import save_subject
from tests.spots import SIZE, spot, write_pictures


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def plain(cohort, tmp_path_factory):
    return prepare(cohort, tmp_path_factory.mktemp("plain") / "out", normalise="minmax")


@pytest.fixture(scope="module")
def stretched(cohort, tmp_path_factory):
    return prepare(cohort, tmp_path_factory.mktemp("stretched") / "out", shape=(96, 128), normalise="imagenet")


def test_a_picture_is_one_slice_in_the_middle_of_sides_that_networks_take(plain):
    case = plain[0]
    assert case.is_picture
    assert case.shape == (1, 64, 64)
    image, _ = spot()
    inside = np.asarray(case.image)[0, 12:52, 4:60, 0]
    np.testing.assert_allclose(inside, (image - image.min()) / np.ptp(image), atol=1e-3)
    assert np.count_nonzero(case.image) == np.count_nonzero(image)


def test_all_of_the_image_is_brain_black_parts_too_and_the_padding_is_not(plain, stretched):
    case = plain[0]
    assert case.brain.sum() == SIZE[0] * SIZE[1]
    assert case.brain[0, 12:52, 4:60].all()
    assert case.brain_voxels == [SIZE[0] * SIZE[1]]
    assert stretched[0].brain.all()
    step = next(step for step in case.record["steps"] if step["name"] == "brain")
    assert step.pop("seconds") >= 0
    assert step == {"name": "brain", "method": "whole image"}


def test_without_a_shape_images_and_masks_come_back_to_the_bit(plain, cohort):
    for case, source in zip(plain, cohort, strict=True):
        back = to_native(case.mask, case, nearest=True)
        np.testing.assert_array_equal(back.data, read_volume(source.mask).data)
        assert back.grid.difference(read_volume(source.images["oct"]).grid) is None


def test_a_picture_is_stretched_to_the_shape_and_its_mask_comes_back(stretched, cohort):
    case = stretched[0]
    assert case.shape == (1, 96, 128)
    assert case.brain_voxels == [96 * 128]
    assert dice(to_native(case.mask, case, nearest=True).data, read_volume(cohort[0].mask).data) > 0.97


def test_a_mask_of_256_pixels_survives_512(tmp_path):
    cohort = write_pictures(tmp_path, [("a", "")], sizes=[(256, 256)])
    case = prepare(cohort, tmp_path / "out", shape=(512, 512))[0]
    assert dice(to_native(case.mask, case, nearest=True).data, read_volume(cohort[0].mask).data) >= 0.99


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(2, 40)] * 4))
def test_stretching_keeps_a_level_picture_and_covers_all_of_it(sides):
    native = Grid((*sides[:2], 1), PICTURE_AFFINE)
    grid = picture_grid(native, Preparation(("oct",), shape=sides[2:]))
    assert grid.shape == (1, *sides[2:])
    level = np.full(native.shape, 7, np.float32)
    np.testing.assert_allclose(resample(level, native, grid), 7, rtol=1e-6)
    np.testing.assert_allclose(resample(np.full(grid.shape, 7, np.float32), grid, native), 7, rtol=1e-6)


def test_imagenet_greys_are_scaled_by_its_mean_and_deviation(cohort, tmp_path):
    case = prepare(cohort, tmp_path / "out", normalise="imagenet")[0]
    image, _ = spot()
    found = np.asarray(case.image, np.float32)[0, 12:52, 4:60, 0]
    np.testing.assert_allclose(found, (image / 255 - 0.449) / 0.226, atol=2e-3)


def test_white_masks_are_masks_of_one_class(tmp_path):
    cohort = write_pictures(tmp_path / "in", white=255)
    prepared = prepare(cohort, tmp_path / "out")
    assert set(np.unique(prepared[0].mask)) == {0, 1}


def test_pictures_of_several_sizes_are_refused_with_the_option_that_helps(tmp_path):
    names = [("a", ""), ("b", ""), ("c", "")]
    cohort = write_pictures(tmp_path / "in", names, sizes=[(40, 56), (40, 56), (32, 32)])
    with pytest.raises(InputError, match=r"a\.png has 40 x 56 pixels, .*c\.png 32 x 32\. .*--shape 40,56"):
        prepare(cohort, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert {case.shape for case in prepare(cohort, tmp_path / "out", shape=(32, 64))} == {(1, 32, 64)}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"steps": ("n4",)}, "are for scans of heads. Leave --steps out"),
        ({"shape": 64}, "one slice, --shape 64,64,64 has 64"),
        ({"shape": (32, 32), "spacing": 1}, "Give one of both"),
    ],
)
def test_what_makes_no_sense_of_a_picture_is_refused(cohort, tmp_path, parameters, message):
    with pytest.raises(InputError, match=message):
        prepare(Cohort(cohort[:1]), tmp_path / "out", **parameters)


def test_a_mask_of_another_size_kind_or_of_a_brain_is_refused(cohort, tmp_path):
    case, small = cohort[0], write_pictures(tmp_path, [("s", "")], sizes=[(20, 20)])[0]
    write_volume(tmp_path / "mask.nii.gz", np.zeros((*SIZE, 1), np.uint8), np.eye(4))
    wrong = {
        "20 x 20 pixels, .* 40 x 56. Export both": replace(case, mask=small.mask),
        "is a picture, .*mask.nii.gz a volume": replace(case, mask=tmp_path / "mask.nii.gz"),
        "all of which is seen": replace(case, brain_mask=case.mask),
    }
    for number, (message, one) in enumerate(wrong.items()):
        with pytest.raises(InputError, match=message):
            prepare(Cohort([one]), tmp_path / f"out{number}", resample_masks=True)


def test_sections_of_a_matlab_file_are_pictures_of_their_own(tmp_path):
    path = save_subject(tmp_path / "Subject_01.mat")
    files = [{"oct": f"{path}#{section}", "mask": f"{path}#manualFluid1:{section}"} for section in (1, 3)]
    cases = [Case.of_files(each, subject="Subject_01", session=str(number)) for number, each in enumerate(files)]
    first, second = prepare(Cohort(cases), tmp_path / "out", normalise="imagenet")
    assert first.is_picture
    assert first.record["fingerprint"] != second.record["fingerprint"]
    assert np.any(np.asarray(first.image) != np.asarray(second.image))
    assert second.lesion_voxels == [0]
    np.testing.assert_array_equal(to_native(first.mask, first, nearest=True).data, read_mask(files[0]["mask"]).data)
