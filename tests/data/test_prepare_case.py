"""A case goes from the scanner to prepared and its masks back, each step recorded."""
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mstl.data.case import Case
from mstl.data.phantom import write_phantoms
from mstl.data.preparation import Preparation
from mstl.data.prepare_case import prepare_case
from mstl.data.prepared import PreparedCase, to_native
from mstl.data.volume import read_mask, read_volume, write_volume
from mstl.errors import InputError
from tests.pictures import save_subject

MODALITIES = ("flair", "t1")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Case:
    """Two thick scans of a head with its skull that moved between them, with masks of lesions and brain."""
    folder = tmp_path_factory.mktemp("raw") / "scans"
    return write_phantoms(folder, subjects=1, scanner="quick-raw", modalities=MODALITIES, seed=7)[0]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, raw) -> dict[str, PreparedCase]:
    """The case prepared as it lies, co-registered with N4, and in MNI space."""
    steps = {"regrid": ("regrid",), "native": ("coregister", "n4"), "mni": ("coregister", "mni")}
    folder = tmp_path_factory.mktemp("prepared")
    return {
        name: PreparedCase(prepare_case(raw, folder / name, preparation=Preparation(MODALITIES, spacing=2, steps=each)))
        for name, each in steps.items()
    }


def test_every_step_is_recorded_with_its_seconds(prepared):
    steps = {step["name"]: step for step in prepared["native"].record["steps"]}
    assert list(steps) == ["read", "coregister", "brain", "n4", "resample", "normalise"]
    assert all(step["seconds"] >= 0 for step in steps.values())
    assert steps["coregister"]["scans"]["t1"]["mutual_information"].keys() == {"before", "after"}
    assert steps["brain"]["method"] == "given mask"
    assert prepared["native"].record["preparation"]["steps"] == ["coregister", "n4"]


def test_coregistered_channels_show_one_head(prepared):
    """Ventricles are dark in both channels: where heads coincide, so do the darkest voxels of the brain."""
    overlap = {}
    for name in ("regrid", "native"):
        image = np.asarray(prepared[name].image, dtype=np.float32)
        brain = np.all(image != 0, axis=-1)
        dark = [brain & (image[..., c] < np.percentile(image[..., c][brain], 8)) for c in range(2)]
        overlap[name] = dice(*dark)
    assert overlap["native"] > overlap["regrid"] + 0.05


@pytest.mark.parametrize("space", ["native", "mni"])
def test_masks_come_back_on_the_scanner_s_grid(prepared, raw, space):
    case = prepared[space]
    native = read_volume(raw.images["flair"])
    back = to_native(case.mask, case, nearest=True)
    assert back.grid.difference(native.grid) is None
    assert set(np.unique(back.data)) <= {0, 1}
    assert dice(back.data, read_mask(raw.mask).data) > 0.85
    assert case.lesion_ml == pytest.approx(read_mask(raw.mask).data.sum() * native.grid.voxel_ml, rel=0.1)


def test_all_cases_in_mni_space_have_one_box_whose_brain_fills_it(prepared):
    case = prepared["mni"]
    step = next(step for step in case.record["steps"] if step["name"] == "mni")
    affine = np.array(step["affine"])
    assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), 2)
    assert_allclose(np.array(step["matrix"]) @ case.grid.affine, affine, atol=1e-3)
    brain = np.any(np.asarray(case.image) != 0, axis=-1)
    centre = affine @ [*np.argwhere(brain).mean(0), 1]
    assert_allclose(centre[:3], (0, -18, 10), atol=8)


def test_a_repeated_preparation_gives_equal_arrays(tmp_path, raw, prepared):
    preparation = Preparation(MODALITIES, spacing=2, steps=("coregister", "n4"))
    again = PreparedCase(prepare_case(raw, tmp_path / "again", preparation=preparation))
    assert_array_equal(again.mask, prepared["native"].mask)
    difference = np.abs(np.asarray(again.image, np.float32) - np.asarray(prepared["native"].image, np.float32))
    assert difference.max() < 0.01


def test_what_is_wrong_with_a_case_is_said_with_its_name(tmp_path, raw):
    scan = read_volume(raw.images["flair"])
    empty = replace(raw, brain_mask=tmp_path / "brain.nii.gz")
    write_volume(empty.brain_mask, np.zeros(scan.shape, np.uint8), scan.affine)
    with pytest.raises(InputError, match=rf"Case {raw.name}: No brain was found. Check .*brain\.nii\.gz"):
        prepare_case(empty, tmp_path / "out", preparation=Preparation(MODALITIES, steps=("regrid",)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("normalise", ["zscore", "nyul"])
def test_where_a_scan_ends_within_the_brain_it_is_0_and_counts_for_nothing(tmp_path, make_case, normalise):
    case = make_case(tmp_path, "a")
    t1, flair = (read_volume(case.images[name]) for name in ("t1", "flair"))
    half = t1.grid.moved((0, 0, 10), (24, 28, 10))
    write_volume(tmp_path / "half.nii.gz", t1.data[:, :, 10:], half.affine)
    brain = (flair.data > 0).astype(np.uint8)
    brain[:, :, :10] = 0
    write_volume(tmp_path / "upper.nii.gz", brain, flair.affine)
    cut = replace(case, images={**case.images, "t1": tmp_path / "half.nii.gz"}, mask=None)
    steps = Preparation(MODALITIES, steps=("regrid",), normalise=normalise)
    whole = PreparedCase(prepare_case(cut, tmp_path / "out", preparation=steps))
    upper = replace(cut, brain_mask=tmp_path / "upper.nii.gz")
    seen = PreparedCase(prepare_case(upper, tmp_path / "upper", preparation=steps))
    found = to_native(np.asarray(whole.image[..., 1], np.float32), whole).data
    expected = to_native(np.asarray(seen.image[..., 1], np.float32), seen).data
    assert not found[:, :, :10].any()
    assert_array_equal(found, expected)


def test_a_scan_of_elsewhere_is_named(tmp_path, make_case):
    case = make_case(tmp_path, "a")
    t1 = read_volume(case.images["t1"])
    write_volume(tmp_path / "far.nii.gz", t1.data, t1.grid.moved((0, 0, 500), t1.shape).affine)
    far = replace(case, images={**case.images, "t1": tmp_path / "far.nii.gz"})
    with pytest.raises(InputError, match=r"far\.nii\.gz shows nothing of the brain"):
        prepare_case(far, tmp_path / "out", preparation=Preparation(MODALITIES, steps=("regrid",)))


def with_brain(case: Case, path, *, without) -> Case:
    """The case with a brain mask that ends before its lesions, or a part of them."""
    lesions = read_mask(case.mask)
    brain = np.ones(lesions.shape, np.uint8)
    brain[without] = 0
    write_volume(path, brain, lesions.affine)
    return replace(case, brain_mask=path)


def test_the_box_holds_lesions_that_reach_beyond_the_brain(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    low = np.argwhere(read_mask(case.mask).data).min(0)
    case = with_brain(case, tmp_path / "brain.nii.gz", without=np.s_[: low[0] + 2])
    prepared = PreparedCase(prepare_case(case, tmp_path / "out", preparation=Preparation(MODALITIES)))
    assert_array_equal(to_native(prepared.mask, prepared, nearest=True).data, read_mask(case.mask).data)
    assert np.any(prepared.mask[:][np.asarray(prepared.image[..., 0]) == 0])


def test_lesions_that_lie_outside_of_the_brain_for_the_most_part_are_an_error(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    high = np.argwhere(read_mask(case.mask).data).max(0)
    case = with_brain(case, tmp_path / "brain.nii.gz", without=np.s_[: high[0] + 1])
    with pytest.raises(InputError, match=r"Case p: \d+ of \d+ lesion voxels of .*mask\.nii\.gz lie outside the brain"):
        prepare_case(case, tmp_path / "out", preparation=Preparation(MODALITIES))


@pytest.mark.parametrize("damage", ["case.json", "image.npy", "mask.npy", "no mask"])
def test_a_damaged_case_is_prepared_again(tmp_path, make_case, damage):
    case, folder = make_case(tmp_path, "a"), tmp_path / "out"
    prepare_case(case, folder, preparation=Preparation(MODALITIES))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}
    if damage == "no mask":
        (folder / "mask.npy").unlink()
    else:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:-40])
    prepare_case(case, folder, preparation=Preparation(MODALITIES))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"} == before
    assert PreparedCase(folder).has_mask


def test_masks_of_two_readers_in_one_file_make_two_fingerprints(tmp_path):
    path = save_subject(tmp_path / "Subject_01.mat")
    found = []
    for reader in ("manualFluid1", "manualFluid2"):
        case = Case("s", images={"oct": f"{path}#1"}, mask=f"{path}#{reader}:1")
        folder = prepare_case(case, tmp_path / reader, preparation=Preparation(("oct",), normalise="max"))
        found.append(PreparedCase(folder))
    assert found[0].record["fingerprint"] != found[1].record["fingerprint"]
    assert not np.array_equal(found[0].mask, found[1].mask)
