"""Scans of every format: equal voxels at equal places, and nothing believed that a file cannot hold."""
import gzip
import shutil
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mstl.data.formats import READ, files_of, open_scan, scan_sha256, suffix_of, write_scan
from mstl.data.formats.pictures import PICTURES, SLICES
from mstl.data.volume import read_grid, read_mask, read_volume
from mstl.errors import InputError
from mstl.files import sha256
from tests.scans import AFFINE, NAMES, OF_VOLUMES, VALUES, write_one

pytestmark = pytest.mark.filterwarnings("ignore:.*states no orientation")


def error_of(path, read=read_volume) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.parent) in message
    return message


def test_every_suffix_is_tried_here_or_in_a_file_of_its_own():
    own = {*PICTURES, SLICES}  # test_pictures.py, test_mat_files.py
    assert {suffix_of(name) for name in NAMES} | {".img", ".img.gz"} | own == set(READ)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "analyze.hdr"])
def test_voxels_and_their_places_are_equal_in_every_format(tmp_path, name):
    path = write_one(tmp_path, name)
    volume = read_volume(path)
    np.testing.assert_array_equal(volume.data, VALUES)
    assert volume.data.dtype == VALUES.dtype
    assert volume.data.dtype.isnative
    np.testing.assert_allclose(volume.affine, AFFINE, atol=2e-5)
    assert read_grid(path).difference(volume.grid) is None


def test_an_analyze_pair_is_placed_as_nibabel_does(tmp_path):
    path = write_one(tmp_path, "analyze.hdr")
    with pytest.warns(UserWarning, match="states no orientation: its first axis is taken to run to the left"):
        volume = read_volume(path)
    np.testing.assert_array_equal(volume.affine, nib.load(path).affine)
    assert nib.aff2axcodes(volume.affine) == ("L", "A", "S")
    np.testing.assert_array_equal(volume.data, VALUES)


@pytest.mark.parametrize("name", ["one.nii", "two.nii", "pair.hdr", "plain.nrrd", "plain.nhdr", "plain.mha"])
def test_plain_data_is_memory_mapped(tmp_path, name):
    data = open_scan(write_one(tmp_path, name)).values(None)
    while data.base is not None and not isinstance(data, np.memmap):
        data = data.base
    assert isinstance(data, np.memmap)


@pytest.mark.parametrize("suffix", [".img", ".IMG", ".img.gz", ".hdr.gz"])
def test_either_half_of_a_pair_names_it_and_either_may_be_packed(tmp_path, suffix):
    write_one(tmp_path, "packed.hdr.gz" if suffix.endswith(".gz") else "pair.hdr")
    stem = "packed" if suffix.endswith(".gz") else "pair"
    path = tmp_path / f"{stem}{suffix}"
    if suffix == ".IMG":
        (tmp_path / "pair.img").rename(path)
    np.testing.assert_array_equal(read_volume(path).data, VALUES)


def test_half_a_pair_is_an_error_that_names_the_other(tmp_path):
    path = write_one(tmp_path, "pair.hdr")
    (tmp_path / "pair.img").unlink()
    assert "pair.img is missing" in error_of(path)
    path = write_one(tmp_path, "plain.nhdr")
    (tmp_path / "plain.raw").unlink()
    assert "plain.raw, which does not exist" in error_of(path)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("one.nii.gz", ["one.nii.gz"]),
        ("plain.nrrd", ["plain.nrrd"]),
        ("plain.nhdr", ["plain.nhdr", "plain.raw"]),
        ("packed.mhd", ["packed.mhd", "packed.zraw"]),
        ("pair.hdr", ["pair.hdr", "pair.img"]),
        ("spm.hdr", ["spm.hdr", "spm.img", "spm.mat"]),
    ],
)
def test_the_files_of_a_scan_are_known_and_hashed_together(tmp_path, name, files):
    path = write_one(tmp_path, name)
    assert [file.name for file in files_of(path)] == files
    before = scan_sha256(path)
    assert (before == sha256(path)) == (len(files) == 1)
    last = tmp_path / files[-1]
    last.write_bytes(last.read_bytes()[:-1] + b"\x7f")
    assert scan_sha256(path) != before


@pytest.mark.parametrize("name", ["four.nii", "four.nii.gz", "four.mgz"])
def test_a_selector_reads_one_volume_of_a_4d_file(tmp_path, name):
    data = np.random.default_rng(0).integers(0, 99, (4, 5, 3, 4)).astype(np.int16)
    path = tmp_path / name
    nib.save((nib.MGHImage if name.endswith("mgz") else nib.Nifti1Image)(data, AFFINE), path)
    for number in range(4):
        chosen = tmp_path / f"{name}#{number}"
        np.testing.assert_array_equal(read_volume(chosen).data, data[..., number])
        assert read_volume(chosen).path == chosen
        assert read_grid(chosen).shape == (4, 5, 3)
    assert f"Split it into 3D files, or name one of its 4 volumes: {name}#0" in error_of(path)
    assert "Name one of #0 to #3" in error_of(tmp_path / f"{name}#4", read_grid)
    assert open_scan(path).volumes == 4


def test_a_selector_reads_scaled_volumes_in_their_own_units(tmp_path):
    image = nib.Nifti1Image(np.random.default_rng(0).normal(size=(4, 5, 3, 2)), AFFINE)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz#1")
    assert volume.data.dtype == np.float32
    np.testing.assert_allclose(volume.data, nib.load(tmp_path / "a.nii.gz").get_fdata()[..., 1], atol=1e-5)


def test_a_3d_file_has_volume_0_only(tmp_path):
    path = write_one(tmp_path, "plain.nrrd")
    np.testing.assert_array_equal(read_volume(f"{path}#0").data, VALUES)
    assert "Name #0" in error_of(tmp_path / "plain.nrrd#1")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_4d_2d_and_vectors_of_itk_are_told_apart(tmp_path, suffix):
    sitk = pytest.importorskip("SimpleITK")
    data = np.random.default_rng(0).integers(0, 99, (2, 3, 4, 5)).astype(np.int16)
    frames = sitk.JoinSeries([sitk.GetImageFromArray(frame) for frame in data])
    sitk.WriteImage(frames, str(tmp_path / f"four{suffix}"))
    np.testing.assert_array_equal(read_volume(tmp_path / f"four{suffix}#1").data, data[1].T)
    sitk.WriteImage(sitk.GetImageFromArray(data[0, 0]), str(tmp_path / f"two{suffix}"))
    assert "a 3D volume is expected" in error_of(tmp_path / f"two{suffix}")
    sitk.WriteImage(sitk.GetImageFromArray(data, isVector=True), str(tmp_path / f"vector{suffix}"))
    assert "vectors of 5 numbers" in error_of(tmp_path / f"vector{suffix}")
    sitk.WriteImage(sitk.GetImageFromArray(data[0].astype(np.complex64)), str(tmp_path / f"complex{suffix}"))
    error_of(tmp_path / f"complex{suffix}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.8, 0.97])
def test_a_truncated_file_of_any_format_is_an_error_unless_no_voxel_is_lost(tmp_path, name, part):
    path = write_one(tmp_path, name)
    before = read_volume(path).data.copy()
    for file in files_of(path):
        if file.suffix == ".mat":
            continue
        whole = file.read_bytes()
        file.write_bytes(whole[: int(part * len(whole))])
        if part > 0.9 and file.suffix in (".mgh", ".mgz", ".gz"):  # the end is a checksum or MGH's optional fields
            with suppress(InputError):
                np.testing.assert_array_equal(read_volume(path).data, before)
        else:
            error_of(path)
        file.write_bytes(whole)


@pytest.mark.parametrize("name", ["one.nii", "one.nii.gz", "two.nii.gz", "pair.hdr", "surfer.mgh", "surfer.mgz"])
def test_a_header_that_declares_more_than_the_file_holds_is_refused(tmp_path, name):
    path = write_one(tmp_path, name)
    opened = gzip.open if path.suffix in (".gz", ".mgz") else open
    with opened(path, "rb") as stream:
        content = bytearray(stream.read())
    if name.startswith("surfer"):
        content[4:16] = np.array([10_000, 10_000, 10_000], ">i4").tobytes()
    elif name.startswith("two"):
        content[24:48] = np.array([10_000] * 3, "<i8").tobytes()
    else:
        content[42:48] = np.array([10_000] * 3, "<i2").tobytes()
    with opened(path, "wb") as stream:
        stream.write(content)
    assert "10000 x 10000 x 10000 voxels (2 TB), but" in error_of(path, read_grid)


@pytest.mark.parametrize("name", ["plain.nrrd", "packed.nrrd", "plain.nhdr", "packed.mha", "packed.mhd"])
@pytest.mark.parametrize("sides", ["1000000 1000000 10", "5 6 0", "5 -6 4", "5 6 4000000000000000000"])
def test_a_text_header_that_declares_what_is_not_there_is_refused(tmp_path, name, sides):
    path = write_one(tmp_path, name)
    content = path.read_bytes()
    for field in (b"sizes: ", b"DimSize = "):
        content = content.replace(field + b"5 6 4", field + sides.encode())
    path.write_bytes(content)
    assert "opy or export it again" in error_of(path, read_grid) or "Export it again" in error_of(path, read_grid)


@pytest.mark.parametrize("name", ["/etc/hostname", "../plain.raw", "C:\\plain.raw", "a/../../plain.raw"])
@pytest.mark.parametrize("header", ["plain.nhdr", "meta.mhd"])
def test_a_data_file_outside_of_the_folder_is_refused(tmp_path, header, name):
    (tmp_path / "scans").mkdir()
    path = write_one(tmp_path / "scans", header)
    content = path.read_text()
    assert path.with_suffix(".raw").name in content
    path.write_text(content.replace(path.with_suffix(".raw").name, name))
    assert "outside of its own folder" in error_of(path)


def test_a_data_file_in_a_folder_below_is_read(tmp_path):
    path = write_one(tmp_path, "plain.nhdr")
    (tmp_path / "raw").mkdir()
    shutil.move(tmp_path / "plain.raw", tmp_path / "raw" / "plain.raw")
    path.write_text(path.read_text().replace("plain.raw", "raw/plain.raw"))
    np.testing.assert_array_equal(read_volume(path).data, VALUES)


def test_dicom_is_an_error_that_names_its_converter(tmp_path):
    (tmp_path / "IM1.dcm").touch()
    assert "Convert its folder with dcm2niix first" in error_of(tmp_path / "IM1.dcm")


@pytest.mark.parametrize("suffix", OF_VOLUMES)
@pytest.mark.parametrize("dtype", [bool, *map(np.dtype, ("u1", "i1", "i2", "u2", "i4", "i8", "f2", "f4", "f8"))])
def test_dtypes_are_kept_where_the_format_has_them(tmp_path, suffix, dtype):
    data = (VALUES > 50) if dtype is bool else VALUES.astype(dtype)
    path = tmp_path / f"a{suffix}"
    write_scan(path, data, AFFINE)
    found = open_scan(path)
    stored = {"b1": "u1", "f2": "f4"} | ({"i1": "i2", "i8": "i4", "f8": "f4"} if suffix in (".mgh", ".mgz") else {})
    assert found.dtype.newbyteorder("=") == stored.get(np.dtype(dtype).str[1:], dtype)
    np.testing.assert_array_equal(found.values(None), data)


def test_integers_that_do_not_fit_are_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot hold int64 beyond int32"):
        write_scan(tmp_path / "a.mgz", VALUES.astype(np.int64) * 10**12, AFFINE)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", OF_VOLUMES)
def test_equal_scans_give_equal_bytes(tmp_path, suffix):
    for name in ("a", "b"):
        write_scan(tmp_path / f"{name}{suffix}", VALUES, AFFINE)
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["plain.nrrd", "packed.mhd", "surfer.mgz", "spm.hdr"])
def test_masks_are_read_from_every_format(tmp_path, name):
    path = write_one(tmp_path, name, (VALUES > 50).astype(np.uint8))
    mask = read_mask(path)
    assert mask.data.dtype == np.uint8
    np.testing.assert_array_equal(mask.data, VALUES > 50)


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Every scan and what belongs to it, in a folder each."""
    folders = {}
    for name in NAMES:
        folders[name] = tmp_path_factory.mktemp("intact")
        write_one(folders[name], name)
    return folders


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(NAMES),
    faults=st.lists(st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    part=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.4]),
    inside=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_in_one_line(tmp_path_factory, intact, name, faults, part, inside):
    folder = tmp_path_factory.mktemp("damaged")
    shutil.copytree(intact[name], folder, dirs_exist_ok=True)
    path = folder / name
    inside = inside and path.suffix in (".gz", ".mgz")
    content = bytearray(gzip.decompress(path.read_bytes()) if inside else path.read_bytes())
    for place, fault in faults:
        place %= len(content)
        content[place : place + len(fault)] = fault[: len(content) - place]
    content = bytes(content[: int(part * len(content))])
    path.write_bytes(gzip.compress(content) if inside else content)
    try:
        volume = read_volume(path, allow_constant=True)
    except InputError:
        error_of(path, lambda path: read_volume(path, allow_constant=True))
    else:
        assert np.all(np.isfinite(volume.data))
        assert np.all(np.isfinite(volume.affine))
