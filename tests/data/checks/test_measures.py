"""Measures of a case: small, complete, and right about extent, cuts, values and lesions."""
import pickle
from pathlib import Path

import numpy as np
import pytest

from mstl.data.checks.measures import mask_kind, measure_case, voxel_hash
from mstl.data.volume import read_volume, write_volume
from tests.corpus import write_case


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return write_case(tmp_path_factory.mktemp("sound"), "sound", seed=1)


@pytest.fixture(scope="module")
def measured(sound):
    return measure_case(sound)


def test_a_sound_case_is_measured_whole(measured):
    assert set(measured.scans) == {"flair", "t1", "t2"}
    assert measured.findings == ()
    assert measured.mask.ml == pytest.approx(8.0, abs=0.3)
    assert measured.mask.twins == ("flair", "t1", "t2")
    assert measured.mask.outside == 0
    assert all(scan.extracted and not scan.cut for scan in measured.scans.values())


def test_extents_are_those_of_a_head(measured):
    right, front, top = measured.scans["t1"].extent_mm
    assert 120 < right < 170
    assert 150 < front < 210
    assert 110 < top < 170


def test_what_is_kept_does_not_grow_with_the_voxels(measured):
    assert len(pickle.dumps(measured)) < 60_000


def test_a_cut_is_named_by_its_side(sound, tmp_path):
    scan = read_volume(sound.images["t1"])
    write_volume(tmp_path / "t1.nii.gz", np.array(scan.data[:, :55]), scan.affine)
    cut = measure_case(type(sound)("cut", images={"t1": tmp_path / "t1.nii.gz"}))
    assert cut.scans["t1"].cut == "A"


def test_a_case_of_missing_files_is_measured_too():
    measured = measure_case(type("C", (), {"name": "x", "subject": "x", "session": "", "files": {"t1": Path("no")}})())
    assert [finding.rule for finding in measured.findings] == ["missing"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 0], "binary"), ([1, 1], "binary"), ([0, 1], "binary"), ([0, 255], "scaled"), ([0, 0.5, 1], "soft"),
        ([0, 0.7], "soft"), ([0, 1, 2, 4], "labels"), ([-1, 0, 1], "other"), ([0, 1, 300], "other"),
        ([0, 0.5, 3], "other"), ([-0.5, 2.2], "other"),
    ],
)  # fmt: skip
def test_masks_are_told_by_their_values_however_they_are_stored(values, kind):
    data = np.array(values * 4, dtype=np.float32).reshape(2, 2, -1)
    integers = data.astype(np.int16)
    assert mask_kind(data)[0] == kind
    assert np.any(integers != data) or mask_kind(integers)[0] == kind


def test_a_hash_is_of_the_voxels_whatever_their_order_in_memory():
    data = np.arange(24).reshape(2, 3, 4)
    assert voxel_hash(data) == voxel_hash(np.asfortranarray(data))
    assert voxel_hash(data) != voxel_hash(data.reshape(4, 3, 2))
