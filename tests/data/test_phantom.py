"""Synthetic cases and cohorts."""
import numpy as np
import pytest

from mstl.data.case import MR_MODALITIES as MODALITIES
from mstl.data.cohort import Cohort
from mstl.data.heads.scanner import SCANNERS
from mstl.data.phantom import Phantom, make_phantom, write_phantoms
from mstl.data.volume import read_mask, read_volume
from mstl.errors import InputError


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(seed=5, scanner="quick", modalities=MODALITIES, lesion_ml=12)


@pytest.fixture(scope="module")
def tumour() -> Phantom:
    return make_phantom(seed=5, scanner="quick", disease="tumour", lesion_ml=60)


def _lesion_to_white(phantom: Phantom, modality: str) -> float:
    """Median signal in lesions over that in white matter, the brightest tissue of a t1."""
    data, lesion = phantom.images[modality].data, phantom.mask.data > 0
    t1, brain = phantom.images["t1"].data, phantom.brain_mask.data > 0
    white = brain & ~lesion & (t1 > np.percentile(t1[brain], 65))
    return float(np.median(data[lesion]) / np.median(data[white]))


def test_equal_seeds_give_equal_voxels_and_others_differ(phantom):
    again = make_phantom(seed=5, scanner="quick", modalities=("t2", "flair"), lesion_ml=12)
    for name in ("t2", "flair"):
        np.testing.assert_array_equal(again.images[name].data, phantom.images[name].data)
    other = make_phantom(seed=6, scanner="quick", modalities=("flair",), lesion_ml=12)
    assert not np.array_equal(other.mask.data, phantom.mask.data)


def test_masks_are_binary_and_lesions_lie_within_the_brain(phantom):
    for mask in (phantom.mask, phantom.brain_mask):
        assert mask.data.dtype == np.uint8
        assert set(np.unique(mask.data)) == {0, 1}
    assert np.all(phantom.brain_mask.data[phantom.mask.data > 0] == 1)


def test_all_volumes_share_one_grid_and_are_zero_outside_the_brain(phantom):
    for volume in phantom.images.values():
        assert volume.grid.difference(phantom.mask.grid) is None
        assert volume.data.dtype == np.int16
        np.testing.assert_array_equal(volume.data > 0, phantom.brain_mask.data > 0)


@pytest.mark.parametrize("randomise", [0.0, 1.0])
def test_lesions_are_bright_in_flair_and_t2_and_dark_in_t1(randomise):
    case = make_phantom(seed=2, scanner="quick", lesion_ml=20, randomise=randomise)
    ratio = {name: _lesion_to_white(case, name) for name in ("flair", "t1", "t2")}
    assert ratio["flair"] > 1.1
    assert ratio["t2"] > 1.1
    assert ratio["t1"] < 0.95


def test_fluid_is_dark_in_flair_and_t1_and_brightest_in_t2(phantom):
    low, high = {}, {}
    for name in ("flair", "t1", "t2"):
        inside = phantom.images[name].data[phantom.brain_mask.data > 0]
        low[name], high[name] = np.percentile(inside, [2, 98]) / np.median(inside)
    assert low["flair"] < 0.6
    assert low["t1"] < 0.4
    assert high["t2"] > 1.7


@pytest.mark.parametrize("scanner", ["quick", "low-field"])  # the others cost ten times as much
def test_a_profile_reaches_the_wanted_volume_on_its_own_grid(scanner):
    case = make_phantom(seed=1, scanner=scanner, modalities=("flair",), lesion_ml=4)
    assert case.mask.data.sum() * np.prod(case.mask.spacing) / 1000 == pytest.approx(4, rel=0.25)
    np.testing.assert_allclose(case.mask.spacing, SCANNERS[scanner].spacing, atol=1e-6)


@pytest.mark.parametrize("ml", [0.05, 0.5, 55])
def test_small_and_large_loads_are_reached(ml):
    case = make_phantom(seed=4, scanner="quick", modalities=("flair",), lesion_ml=ml)
    assert case.mask.data.sum() * 0.008 == pytest.approx(ml, rel=0.25)


def test_no_load_is_an_empty_mask_and_the_smallest_one_voxel():
    for ml, voxels in ((0, 0), (0.001, 1)):
        case = make_phantom(seed=4, scanner="quick", modalities=("flair",), lesion_ml=ml)
        assert case.mask.data.sum() == voxels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scanner": "hospital"}, "hospital.*research"),
        ({"modalities": ("flair", "pd")}, "pd"),
        ({"modalities": ("oct",)}, "oct.*Use flair, t1, t1ce, t2[.]"),
        ({"modalities": ()}, "No modality"),
        ({"randomise": 1.5}, "randomise is 1.5"),
        ({"lesion_ml": -1}, "lesion_ml is -1"),
        ({"lesion_ml": 61}, "0 to 60"),
        ({"seed": -1}, "seed is -1"),
        ({"disease": "stroke"}, "stroke.*ms or tumour"),
        ({"disease": "tumour", "lesion_ml": 0}, "lesion_ml is 0; 5 to 180"),
        ({"disease": "tumour", "lesion_ml": 200}, "lesion_ml is 200; 5 to 180"),
    ],
)
def test_wrong_parameters_are_named(options, message):
    with pytest.raises(InputError, match=message):
        make_phantom(**{"seed": 0, **options})


def test_a_cohort_is_written_equal_to_the_byte_by_any_number_of_jobs(tmp_path):
    done = []
    options = {"scanner": "quick", "modalities": ("flair", "t1"), "seed": 3, "randomise": 0.5}
    cohort = write_phantoms(tmp_path / "a", subjects=2, jobs=2, progress=done.append, **options)
    write_phantoms(tmp_path / "b", subjects=1, **options)
    assert done == list(cohort.subjects) == ["phantom-001", "phantom-002"]
    written = sorted(path.relative_to(tmp_path / "b") for path in (tmp_path / "b").rglob("*.nii.gz"))
    assert len(written) == 4
    for path in written:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_a_written_cohort_reads_back(tmp_path):
    write_phantoms(tmp_path / "out", subjects=1, scanner="quick", modalities=("flair",))
    case = Cohort.from_csv(tmp_path / "out" / "cohort.csv")[0]
    assert case.images["flair"].name == "phantom-001_flair.nii.gz"
    assert read_volume(case.images["flair"]).grid.difference(read_mask(case.mask).grid) is None
    assert read_mask(case.brain_mask).data.sum() > 100_000


def test_mixed_takes_the_profiles_in_turn(tmp_path, monkeypatch):
    few = {name: SCANNERS[name] for name in ("quick", "low-field")}
    monkeypatch.setattr("mstl.data.phantom.SCANNERS", few)
    cohort = write_phantoms(tmp_path / "out", subjects=2, scanner="mixed", modalities=("flair",))
    found = [read_mask(case.mask).spacing[0] for case in cohort]
    assert found == pytest.approx([2.0, 1.5])


def test_a_folder_in_use_and_no_subjects_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        write_phantoms(tmp_path, subjects=1)
    with pytest.raises(InputError, match="0 subjects"):
        write_phantoms(tmp_path / "new", subjects=0)
    assert not (tmp_path / "new").exists()


def test_mixed_skull_takes_the_profiles_in_turn_with_heads_around_the_brains(tmp_path, monkeypatch):
    monkeypatch.setattr("mstl.data.phantom.SCANNERS", {name: SCANNERS[name] for name in ("quick",)})
    case = write_phantoms(tmp_path / "out", subjects=1, scanner="mixed-skull", modalities=("t1",))[0]
    scan, brain = read_volume(case.images["t1"]), read_mask(case.brain_mask)
    assert np.count_nonzero(scan.data > 50) > 1.5 * brain.data.sum()


def test_phantoms_without_skull_stay_those_that_shipped_weights_were_trained_on():
    case = make_phantom(seed=5, scanner="quick", modalities=("flair", "t2"), randomise=0.5)
    means = [float(volume.data.mean()) for volume in (*case.images.values(), case.mask, case.brain_mask)]
    assert means == pytest.approx([70.981, 310.35, 0.0016747, 0.300406], rel=1e-3)


def test_tumours_have_the_labels_and_modalities_of_brats_and_the_volume_asked_for(tumour):
    assert tuple(tumour.images) == ("flair", "t1", "t1ce", "t2")
    assert tumour.mask.data.dtype == np.uint8
    assert set(np.unique(tumour.mask.data)) == {0, 1, 2, 4}
    assert tumour.mask.grid.volume_ml(tumour.mask.data) == pytest.approx(60, rel=0.02)
    assert np.all(tumour.brain_mask.data[tumour.mask.data > 0] == 1)


def test_each_part_of_a_tumour_shows_in_the_modalities_in_which_it_does_in_life(tumour):
    label, brain = tumour.mask.data, tumour.brain_mask.data > 0
    t1 = tumour.images["t1"].data
    white = brain & (label == 0) & (t1 > np.percentile(t1[brain], 70))
    flair, t1, t1ce, t2 = (
        {part: np.median(volume.data[label == part]) / np.median(volume.data[white]) for part in (1, 2, 4)}
        for volume in tumour.images.values()
    )
    assert flair[2] > flair[4] > flair[1]
    assert t1[1] < 0.7 < t1[4] < 1 > t1[2] > 0.7
    assert t1ce[4] > 1.4 > 1 > t1ce[2] > t1ce[1]
    assert t2[1] > t2[2] > t2[4] > 1.2


def test_a_tumour_grows_in_the_head_that_would_else_have_ms(tumour, phantom):
    np.testing.assert_array_equal(tumour.brain_mask.data, phantom.brain_mask.data)
    again = make_phantom(seed=5, scanner="quick", disease="tumour", lesion_ml=60, modalities=("t2",))
    np.testing.assert_array_equal(again.images["t2"].data, tumour.images["t2"].data)
    np.testing.assert_array_equal(again.mask.data, tumour.mask.data)


@pytest.mark.parametrize("scanner", ["quick-skull", "quick-raw"])
def test_tumours_are_scanned_with_skull_and_raw_as_well(scanner):
    case = make_phantom(seed=5, scanner=scanner, disease="tumour", lesion_ml=60, modalities=("t1ce",))
    assert set(np.unique(case.mask.data)) == {0, 1, 2, 4}
    assert case.mask.grid.volume_ml(case.mask.data) == pytest.approx(60, rel=0.05)
    scan, label = case.images["t1ce"].data, case.mask.data
    assert np.median(scan[label == 4]) > 1.2 * np.median(scan[label == 2]) > 1.2 * np.median(scan[label == 1])


def test_a_cohort_of_tumours_keeps_its_voxels_however_many_are_made(tmp_path):
    options = {"disease": "tumour", "scanner": "quick", "modalities": ("t1ce",), "seed": 3}
    write_phantoms(tmp_path / "a", subjects=2, **options)
    write_phantoms(tmp_path / "b", subjects=1, **options)
    names = [f"phantom-001/phantom-001_{kind}.nii.gz" for kind in ("t1ce", "mask")]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
