"""Raw cases: a grid for each modality, and a patient who moved."""
import nibabel as nib
import numpy as np
import pytest

from mstl.data.grid import Grid, resample
from mstl.data.heads.acquisition import average_sections
from mstl.data.heads.raw import draw_pose, reference_of
from mstl.data.heads.scanner import RAW_SCANNERS, RawScanner
from mstl.data.phantom import Phantom, make_phantom, write_phantoms
from mstl.errors import InputError
from mstl.files import read_json

QUICK = RAW_SCANNERS["quick-raw"]
RESTLESS = RawScanner(QUICK.scanner, world=2.0, turn=8.0, shift=8.0)


@pytest.fixture(scope="module")
def case() -> Phantom:
    return make_phantom(seed=3, scanner=RESTLESS, modalities=("t1", "flair"), lesion_ml=15)


def test_each_modality_has_a_grid_of_thick_slices_of_its_own(case):
    flair, t1 = case.images["flair"], case.images["t1"]
    assert flair.grid.difference(t1.grid) is not None
    for volume in (flair, t1):
        assert volume.data.dtype == np.int16
        assert 4.5 < volume.spacing[2] < 7.5
        assert "".join(nib.aff2axcodes(volume.affine)) == "LAS"


def test_masks_lie_on_the_grid_of_the_flair_and_lesions_in_the_brain(case):
    flair = case.images["flair"].grid
    for mask in (case.mask, case.brain_mask):
        assert mask.grid.difference(flair) is None
    assert np.all(case.brain_mask.data[case.mask.data > 0] == 1)
    assert case.mask.data.sum() * np.prod(case.mask.spacing) / 1000 == pytest.approx(15, rel=0.25)
    assert 900 < case.brain_mask.data.sum() * np.prod(case.mask.spacing) / 1000 < 2200


def test_the_masks_brain_lies_where_the_flair_shows_it(case):
    inside = case.brain_mask.data > 0
    flair = case.images["flair"].data
    assert np.percentile(flair[inside], 10) > 3 * np.median(flair[~inside])


def test_transforms_are_rigid_and_the_references_is_the_identity(case):
    np.testing.assert_array_equal(case.transforms["flair"], np.eye(4))
    turn = case.transforms["t1"][:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert not np.allclose(turn, np.eye(3), atol=0.02)


@pytest.mark.parametrize("place", [(20.0, 30.0, 25.0), (-35.0, -50.0, 0.0)])
def test_a_marker_is_scanned_where_the_transform_says(case, place):
    world = Grid((100, 125, 100), np.array([[2.0, 0, 0, -100], [0, 2, 0, -143], [0, 0, 2, -100], [0, 0, 0, 1]]))
    index = np.moveaxis(np.indices(world.shape), 0, -1)
    squares = ((index @ world.affine[:3, :3].T + world.affine[:3, 3] - place) ** 2).sum(-1)
    marker = np.exp(-squares / (2 * 5.0**2)).astype(np.float32)
    found = {}
    for name in ("flair", "t1"):
        pose = draw_pose(RESTLESS, name, seed=3)
        seen = average_sections(pose.sample(marker, world), pose.scanner.sections)
        centre = [(seen * along).sum() / seen.sum() for along in np.indices(seen.shape)]
        found[name] = pose.grid.affine[:3] @ [*centre, 1]
        assert case.images[name].grid.difference(pose.grid) is None
    expected = case.transforms["t1"] @ [*found["flair"], 1]
    assert np.linalg.norm(expected[:3] - found["t1"]) < 0.1


def test_scans_agree_once_the_motion_is_undone(case):
    flair, t1 = case.images["flair"], case.images["t1"]

    def agreement(transform: np.ndarray) -> float:
        at = Grid(t1.shape, np.linalg.inv(transform) @ t1.affine)
        moved = resample(flair.data.astype(np.float32), flair.grid, at)
        there = resample(np.ones(flair.shape, np.float32), flair.grid, at) > 0.5
        return float(np.corrcoef(moved[there], t1.data[there])[0, 1])

    assert agreement(case.transforms["t1"]) > agreement(np.eye(4)) + 0.1


def test_a_modality_is_the_same_whichever_others_are_scanned():
    poses = [draw_pose(QUICK, name, seed=1) for name in ("t1", "t1ce", "t2")]
    assert poses[0].grid.difference(poses[1].grid) is None
    assert poses[0].grid.difference(poses[2].grid) is not None
    assert not np.array_equal(poses[0].motion, poses[1].motion)
    assert reference_of(("t1", "flair")) == "flair"
    assert reference_of(("t1", "t2")) == "t1"


def test_a_raw_cohort_states_its_transforms_and_is_equal_to_the_byte(tmp_path):
    for name in ("a", "b"):
        write_phantoms(tmp_path / name, subjects=1, scanner="quick-raw", modalities=("t1", "t2"), seed=4)
    files = {path.name: path for path in (tmp_path / "a" / "phantom-001").iterdir()}
    assert len(files) == 5
    for name, path in files.items():
        assert path.read_bytes() == (tmp_path / "b" / "phantom-001" / name).read_bytes()
    stated = read_json(files["transforms.json"])
    assert stated["reference"] == "t1"
    assert np.array(stated["transforms"]["t2"]).shape == (4, 4)


def test_an_unknown_scanner_is_answered_with_raw_ones_too():
    with pytest.raises(InputError, match=r"quick-skulls.*-skull behind it.*clinical-raw or quick-raw"):
        make_phantom(seed=0, scanner="quick-skulls")
