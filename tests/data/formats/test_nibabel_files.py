"""Files of nibabel: pairs are found, lengths of packed files believed only where they are true, nothing is logged."""
import gzip
from contextlib import suppress

import nibabel as nib
import numpy as np
import pytest

from mstl.data.formats.nibabel_files import open_nibabel, pair_of, write_nibabel
from mstl.errors import InputError
from tests.scans import AFFINE, VALUES, write_one


def error_of(path) -> str:
    with pytest.raises(InputError) as caught:
        open_nibabel(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_pair_may_be_packed_by_halves(tmp_path):
    write_one(tmp_path, "pair.hdr")
    image = tmp_path / "pair.img"
    (tmp_path / "pair.img.gz").write_bytes(gzip.compress(image.read_bytes()))
    image.unlink()
    assert pair_of(tmp_path / "pair.hdr")["image"] == tmp_path / "pair.img.gz"
    np.testing.assert_array_equal(open_nibabel(tmp_path / "pair.hdr").values(None), VALUES)


def test_an_affine_of_spm_that_is_no_affine_is_refused(tmp_path):
    path = write_one(tmp_path, "spm.hdr")
    (tmp_path / "spm.mat").write_bytes(bytes(100_000))
    with pytest.raises(InputError, match=r"spm\.mat is too large"):
        open_nibabel(path)
    (tmp_path / "spm.mat").write_bytes(b"no matrix")
    error_of(path)


def test_a_file_packed_in_parts_is_read_though_its_last_length_is_short(tmp_path):
    plain = write_one(tmp_path, "one.nii").read_bytes()
    path = tmp_path / "parts.nii.gz"
    path.write_bytes(b"".join(gzip.compress(plain[start : start + 200]) for start in range(0, len(plain), 200)))
    np.testing.assert_array_equal(open_nibabel(path).values(None), VALUES)


def test_a_packed_header_that_declares_what_would_fit_is_counted(tmp_path):
    content = bytearray(gzip.decompress(write_one(tmp_path, "one.nii.gz").read_bytes()))
    content[42:48] = np.array([50, 60, 40], "<i2").tobytes()
    path = tmp_path / "one.nii.gz"
    path.write_bytes(gzip.compress(bytes(content)))
    assert "declares 50 x 60 x 40 voxels, but unpacks to less" in error_of(path)


def test_voxels_behind_a_header_that_lies_about_their_start_are_refused(tmp_path):
    path = write_one(tmp_path, "one.nii")
    content = bytearray(path.read_bytes())
    for offset in (1e9, -1e9, np.nan, np.inf):
        content[108:112] = np.array([offset], "<f4").tobytes()
        path.write_bytes(bytes(content))
        assert "Copy or export it again" in error_of(path)


def test_damaged_headers_are_reported_by_the_error_alone(tmp_path, caplog, capfd, recwarn):
    path = write_one(tmp_path, "one.nii")
    content = bytearray(path.read_bytes())
    content[76:80] = np.array([7.0], "<f4").tobytes()  # qfac
    content[80:84] = np.array([1e38], "<f4").tobytes()
    path.write_bytes(bytes(content))
    with suppress(InputError):
        open_nibabel(path)
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert not nib.imageglobals.logger.disabled


def test_extensions_before_the_voxels_are_left_alone(tmp_path):
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"by the scanner" * 50))
    nib.save(image, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(open_nibabel(tmp_path / "a.nii.gz").values(None), VALUES)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mgh", "a.mgz"])
def test_what_is_written_nibabel_reads(tmp_path, name):
    write_nibabel(tmp_path / name, VALUES, AFFINE)
    image = nib.load(tmp_path / name)
    np.testing.assert_array_equal(image.dataobj, VALUES)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


def test_a_flipped_checksum_is_an_error(tmp_path):
    path = write_one(tmp_path, "one.nii.gz")
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="CRC check failed"):
        open_nibabel(path).values(None)
