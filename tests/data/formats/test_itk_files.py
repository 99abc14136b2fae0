"""NRRD and MetaImage files are read as ITK reads them, and what ITK would make of damaged ones is refused."""
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mstl.data.formats.itk_files import open_itk, write_itk
from mstl.errors import InputError
from tests.scans import AFFINE, VALUES, write_one

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def itk_affine(path) -> np.ndarray:
    """Voxel to world mm RAS+, by SimpleITK alone."""
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return LPS @ affine


@settings(max_examples=60, deadline=None)
@given(
    suffix=st.sampled_from([".nrrd", ".nhdr", ".mha", ".mhd"]),
    packed=st.booleans(),
    dtype=st.sampled_from(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]),
    degrees=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.1, 10)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    flip=st.sampled_from([-1, 1]),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
)
def test_voxels_and_places_are_those_that_itk_finds(
    tmp_path_factory, suffix, packed, dtype, degrees, spacing, origin, flip, shape
):
    path = tmp_path_factory.mktemp("itk") / f"a{suffix}"
    data = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    image = sitk.GetImageFromArray(data)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    direction = Rotation.from_euler("zyx", degrees, degrees=True).as_matrix() * [flip, 1, 1]
    image.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(image, str(path), useCompression=packed)
    scan = open_itk(path)
    np.testing.assert_array_equal(scan.values(None), data.T)
    assert scan.values(None).dtype == data.dtype
    np.testing.assert_allclose(scan.affine, itk_affine(path), atol=1e-9)


NRRD = """NRRD0004
type: uint8
dimension: 3
sizes: 2 3 4
encoding: raw
{}

"""
META = """NDims = 3
DimSize = 2 3 4
ElementType = MET_UCHAR
{}
ElementDataFile = LOCAL
"""


@pytest.mark.parametrize(
    ("suffix", "lines"),
    [
        (".nrrd", "space: right-anterior-superior\nspace directions: (2,0,0) (0,3,1) (0,0,4)\nspace origin: (1,2,3)"),
        (".nrrd", "space: RAS\nspace directions: (2,0,0) (0,3,1) (0,0,4)\nspace origin: (1,2,3)"),
        (".nrrd", "space: left-anterior-superior\nspace directions: (2,1,0) (0,3,1) (0,0,4)"),
        (".nrrd", "space: left-posterior-superior\nspace directions: (-2,1,0) (0,3,1) (0,0,4)\nspace origin: (1,2,3)"),
        (".nrrd", "space dimension: 3\nspace directions: (2,0,0) (0,3,0) (0,0,4)"),
        (".nrrd", "spacings: 1 2 3"),
        (".nrrd", "# no place is said\nwriter:=somebody: 3.1\nkinds: domain domain domain\nthicknesses: NaN NaN 5"),
        (".mha", "Offset = 1 2 3\nElementSpacing = 1 2 3"),
        (".mha", "Position = 1 2 3\nElementSpacing = 1 2 3\nRotation = 0 1 0 -1 0 0 0 0 1"),
        (".mha", "Origin = 1 2 3\nOrientation = 0 1 0 -1 0 0 0 0 1"),
        (".mha", "ElementSize = 1 2 3"),
        (".mha", "ElementSize = 1 2 3\nElementSpacing = 4 5 6"),
        (".mha", "ObjectType = Image\nBinaryData = True\nCenterOfRotation = 1 2 3\nComment = by = somebody: 3"),
        (".mha", "HeaderSize = -1\nModality = MET_MOD_MR"),
    ],
)
def test_the_many_ways_to_say_a_place_are_understood_as_itk_does(tmp_path, suffix, lines):
    path = tmp_path / f"a{suffix}"
    text = NRRD if suffix == ".nrrd" else META
    path.write_bytes(text.format(lines).encode() + bytes(range(24)))
    np.testing.assert_allclose(open_itk(path).affine, itk_affine(path), atol=1e-9)
    np.testing.assert_array_equal(open_itk(path).values(None).ravel("F"), range(24))


@pytest.mark.parametrize("name", ["plain.nrrd", "plain.mha"])
def test_big_endian_voxels_are_read_in_native_order(tmp_path, name):
    path = write_one(tmp_path, name)
    content = path.read_bytes().replace(b"endian: little", b"endian: big")
    content = content.replace(b"OrderMSB = False", b"OrderMSB = True")
    swapped = VALUES.byteswap().tobytes(order="F")
    path.write_bytes(content[: -len(swapped)] + swapped)
    np.testing.assert_array_equal(open_itk(path).values(None), VALUES)
    assert open_itk(path).values(None).dtype.isnative


@pytest.mark.parametrize("name", ["packed.nrrd", "packed.mha", "packed.nhdr", "packed.mhd"])
def test_a_broken_stream_is_an_error_and_not_zeros(tmp_path, name):
    path = write_one(tmp_path, name)
    file = next((tmp_path / other for other in ("packed.raw.gz", "packed.zraw") if (tmp_path / other).exists()), path)
    content = bytearray(file.read_bytes())
    content[-20] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="is truncated or damaged"):
        open_itk(path).values(None)


@pytest.mark.parametrize(("part", "message"), [(0.5, "bytes are there"), (2.0, "more than the 240 bytes")])
def test_a_stream_of_another_length_is_an_error(tmp_path, part, message):
    path = write_one(tmp_path, "packed.mhd")
    (tmp_path / "packed.zraw").write_bytes(zlib.compress(bytes(int(part * VALUES.nbytes))))
    with pytest.raises(InputError, match=message):
        open_itk(path).values(None)


def test_several_streams_one_after_the_other_are_read_as_one(tmp_path):
    path = write_one(tmp_path, "packed.mhd")
    content = VALUES.tobytes(order="F")
    (tmp_path / "packed.zraw").write_bytes(zlib.compress(content[:100]) + zlib.compress(content[100:]) + b"\0\0")
    np.testing.assert_array_equal(open_itk(path).values(None), VALUES)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_axes_are_written_in_the_order_they_have(tmp_path, name):
    for order in "CF":
        write_itk(tmp_path / name, np.array(VALUES, order=order), AFFINE)
        assert sitk.ReadImage(str(tmp_path / name)).GetSize() == VALUES.shape
        np.testing.assert_array_equal(open_itk(tmp_path / name).values(None), VALUES)
