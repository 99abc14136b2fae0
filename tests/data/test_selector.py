"""Paths with `#N`: the file and the volume are told apart, and paths stay paths."""
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstl.data.selector import array_of, file_of, volume_of


@pytest.mark.parametrize(
    ("path", "file", "volume"),
    [
        ("a/x.nii.gz#2", "a/x.nii.gz", 2),
        ("x.nii#0", "x.nii", 0),
        ("x.nrrd#12", "x.nrrd", 12),
        ("x.nii.gz", "x.nii.gz", None),
        ("session#1/x.nii.gz", "session#1/x.nii.gz", None),
        ("take#3.nii.gz", "take#3.nii.gz", None),
        ("take#3.nii.gz#1", "take#3.nii.gz", 1),
        ("x.nii.gz#", "x.nii.gz#", None),
        ("x.nii.gz#-1", "x.nii.gz#-1", None),
        ("#3", "#3", None),
    ],
)
def test_file_and_volume_are_told_apart(path, file, volume):
    for given_path in (path, Path(path)):
        assert file_of(given_path) == Path(file)
        assert volume_of(given_path) == volume


@pytest.mark.parametrize(
    ("path", "file", "array", "volume"),
    [
        ("a/S.mat#manualFluid1:12", "a/S.mat", "manualFluid1", 12),
        ("S.mat#12", "S.mat", "", 12),
        ("S.mat", "S.mat", "", None),
        ("S.mat#fluid:", "S.mat#fluid:", "", None),
        ("S.mat#a b:1", "S.mat#a b:1", "", None),
    ],
)
def test_an_array_may_be_named_before_the_volume(path, file, array, volume):
    assert (file_of(path), array_of(path), volume_of(path)) == (Path(file), array, volume)


@given(folder=st.sampled_from(["", "a", "../b", "s#1", "a/./b"]), number=st.integers(0, 10**6))
def test_path_functions_leave_the_selector_alone(folder, number):
    path = Path(folder) / f"x.nii.gz#{number}"
    for changed in (os.path.normpath(path), os.path.abspath(path), path.resolve()):
        assert volume_of(changed) == number
        assert file_of(changed).name == "x.nii.gz"
