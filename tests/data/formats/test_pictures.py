"""Pictures as volumes of one slice: values as stored, colours refused, nothing believed that a file cannot hold."""
import re
import struct
import zlib
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from mstl.data.formats import open_scan, write_scan
from mstl.data.formats.pictures import PICTURE_AFFINE, is_picture, write_picture
from mstl.data.grid import oriented
from mstl.data.volume import read_grid, read_mask, read_volume, write_volume
from mstl.errors import InputError
from tests.pictures import fluid, grey, save


def error_of(path, read=read_volume) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_a_picture_is_a_volume_of_one_slice(tmp_path, suffix):
    path = save(tmp_path / f"a{suffix}", grey())
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data[..., 0], grey())
    assert (volume.data.dtype, volume.shape) == (np.uint8, (12, 16, 1))
    assert read_grid(path).difference(volume.grid) is None
    assert is_picture(path)
    assert not is_picture("a.nii.gz")


def test_axes_of_a_picture_are_those_of_a_slice_and_it_is_not_turned():
    assert nib.aff2axcodes(PICTURE_AFFINE) == ("P", "L", "S")
    from mstl.data.grid import Grid

    grid = oriented(Grid((12, 16, 1), PICTURE_AFFINE), axes="SPL")
    assert grid.shape == (1, 12, 16)
    np.testing.assert_array_equal(grid.affine[:3, :3], PICTURE_AFFINE[:3, [2, 0, 1]])
    np.testing.assert_array_equal(grid.affine[:3, 3], 0)


@settings(max_examples=30, deadline=None)
@given(
    data=st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
    )
)
def test_what_is_written_is_read_back_equal(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("round") / "a.png"
    write_volume(path, data[..., np.newaxis], PICTURE_AFFINE)
    found = read_volume(path, allow_constant=True)
    assert found.data.dtype == data.dtype
    np.testing.assert_array_equal(found.data[..., 0], data)


def test_other_whole_numbers_are_written_in_as_few_bits_as_hold_them(tmp_path):
    whole = fluid().astype(np.int64)
    for data, dtype in ((fluid() > 0, np.uint8), (whole, np.uint8), (whole * 300, np.uint16)):
        write_picture(tmp_path / "a.png", data)
        assert open_scan(tmp_path / "a.png").dtype == dtype
        np.testing.assert_array_equal(open_scan(tmp_path / "a.png").values(None)[..., 0], data)


@pytest.mark.parametrize(
    ("data", "affine", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), PICTURE_AFFINE, "one slice is expected"),
        (np.zeros((4, 4, 1), np.float32), PICTURE_AFFINE, "whole numbers from 0 to 65535"),
        (np.full((4, 4, 1), -1, np.int16), PICTURE_AFFINE, "whole numbers from 0 to 65535"),
        (np.full((4, 4, 1), 65536, np.int32), PICTURE_AFFINE, "whole numbers from 0 to 65535"),
        (np.zeros((4, 4, 1), np.uint8), np.eye(4), "place in the world would be lost"),
    ],
)
def test_what_a_picture_cannot_hold_is_an_error_and_leaves_no_file(tmp_path, data, affine, message):
    with pytest.raises(InputError, match=message):
        write_scan(tmp_path / "a.png", data, affine)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_that_an_exporter_wrote_as_colours_is_grey(tmp_path, mode):
    path = save(tmp_path / "a.png", grey(), mode)
    np.testing.assert_array_equal(read_volume(path).data[..., 0], grey())


def test_colours_and_transparency_are_errors_that_say_what_to_export(tmp_path):
    pixels = np.stack([grey(), grey(), grey(1)], axis=-1)
    assert "shows colours; grey is expected. Export the image itself" in error_of(save(tmp_path / "a.png", pixels))
    assert "transparent" in error_of(save(tmp_path / "b.png", np.stack([grey(), grey(1)], axis=-1)))
    assert "pixels of mode CMYK" in error_of(save(tmp_path / "c.tif", grey(), "CMYK"))


def test_a_coloured_palette_gives_class_numbers_and_a_grey_one_its_greys(tmp_path):
    image = Image.fromarray(fluid() * 2, "P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    image.save(tmp_path / "classes.png")
    np.testing.assert_array_equal(read_volume(tmp_path / "classes.png").data[..., 0], fluid() * 2)
    image = Image.fromarray(fluid(), "P")
    image.putpalette([200, 200, 200, 90, 90, 90])
    image.save(tmp_path / "greys.png")
    np.testing.assert_array_equal(read_volume(tmp_path / "greys.png").data[..., 0], np.where(fluid(), 90, 200))


def test_pictures_of_1_and_16_bits_and_of_fractions_keep_their_values(tmp_path):
    save(tmp_path / "one.png", fluid() > 0)
    np.testing.assert_array_equal(read_mask(tmp_path / "one.png").data[..., 0], fluid())
    deep = grey().astype(np.uint16) * 256 + 3
    for name in ("deep.png", "deep.tif"):
        found = read_volume(save(tmp_path / name, deep))
        assert found.data.dtype == np.uint16
        np.testing.assert_array_equal(found.data[..., 0], deep)
    fractions = grey() / np.float32(7)
    np.testing.assert_array_equal(read_volume(save(tmp_path / "f.tif", fractions)).data[..., 0], fractions)


def test_a_mask_of_0_and_255_is_one_of_0_and_1(tmp_path):
    path = save(tmp_path / "m.png", fluid() * 255)
    for options in ({}, {"labels": (1,)}, {"binarise": True}):
        np.testing.assert_array_equal(read_mask(path, **options).data[..., 0], fluid())
    labelled = save(tmp_path / "l.png", fluid() * 255 + (grey() > 200))
    assert "Pass --labels" in error_of(labelled, read_mask)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.7])
def test_a_truncated_picture_is_an_error(tmp_path, suffix, part):
    path = save(tmp_path / f"a{suffix}", grey(size=(40, 50)))
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert "again" in error_of(path)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(8, 600), bit=st.integers(0, 7))
def test_a_damaged_png_is_an_error_or_reads_as_before(tmp_path_factory, place, bit):
    path = save(tmp_path_factory.mktemp("bits") / "a.png", grey(size=(20, 30)))
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with suppress(InputError):
        np.testing.assert_array_equal(read_volume(path).data[..., 0], grey(size=(20, 30)))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [60_000, 12_000])
def test_more_pixels_than_a_file_can_hold_are_not_allocated(tmp_path, side):
    path = save(tmp_path / "a.png", grey())
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    assert re.search("declares|cannot be read|exceeds", error_of(path, read_grid))


def test_other_files_and_files_of_several_images_are_errors(tmp_path):
    Image.fromarray(grey()).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / "jpeg.png")
    assert "it is no PNG, BMP or TIFF" in error_of(tmp_path / "jpeg.png")
    pages = [Image.fromarray(grey(seed)) for seed in range(3)]
    for name in ("pages.tif", "film.png"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
        assert "holds 3 images; one is expected" in error_of(tmp_path / name, read_grid)
    assert "has no array 'x'" in error_of(save(tmp_path / "b.png", grey()), lambda path: read_volume(f"{path}#x:0"))
