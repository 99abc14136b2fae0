"""Sections of MATLAB arrays as pictures; what nobody drew is no empty mask."""
import numpy as np
import pytest

from mstl.data.formats import open_scan
from mstl.data.formats.mat_files import annotated_sections, arrays_of
from mstl.data.formats.pictures import is_picture
from mstl.data.volume import read_grid, read_mask, read_volume
from mstl.errors import InputError
from tests.pictures import SIZE, save_subject, subject_arrays


@pytest.fixture(params=[False, True], ids=["5", "7.3"])
def path(request, tmp_path):
    return save_subject(tmp_path / "Subject_01.mat", hdf5=request.param)


def error_of(path, read=read_volume) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_section_of_images_is_a_picture(path):
    for number in range(5):
        volume = read_volume(f"{path}#{number}")
        np.testing.assert_array_equal(volume.data[..., 0], subject_arrays()["images"][..., number])
        assert volume.data.dtype == np.uint8
        assert read_grid(f"{path}#{number}").difference(volume.grid) is None
        assert is_picture(f"{path}#{number}")
    assert open_scan(path).shape == (*SIZE, 1, 5)
    np.testing.assert_array_equal(open_scan(path).values(None)[:, :, 0], subject_arrays()["images"])


def test_fluid_is_cut_at_its_threshold_and_nan_in_a_drawn_section_is_none(path):
    drawn = subject_arrays()
    found = read_mask(f"{path}#manualFluid1:1")
    np.testing.assert_array_equal(found.data[..., 0], drawn["manualFluid1"][..., 1] == 7)
    assert found.data.dtype == np.uint8
    found = read_mask(f"{path}#manualFluid2:1")
    np.testing.assert_array_equal(found.data[..., 0], drawn["manualFluid2"][..., 1] >= 0.3)
    assert found.data.any()
    assert not read_mask(f"{path}#manualFluid2:2").data.any()
    assert not read_mask(f"{path}#manualFluid1:3").data.any()


def test_a_section_that_nobody_drew_is_an_error_and_never_an_empty_mask(path):
    assert annotated_sections(path, "manualFluid1") == [1, 3]
    assert annotated_sections(path, "manualFluid2") == [1, 2]
    assert "not annotated, which is not empty" in error_of(f"{path}#manualFluid1:2", read_mask)


def test_a_file_that_was_written_anew_is_read_anew(path):
    first = read_volume(f"{path}#0").data
    arrays = subject_arrays()
    arrays["images"] = 255 - arrays["images"][..., :3]
    save_subject(path, {name: data[..., :3] for name, data in arrays.items()})
    assert open_scan(path).shape[-1] == 3
    np.testing.assert_array_equal(read_volume(f"{path}#0").data, 255 - first)


def test_what_is_not_there_is_said_with_what_is(path):
    assert "has no array 'fluid'; it has images, manualFluid1, manualFluid2" in error_of(f"{path}#fluid:0")
    assert "Name one of #0 to #4" in error_of(f"{path}#5")
    assert "name one of its 5 volumes: Subject_01.mat#0" in error_of(path)
    assert arrays_of(path)["images"] == (*SIZE, 5)


def test_arrays_that_are_no_images_are_errors(tmp_path):
    arrays = {"images": np.zeros((3, 4)), "text": "no", "waves": np.ones((2, 2, 2)) * 1j}
    path = save_subject(tmp_path / "a.mat", arrays)
    assert "array 'images' of shape (3, 4); (rows, columns, sections) is expected" in error_of(f"{path}#0")
    assert "not numeric" in error_of(f"{path}#text:0")
    assert "complex" in error_of(f"{path}#waves:0")


@pytest.mark.parametrize("hdf5", [False, True])
@pytest.mark.parametrize("part", [0.0, 0.05, 0.5, 0.9])
def test_a_truncated_file_is_an_error(tmp_path, hdf5, part):
    path = save_subject(tmp_path / "a.mat", hdf5=hdf5)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(InputError):
        for name in subject_arrays():
            open_scan(f"{path}#{name}:1").values(1)


def test_only_the_arrays_of_the_file_read_last_are_kept(tmp_path):
    from mstl.data.formats import mat_files

    for number in range(4):
        path = save_subject(tmp_path / f"{number}.mat")
        for name in ("images", "manualFluid1", "manualFluid2"):
            read_volume(f"{path}#{name}:1")
    assert mat_files._array.cache_info().currsize == 1
    assert mat_files._mask_of.cache_info().currsize == 2
