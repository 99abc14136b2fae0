"""NIfTI in, checked; NIfTI out, whole: what is read is what was written, and what is wrong is said."""
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from mstl.data.formats.pictures import PICTURE_AFFINE
from mstl.data.volume import read_grid, read_mask, read_volume, write_volume
from mstl.errors import InputError

RNG = np.random.default_rng(0)
SCAN = RNG.normal(100, 20, (6, 7, 5)).astype(np.float32)


def save(path: Path, data: np.ndarray = SCAN, affine=None, *, sform=None, qform=None, **header) -> Path:
    """A NIfTI file by nibabel alone; `sform` and `qform` set these two apart, `header` any field."""
    image = nib.Nifti1Image(data, np.eye(4) if affine is None else affine, dtype=data.dtype)
    if sform is not None:
        image.set_sform(sform, code=1)
    if qform is not None:
        image.set_qform(qform, code=1)
    for field, value in header.items():
        image.header[field] = value
    nib.save(image, path)
    return path


def turned(degrees, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("zyx", degrees, degrees=True).as_matrix() * spacing
    affine[:3, 3] = origin
    return affine


def error_of(path: Path, read=read_volume) -> str:
    """The message for a file that cannot be used: one line that names it and says what to do."""
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert message.count(". ") >= 1
    return message


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_small_dtypes_are_read_as_they_are_stored(tmp_path, dtype):
    volume = read_volume(save(tmp_path / "a.nii.gz", SCAN.astype(dtype)))
    assert volume.data.dtype == dtype
    np.testing.assert_array_equal(volume.data, SCAN.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint64])
def test_large_dtypes_are_read_as_float32(tmp_path, dtype):
    volume = read_volume(save(tmp_path / "a.nii", SCAN.astype(dtype)))
    assert volume.data.dtype == np.float32
    np.testing.assert_allclose(volume.data, SCAN.astype(dtype), rtol=1e-7)


def test_a_scaled_file_is_read_as_float32_in_its_own_units(tmp_path):
    image = nib.Nifti1Image(SCAN, np.eye(4))
    image.set_data_dtype(np.int16)  # nibabel chooses slope and intercept
    nib.save(image, tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.data.dtype == np.float32
    np.testing.assert_allclose(volume.data, SCAN, atol=0.01)


def test_a_big_endian_file_is_read_in_native_order(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(SCAN.astype(">i2"), np.eye(4), header), tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.data.dtype == np.int16
    assert volume.data.dtype.isnative
    np.testing.assert_array_equal(volume.data, SCAN.astype(np.int16))


def test_an_uncompressed_file_is_memory_mapped(tmp_path):
    data = read_volume(save(tmp_path / "a.nii")).data
    while data is not None and not isinstance(data, np.memmap):
        data = data.base
    assert isinstance(data, np.memmap)


def test_the_volume_knows_its_path_shape_and_grid(tmp_path):
    affine = turned((10, 20, 30), spacing=(1, 1.5, 5.5), origin=(-9, 8, 7))
    path = save(tmp_path / "a.nii.gz", affine=affine)
    volume = read_volume(path)
    assert volume.path == path
    assert volume.shape == SCAN.shape
    assert read_grid(path).difference(volume.grid) is None
    np.testing.assert_allclose(volume.affine, affine, atol=1e-5)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (90, 0, 0), (40, 25, -35)])
def test_spacing_is_the_length_of_the_columns_and_not_the_diagonal(tmp_path, degrees):
    path = save(tmp_path / "a.nii", affine=turned(degrees, spacing=(0.9, 1.2, 5.5)))
    assert read_volume(path).spacing == pytest.approx((0.9, 1.2, 5.5), abs=1e-5)


def test_a_trailing_axis_of_one_is_dropped(tmp_path):
    volume = read_volume(save(tmp_path / "a.nii.gz", SCAN[..., None]))
    np.testing.assert_array_equal(volume.data, SCAN)
    assert read_grid(tmp_path / "a.nii.gz").shape == SCAN.shape


@pytest.mark.parametrize("shape", [(6, 7, 5, 2), (6, 7), (6, 7, 5, 1, 3)])
def test_what_is_not_3d_is_an_error_that_states_the_shape(tmp_path, shape):
    path = save(tmp_path / "a.nii.gz", RNG.normal(size=shape).astype(np.float32))
    assert f"has shape {shape}; a 3D volume is expected" in error_of(path)
    assert "3D" in error_of(path, read_grid)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error_that_counts_them(tmp_path, value):
    data = SCAN.copy()
    data[1, 2, 3] = data[4, 5, 1] = value
    assert "holds 2 NaN or infinite voxels" in error_of(save(tmp_path / "a.nii.gz", data))


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_scan_is_an_error_unless_allowed(tmp_path, value):
    path = save(tmp_path / "a.nii.gz", np.full((4, 4, 4), value, np.int16))
    assert f"is {value} everywhere" in error_of(path)
    assert read_volume(path, allow_constant=True).data.max() == value


def test_a_missing_file_is_an_error(tmp_path):
    assert "does not exist" in error_of(tmp_path / "a.nii.gz")
    assert "does not exist" in error_of(tmp_path / "a.nii.gz", read_grid)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.95])
def test_a_truncated_file_is_an_error(tmp_path, name, part):
    path = save(tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    assert "Copy or export it again." in error_of(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_what_is_not_nifti_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"subject,flair\n" * 100)
    assert "cannot be read as NIfTI" in error_of(tmp_path / name)


def test_another_suffix_is_an_error_that_asks_for_nifti(tmp_path):
    (tmp_path / "a.mnc").touch()
    assert "Convert it to NIfTI first" in error_of(tmp_path / "a.mnc")


def test_a_damaged_header_is_an_error(tmp_path):
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[70:72] = (77).to_bytes(2, "little")  # no such datatype
    path.write_bytes(bytes(content))
    assert "cannot be read as NIfTI" in error_of(path)
    path = save(tmp_path / "b.nii", sform=np.eye(4), qform=np.eye(4), quatern_b=2)
    assert "cannot be read as NIfTI" in error_of(path)


@pytest.mark.parametrize("dtype", [[("R", "u1"), ("G", "u1"), ("B", "u1")], np.complex64])
def test_colours_and_complex_numbers_are_an_error(tmp_path, dtype):
    path = save(tmp_path / "a.nii.gz", np.zeros((4, 4, 4), dtype))
    assert "real numbers are expected" in error_of(path)


def test_an_affine_without_volume_is_an_error(tmp_path):
    path = save(tmp_path / "a.nii.gz", sform=np.diag([1, 0, 1, 1.0]))
    assert "cannot be inverted" in error_of(path)


def test_sform_and_qform_that_disagree_are_an_error_in_mm(tmp_path):
    moved = np.eye(4)
    moved[0, 3] = 2.5
    path = save(tmp_path / "a.nii.gz", sform=np.eye(4), qform=moved)
    assert "sform and qform differ by 2.5 mm" in error_of(path)
    flipped = np.diag([-1, 1, 1, 1.0])
    assert "differ by 2 mm" in error_of(save(tmp_path / "b.nii.gz", sform=np.eye(4), qform=flipped))
    assert "differ by" in error_of(
        save(tmp_path / "c.nii.gz", sform=np.eye(4), qform=turned((1, 0, 0))), read_grid
    )


def test_a_form_that_is_not_set_cannot_disagree(tmp_path):
    path = save(tmp_path / "a.nii.gz", affine=np.eye(4), qform=np.diag([3, 3, 3, 1.0]), qform_code=0)
    assert read_volume(path).spacing == (1, 1, 1)


def test_the_rounding_of_a_quaternion_near_half_turns_is_no_disagreement(tmp_path):
    rounding = 0.0
    for angle in np.linspace(179.9, 180.0, 21):
        affine = turned((angle, 0.03, 0.02), spacing=(1, 1, 5.5), origin=(90, 80, -60))
        image = nib.load(save(tmp_path / "a.nii", sform=affine, qform=affine))
        rounding = max(rounding, np.abs(image.get_sform() - image.get_qform()).max())
        assert read_volume(tmp_path / "a.nii").spacing == pytest.approx((1, 1, 5.5), abs=1e-5)
    assert rounding > 1e-3  # such files exist


def test_a_mask_is_read_as_uint8_zeros_and_ones(tmp_path):
    mask = SCAN > 100
    for dtype in (np.uint8, np.float32, np.float64, np.int16):
        volume = read_mask(save(tmp_path / "m.nii.gz", mask.astype(dtype)))
        assert volume.data.dtype == np.uint8
        np.testing.assert_array_equal(volume.data, mask)


def test_an_empty_and_a_full_mask_are_masks(tmp_path):
    for value in (0, 1):
        path = save(tmp_path / "m.nii.gz", np.full((4, 4, 4), value, np.uint8))
        assert np.all(read_mask(path).data == value)


def test_other_values_in_a_mask_are_an_error_that_shows_them(tmp_path):
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[0, 0, :3] = (1, 2, 4)
    path = save(tmp_path / "m.nii.gz", mask)
    message = error_of(path, read_mask)
    assert "holds values 0, 1, 2, 4; only 0 and 1 are expected" in message
    assert "--labels 1,2,4" in message
    assert "--binarise-masks" in message


def test_labels_are_read_as_classes(tmp_path):
    mask = np.zeros((4, 4, 4), np.int16)
    mask[0, 0, :3] = (1, 2, 4)
    volume = read_mask(save(tmp_path / "m.nii.gz", mask), labels=(1, 2, 4))
    assert volume.data.dtype == np.uint8
    assert volume.data[0, 0].tolist() == [1, 2, 3, 0]


def test_labels_beyond_the_declared_ones_are_an_error_that_proposes_all(tmp_path):
    mask = np.zeros((4, 4, 4), np.uint8)
    mask[0, 0, :3] = (1, 3, 4)
    with pytest.raises(InputError, match=r"0, 1, 3, 4; only 0 and 1, 2, 4 are expected.*--labels 1,2,3,4"):
        read_mask(save(tmp_path / "m.nii.gz", mask), labels=(1, 2, 4))


def test_a_soft_mask_is_cut_at_one_half_on_request(tmp_path):
    soft = np.linspace(0, 1, 64, dtype=np.float32).reshape(4, 4, 4)
    soft[0, 0, 0], soft[3, 3, 3] = 0.5, 0.49999
    path = save(tmp_path / "m.nii.gz", soft)
    np.testing.assert_array_equal(read_mask(path, binarise=True).data, soft >= 0.5)


def test_a_picture_with_soft_rims_is_cut_at_half_of_white(tmp_path):
    rims = np.array([[0, 1, 100], [127, 128, 255]], np.uint8)[..., None]
    write_volume(tmp_path / "m.png", rims, PICTURE_AFFINE)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png", binarise=True).data, rims > 127)
    labels = np.array([[0, 1, 2]], np.uint8)[..., None]
    write_volume(tmp_path / "l.png", labels, PICTURE_AFFINE)
    np.testing.assert_array_equal(read_mask(tmp_path / "l.png", binarise=True).data, labels > 0)


@pytest.mark.parametrize(("brightest", "cut"), [(255, "127.5"), (254, "0.5")])
def test_the_error_on_a_soft_picture_says_where_it_would_be_cut(tmp_path, brightest, cut):
    greys = np.arange(brightest + 1, dtype=np.uint8)[None, :, None]
    write_volume(tmp_path / "m.png", greys, PICTURE_AFFINE)
    assert f"Pass --binarise-masks to cut at {cut}, or export it again." in error_of(tmp_path / "m.png", read_mask)
    first = int(np.argmax(read_mask(tmp_path / "m.png", binarise=True).data))
    assert first - 1 < float(cut) <= first


AFFINES = st.builds(
    lambda degrees, spacing, origin, flip: turned(degrees, spacing, origin) @ np.diag([flip, 1, 1, 1]),
    st.tuples(*[st.sampled_from([0, 90, 180, -90]) | st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.3, 6)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.sampled_from([-1, 1]),
)
ARRAYS = st.sampled_from([np.uint8, np.int16, np.float32]).flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6),
        elements=st.integers(0, 200) if dtype != np.float32 else st.floats(-1e6, 1e6, width=32),
    )
)


@settings(max_examples=60, deadline=None)
@given(data=ARRAYS, affine=AFFINES, suffix=st.sampled_from([".nii", ".nii.gz"]))
def test_what_is_written_is_read_back(tmp_path_factory, data, affine, suffix):
    path = tmp_path_factory.mktemp("written") / f"a{suffix}"
    write_volume(path, data, affine)
    volume = read_volume(path, allow_constant=True)
    assert volume.data.dtype == data.dtype
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


def test_equal_arrays_give_equal_bytes_under_any_name(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, SCAN, turned((5, 0, 0)))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_sform_and_qform_are_both_written_and_equal(tmp_path):
    affine = turned((12, -7, 3), spacing=(1, 1, 3), origin=(-80, 60, 20))
    write_volume(tmp_path / "a.nii.gz", SCAN, affine)
    image = nib.load(tmp_path / "a.nii.gz")
    for form, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(form, affine, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_a_sheared_grid_is_written_without_qform_and_read_back(tmp_path):
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    write_volume(tmp_path / "a.nii.gz", SCAN, sheared)
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz").affine, sheared, atol=1e-6)
    assert nib.load(tmp_path / "a.nii.gz").get_qform(coded=True)[1] == 0


@pytest.mark.parametrize(("given", "stored"), [(bool, np.uint8), (np.float16, np.float32)])
def test_dtypes_that_nifti_lacks_are_stored_in_the_next_larger(tmp_path, given, stored):
    data = (SCAN > 100).astype(given)
    write_volume(tmp_path / "a.nii.gz", data, np.eye(4))
    volume = read_volume(tmp_path / "a.nii.gz")
    assert volume.data.dtype == stored
    np.testing.assert_array_equal(volume.data, data)


@pytest.mark.parametrize("name", ["a.mhd", "a.hdr", "a.npy", "a"])
def test_a_volume_is_written_with_the_suffix_of_one_whole_file_only(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name} does not end in \.nii\.gz, \.nii, \.nrrd, \.mha, \.mgz, \.mgh"):
        write_volume(tmp_path / name, SCAN, np.eye(4))
    assert not any(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path):
    write_volume(tmp_path / "a.nii.gz", SCAN, np.eye(4))
    before = (tmp_path / "a.nii.gz").read_bytes()
    with pytest.raises(InputError, match="complex64"):
        write_volume(tmp_path / "a.nii.gz", SCAN.astype(np.complex64), np.eye(4))
    assert (tmp_path / "a.nii.gz").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]
