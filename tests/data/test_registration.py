"""Known motions are found, nothing moves without reason, and only affines change."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from scipy.spatial.transform import Rotation

from mstl.data.phantom import make_phantom
from mstl.data.registration import align, mutual_information
from mstl.data.volume import Volume, read_volume
from mstl.errors import InputError

POINTS = np.array([[x, y, z, 1] for x in (-50, 50) for y in (-75, 35) for z in (-30, 50)]).T


def motion(turn: tuple, shift: tuple) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def furthest_mm(first: np.ndarray, second: np.ndarray) -> float:
    """How far two matrices put a point of the head apart, at most."""
    return float(np.linalg.norm(((first - second) @ POINTS)[:3], axis=0).max())


@pytest.fixture(scope="module")
def head():
    return make_phantom(seed=4, scanner="quick", modalities=("flair", "t1", "t2")).images


@pytest.fixture(scope="module")
def raw():
    return make_phantom(seed=5, scanner="quick-raw", modalities=("flair", "t1"))


@pytest.mark.parametrize(
    ("turn", "shift"),
    [((0, 0, 0), (0, 0, 0)), ((5, -3, 4), (6, -9, 4)), ((-12, 8, 10), (25, -20, 40))],
    ids=["none", "usual", "large"],
)
def test_a_known_motion_between_two_modalities_is_found(head, turn, shift):
    moved = motion(turn, shift)
    t1 = Volume(head["t1"].data, moved @ head["t1"].affine)
    found = align(t1, head["flair"])
    assert furthest_mm(found.matrix @ moved, np.eye(4)) < 1
    assert found.after >= found.before


def test_scans_of_a_head_that_moved_are_brought_together_within_a_third_of_a_slice(raw):
    found = align(raw.images["t1"], raw.images["flair"])
    assert furthest_mm(raw.transforms["t1"], np.eye(4)) > 4
    assert furthest_mm(found.matrix @ raw.transforms["t1"], np.eye(4)) < 2
    assert found.after > 1.3 * found.before


def test_a_scan_stays_where_it_is_beside_itself(head):
    found = align(head["t1"], head["t1"])
    assert_array_equal(found.matrix, np.eye(4))
    assert found.before == found.after


def test_equal_scans_give_equal_bits(head):
    moved = Volume(head["t1"].data, motion((4, 0, 0), (3, 2, 1)) @ head["t1"].affine)
    assert_array_equal(align(moved, head["t2"]).matrix, align(moved, head["t2"]).matrix)


def test_only_the_affine_of_a_moved_volume_changes(head):
    found = align(Volume(head["t1"].data, motion((4, 0, 0), (3, 2, 1)) @ head["t1"].affine), head["t2"])
    moved = found.moved(head["flair"])
    assert moved.data is head["flair"].data
    assert_allclose(moved.affine, found.matrix @ head["flair"].affine)
    assert_allclose(found.matrix[:3, :3] @ found.matrix[:3, :3].T, np.eye(3), atol=1e-5)


def test_an_affine_registration_finds_another_size(head):
    wider = np.diag([1.08, 0.95, 1.05, 1.0])
    found = align(Volume(head["t2"].data, wider @ head["t2"].affine), head["t1"], affine=True)
    assert furthest_mm(found.matrix @ wider, np.eye(4)) < 2


def test_a_scan_that_shows_nothing_is_an_error(head):
    empty = Volume(np.zeros((20, 20, 20), np.float32), np.diag([2.0, 2, 2, 1]), path="t1.nii.gz")
    with pytest.raises(InputError, match=r"t1\.nii\.gz shows nothing"):
        align(empty, head["flair"])


def test_modalities_of_a_real_case_gain_information(shared):
    folder = shared / "data" / "tcia_raw"
    found = align(read_volume(folder / "t2.nii.gz"), read_volume(folder / "fla.nii.gz"))
    assert found.before < 0.5
    assert found.after > 0.75


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_mutual_information_is_symmetric_and_greatest_with_itself(seed):
    rng = np.random.default_rng(seed)
    first = ndimage.gaussian_filter1d(rng.standard_normal(4000), 2)
    second = first**2 + 0.1 * rng.standard_normal(4000)
    shared = mutual_information(first, second)
    assert shared == pytest.approx(mutual_information(second, first))
    assert 0 <= shared <= mutual_information(first, first) + 1e-9
    assert mutual_information(first, rng.permutation(second)) < shared
