"""Conversion: values and places survive every pair of formats, a tree keeps its shape, nothing is overwritten."""
import itertools

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mstl.data.convert import convert, convert_tree, find_scans
from mstl.data.formats import open_scan, write_scan
from mstl.errors import InputError
from tests.pictures import grey, save
from tests.scans import AFFINE, NAMES, OF_VOLUMES, VALUES, write_one

pytestmark = pytest.mark.filterwarnings("ignore:.*states no orientation")


def error_of(function, *arguments, **options) -> str:
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def corners(shape, affine) -> np.ndarray:
    """World mm of the corners, `(8, 3)`."""
    return np.array([affine @ [*corner, 1] for corner in itertools.product(*((0, side - 1) for side in shape))])[:, :3]


@pytest.mark.parametrize("suffix", OF_VOLUMES)
@pytest.mark.parametrize("name", NAMES)
def test_every_format_becomes_every_other(tmp_path, name, suffix):
    source = write_one(tmp_path, name)
    convert(source, tmp_path / f"out{suffix}")
    before, after = open_scan(source), open_scan(tmp_path / f"out{suffix}")
    np.testing.assert_array_equal(after.values(None), VALUES)
    assert after.dtype.newbyteorder("=") == VALUES.dtype
    places = corners(VALUES.shape, before.affine), corners(VALUES.shape, after.affine)
    np.testing.assert_allclose(*places, atol=1e-4)


AFFINES = st.builds(
    lambda degrees, spacing, origin, flips: np.vstack(
        [
            np.column_stack(
                [Rotation.from_euler("zyx", degrees, degrees=True).as_matrix() * spacing * flips, origin]
            ),
            [0, 0, 0, 1],
        ]
    ),
    st.tuples(*[st.sampled_from([0, 90, 180, -90]) | st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.1, 10)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.tuples(*[st.sampled_from([-1, 1])] * 3),
)


@settings(max_examples=40, deadline=None)
@given(
    affine=AFFINES,
    dtype=st.sampled_from(["u1", "i2", "u2", "i4", "f4"]),
    shape=st.tuples(*[st.integers(1, 8)] * 3),
    formats=st.permutations(OF_VOLUMES),
)
def test_a_scan_comes_through_all_formats_one_after_the_other(tmp_path_factory, affine, dtype, shape, formats):
    folder = tmp_path_factory.mktemp("round")
    data = np.random.default_rng(len(folder.name)).integers(0, 200, shape).astype(dtype)
    path = folder / "0.nrrd"
    write_scan(path, data, affine)
    for number, suffix in enumerate(formats, 1):
        path, before = folder / f"{number}{suffix}", path
        convert(before, path)
        scan = open_scan(path)
        assert scan.dtype.newbyteorder("=") == data.dtype
        np.testing.assert_array_equal(scan.values(None), data)
        np.testing.assert_allclose(corners(shape, scan.affine), corners(shape, affine), atol=3e-4)
        steps = corners(shape, scan.affine), corners(shape, open_scan(before).affine)
        np.testing.assert_allclose(*steps, atol=1e-4)


@pytest.mark.parametrize("suffix", OF_VOLUMES)
def test_a_sheared_grid_keeps_its_shear_in_every_format(tmp_path, suffix):
    sheared = AFFINE @ np.array([[1, 0.2, 0, 0], [0, 1, -0.1, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(VALUES, sheared), tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / f"b{suffix}")
    np.testing.assert_allclose(open_scan(tmp_path / f"b{suffix}").affine, sheared, atol=1e-5)


def test_nan_and_constant_scans_pass_as_they_are(tmp_path):
    data = np.full((3, 4, 5), 7, np.float32)
    data[1, 2, 3] = np.nan
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / "a.nrrd")
    np.testing.assert_array_equal(open_scan(tmp_path / "a.nrrd").values(None), data)


def test_a_scaled_file_keeps_its_units_in_float32(tmp_path):
    image = nib.Nifti1Image(np.random.default_rng(0).normal(size=(3, 4, 5)), AFFINE)
    image.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "a.nii")
    convert(tmp_path / "a.nii", tmp_path / "a.mha")
    assert open_scan(tmp_path / "a.mha").dtype == np.float32
    np.testing.assert_allclose(open_scan(tmp_path / "a.mha").values(None), image.get_fdata(), atol=1e-4)


def test_one_volume_of_a_4d_file_is_named_by_its_number(tmp_path):
    four = np.stack([VALUES, VALUES + 1], axis=-1)
    nib.save(nib.Nifti1Image(four, AFFINE), tmp_path / "a.nii.gz")
    convert(f"{tmp_path}/a.nii.gz#1", tmp_path / "b.nrrd")
    np.testing.assert_array_equal(open_scan(tmp_path / "b.nrrd").values(None), VALUES + 1)
    assert "a.nii.gz#0" in error_of(convert, tmp_path / "a.nii.gz", tmp_path / "c.nrrd")


def test_a_file_that_exists_is_not_overwritten(tmp_path):
    source = write_one(tmp_path, "one.nii")
    (tmp_path / "out.nrrd").write_text("mine")
    assert "exists. Remove it first" in error_of(convert, source, tmp_path / "out.nrrd")
    assert (tmp_path / "out.nrrd").read_text() == "mine"


def test_what_cannot_be_converted_leaves_no_file(tmp_path):
    source = write_one(tmp_path, "one.nii")
    assert "does not end in" in error_of(convert, source, tmp_path / "out.jpg")
    assert "does not exist" in error_of(convert, tmp_path / "gone.nii", tmp_path / "out.nii")
    nib.save(nib.Nifti1Image(VALUES[0], AFFINE), tmp_path / "flat.nii")
    assert "a 3D volume is expected" in error_of(convert, tmp_path / "flat.nii", tmp_path / "out.nii")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flat.nii", "one.nii"]


@pytest.fixture
def tree(tmp_path):
    folders = {"p1": ["plain.nhdr", "meta.mhd"], "p2/s1": ["pair.hdr", "one.nii.gz"], ".git": ["two.nii"]}
    for folder, names in folders.items():
        (tmp_path / "in" / folder).mkdir(parents=True)
        for name in names:
            write_one(tmp_path / "in" / folder, name)
    (tmp_path / "in" / "notes.txt").touch()
    return tmp_path / "in"


def files_below(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_tree_keeps_folders_and_names_and_data_files_are_no_scans(tree, tmp_path):
    seen = []
    done = convert_tree(tree, tmp_path / "out", progress=seen.append)
    assert files_below(tmp_path / "out") == [
        "p1/meta.nii.gz", "p1/plain.nii.gz", "p2/s1/one.nii.gz", "p2/s1/pair.nii.gz",
    ]  # fmt: skip
    assert done.written == tuple(sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()))
    assert sorted(seen) == ["meta.mhd", "one.nii.gz", "pair.hdr", "plain.nhdr"]
    assert not done.failed
    for path in done.written:
        np.testing.assert_array_equal(open_scan(path).values(None), VALUES)


def test_a_second_run_keeps_what_is_there_and_takes_up_what_is_missing(tree, tmp_path):
    first = convert_tree(tree, tmp_path / "out", suffix=".mha")
    first.written[0].write_text("mine")
    first.written[1].unlink()
    second = convert_tree(tree, tmp_path / "out", suffix=".mha", jobs=2)
    assert second.written == (first.written[1],)
    assert len(second.kept) == 3
    assert first.written[0].read_text() == "mine"


def test_a_file_that_cannot_be_read_is_listed_and_stops_no_other(tree, tmp_path):
    broken = tree / "p1" / "broken.nii.gz"
    broken.write_bytes(b"no scan")
    done = convert_tree(tree, tmp_path / "out")
    assert len(done.written) == 4
    assert list(done.failed) == [broken]
    assert "broken.nii.gz cannot be read as NIfTI" in done.failed[broken]


def test_a_picture_becomes_a_volume_of_one_slice_and_comes_back(tmp_path):
    save(tmp_path / "a.png", grey())
    convert(tmp_path / "a.png", tmp_path / "b.nii.gz")
    convert(tmp_path / "b.nii.gz", tmp_path / "c.png")
    assert open_scan(tmp_path / "b.nii.gz").shape[:2] == grey().shape
    np.testing.assert_array_equal(open_scan(tmp_path / "c.png").values(None)[..., 0], grey())


def test_a_scan_with_a_place_in_the_world_becomes_no_picture(tmp_path):
    nib.save(nib.Nifti1Image(VALUES[..., :1].astype(np.uint8), AFFINE), tmp_path / "a.nii")
    assert "place in the world would be lost" in error_of(convert, tmp_path / "a.nii", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_pictures_beside_volumes_are_previews_and_alone_they_are_scans(tree, tmp_path):
    save(tree / "p1" / "preview.png", np.stack([grey(), grey(1), grey(2)], axis=-1))
    assert len(find_scans(tree)) == 4
    save(tmp_path / "eyes" / "a.png", grey())
    save(tmp_path / "eyes" / "b.tif", grey(1))
    done = convert_tree(tmp_path / "eyes", tmp_path / "out")
    assert [path.name for path in done.written] == ["a.nii.gz", "b.nii.gz"]


def test_files_that_would_become_one_are_listed_and_none_of_them_is_written(tree, tmp_path):
    write_one(tree / "p1", "plain.mha")
    done = convert_tree(tree, tmp_path / "out")
    assert sorted(path.name for path in done.failed) == ["plain.mha", "plain.nhdr"]
    assert all("one of 2 files that would all become" in reason for reason in done.failed.values())
    assert not (tmp_path / "out" / "p1" / "plain.nii.gz").exists()


def test_a_4d_file_in_a_tree_becomes_a_file_a_volume(tmp_path):
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(np.stack([VALUES, VALUES + 1, VALUES + 2], axis=-1), AFFINE), tmp_path / "in" / "a.nii.gz")
    done = convert_tree(tmp_path / "in", tmp_path / "out", suffix=".nrrd")
    assert [path.name for path in done.written] == ["a_0.nrrd", "a_1.nrrd", "a_2.nrrd"]
    np.testing.assert_array_equal(open_scan(done.written[2]).values(None), VALUES + 2)


def test_results_inside_of_the_source_are_not_converted_again(tree):
    first = convert_tree(tree, tree / "converted")
    second = convert_tree(tree, tree / "converted")
    assert second.kept == first.written
    assert not second.written


def test_a_tree_may_be_converted_where_it_lies(tree):
    done = convert_tree(tree, tree)
    assert [path.name for path in done.kept] == ["one.nii.gz"]
    assert len(done.written) == 3


def test_a_tree_does_not_go_into_a_file(tree, tmp_path):
    (tmp_path / "out.mha").write_text("mine")
    assert "is a file" in error_of(convert_tree, tree, tmp_path / "out.mha")


def test_a_folder_without_scans_and_an_unknown_suffix_are_errors(tmp_path):
    assert "holds no scan" in error_of(convert_tree, tmp_path, tmp_path / "out")
    assert "is no folder" in error_of(find_scans, tmp_path / "gone")
    assert "Choose one of .nii.gz" in error_of(convert_tree, tmp_path, tmp_path / "out", suffix=".jpg")
