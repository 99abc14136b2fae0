"""Preparation: every scan ends in one orientation, every mask finds its way back, no work is done twice."""
import json
import os
import re
import shutil
from dataclasses import replace
from itertools import product
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mstl.data.case import Case
from mstl.data.cohort import Cohort
from mstl.data.labels import to_labels
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCase, PreparedCohort, to_native
from mstl.data.volume import read_mask, read_volume, write_volume
from mstl.errors import InputError, PreparationError
from mstl.files import write_json
from tests.labelled import with_labels

ORIENTATIONS = [("RAS", 0), ("LPS", 0), ("PIL", 0), ("ASR", 20), ("LIA", -40), ("SPL", 7)]


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * np.count_nonzero((a > 0) & (b > 0)) / (np.count_nonzero(a) + np.count_nonzero(b))


def brain_of(case: PreparedCase) -> np.ndarray:
    """Voxels of the prepared case that lie in the head of the fixture: where flair is not black."""
    return np.any(case.image[:] != 0, axis=-1)


def arrays(cohort: PreparedCohort) -> dict[str, bytes]:
    """Every file of the cases; of the records all but the seconds that steps took."""
    files = {
        f"{case.name}/{name}": (case.folder / name).read_bytes()
        for case, name in product(cohort, ("image.npy", "mask.npy", "case.json"))
    }
    return {name: re.sub(rb'"seconds": [0-9.]+', b"", data) for name, data in files.items()}


def stamps(cohort: PreparedCohort) -> dict[str, tuple[int, int]]:
    """What tells a file that was left alone from one that was written again."""
    stats = {case.name: (case.folder / "image.npy").stat() for case in cohort}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def changed(case: Case, role: str, change) -> None:
    """Write the file of `role` again with `change` applied to its data."""
    volume = read_volume(case.files[role], allow_constant=True)
    write_volume(case.files[role], change(np.array(volume.data)), volume.affine)


@pytest.fixture
def cases(tmp_path, make_case) -> list[Case]:
    return [make_case(tmp_path / "scans", f"p{number}", seed=number) for number in range(2)]


@pytest.mark.parametrize(("axes", "rotation"), ORIENTATIONS)
def test_a_mask_finds_its_way_back_exactly_at_equal_spacing(tmp_path, make_case, axes, rotation):
    case = make_case(tmp_path, "p", axes=axes, rotation=rotation)
    (prepared,) = prepare(Cohort([case]), tmp_path / "out")
    native = read_mask(case.mask)
    back = to_native(prepared.mask, prepared, nearest=True)
    assert back.grid.difference(native.grid) is None
    assert dice(back.data, native.data) >= 0.999
    assert_array_equal(back.data, native.data)
    soft = to_native(np.asarray(prepared.mask, dtype=np.float32), prepared)
    assert_array_equal(soft.data >= 0.5, native.data)


@pytest.mark.parametrize("stored", [("RAS", 0), ("LIA", -40)])
@pytest.mark.parametrize(("spacing", "least"), [(1.0, 0.96), ((1.0, 0.6, 0.5), 0.98), (2.0, 0.7)])
def test_a_mask_comes_back_about_right_at_another_spacing(tmp_path, make_case, stored, spacing, least):
    """Lesions of 6 x 7 x 8 mm: finer grids lose the rounding at the edges, a grid of 2 mm much of them."""
    case = make_case(tmp_path, "p", axes=stored[0], rotation=stored[1])
    (prepared,) = prepare(Cohort([case]), tmp_path / "out", spacing=spacing)
    assert prepared.spacing == pytest.approx(np.broadcast_to(spacing, 3), abs=1e-3)
    back = to_native(prepared.mask, prepared, nearest=True)
    assert dice(back.data, read_mask(case.mask).data) >= least


def test_values_come_back_to_the_voxel_they_were_measured_in(tmp_path, make_case):
    case = make_case(tmp_path, "p", axes="LIA", rotation=25)
    (prepared,) = prepare(Cohort([case]), tmp_path / "out", modalities=("flair",), normalise="max")
    flair = read_volume(case.images["flair"]).data
    back = to_native(np.asarray(prepared.image[..., 0], dtype=np.float32), prepared)
    assert_allclose(back.data, np.maximum(flair, 0) / flair.max(), atol=2e-3)


def test_an_array_of_another_shape_does_not_belong_to_a_case(tiny_prepared):
    with pytest.raises(InputError, match=r"shape \(2, 2, 2\) is not of case ras"):
        to_native(np.zeros((2, 2, 2)), tiny_prepared[0])


def test_one_head_is_prepared_alike_however_it_is_stored(tmp_path, make_case):
    cases = [make_case(tmp_path, axes, axes=axes) for axes in ("RAS", "LPS", "PIL", "ASR", "IRP")]
    first, *others = prepare(Cohort(cases), tmp_path / "out")
    for other in others:
        assert_allclose(other.grid.affine, first.grid.affine, atol=1e-4)
        assert_allclose(other.image, first.image, atol=2e-3)
        assert_array_equal(other.mask, first.mask)


@pytest.mark.parametrize(("axes", "rotation"), ORIENTATIONS)
def test_a_marker_is_found_where_it_lies_in_the_world(tmp_path, make_case, axes, rotation):
    case = make_case(tmp_path, "p", axes=axes, rotation=rotation)
    scan = read_volume(case.images["flair"])
    world = _turned(rotation, [-3.3, 5.8, 6.9])  # left, anterior and superior of the middle
    voxel = tuple(np.round(np.linalg.inv(scan.affine) @ [*world, 1]).astype(int)[:3])
    changed(case, "flair", lambda data: np.where(_at(voxel, data.shape), 5000, data))
    (prepared,) = prepare(Cohort([case]), tmp_path / "out", modalities=("flair",))
    image = np.asarray(prepared.image[..., 0])
    found = np.unravel_index(image.argmax(), image.shape)
    assert_allclose((prepared.grid.affine @ [*found, 1])[:3], (scan.affine @ [*voxel, 1])[:3], atol=1e-3)
    assert "".join(nib.aff2axcodes(prepared.grid.affine)) == "SPL"
    middle = np.argwhere(brain_of(prepared)).mean(axis=0)
    assert found[0] > middle[0]  # D grows upwards
    assert found[1] < middle[1]  # H grows backwards
    assert found[2] > middle[2]  # W grows to the left


def _at(voxel: tuple, shape: tuple) -> np.ndarray:
    return np.all(np.indices(shape) == np.reshape(voxel, (3, 1, 1, 1)), axis=0)


def _turned(rotation: float, point: list) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    angles = [rotation, rotation / 2, -rotation / 3]
    return Rotation.from_euler("xyz", angles, degrees=True).apply(point)


def test_without_a_shape_the_box_is_the_brain_rounded_up_to_32(tiny_prepared):
    case = tiny_prepared[0]
    assert case.shape == (13, 32, 32)
    used = np.argwhere(brain_of(case))
    below, above = used.min(axis=0), np.array(case.shape) - 1 - used.max(axis=0)
    assert below[0] == above[0] == 0
    assert np.all(abs(below - above) <= 1)


def test_a_larger_shape_pads_with_zeros_around_the_brain(tmp_path, tiny_cohort):
    plain = prepare(tiny_cohort.select("ras"), tmp_path / "plain", shape=(13, 32, 32))[0]
    large = prepare(tiny_cohort.select("ras"), tmp_path / "large", shape=(33, 48, 64))[0]
    assert large.shape == (33, 48, 64)
    assert_array_equal(large.image[10:23, 8:40, 16:48], plain.image)
    assert np.count_nonzero(large.image) == np.count_nonzero(plain.image)
    assert_array_equal(to_native(large.mask, large, nearest=True).data, read_mask(tiny_cohort[0].mask).data)


def test_a_shape_smaller_than_the_brain_is_an_error(tmp_path, tiny_cohort):
    message = r"Case ras: The brain spans \(13, 21, 17\) .* shape \(13, 20, 17\).*larger --shape"
    with pytest.raises(InputError, match=message):
        prepare(tiny_cohort.select("ras"), tmp_path / "out", shape=(13, 20, 17))
    assert not (tmp_path / "out" / "ras").exists()


@pytest.mark.parametrize("method", ["max", "minmax", "zscore", "percentile"])
def test_each_modality_is_normalised_in_the_brain_and_zero_around_it(tmp_path, tiny_cohort, method):
    (case,) = prepare(tiny_cohort.select("ras"), tmp_path / "out", normalise=method)
    assert case.image.dtype == np.float16
    brain = brain_of(case)
    assert brain.sum() == pytest.approx(sum(case.brain_voxels), abs=2)  # the least of minmax is zero too
    assert not case.image[0, 0].any()
    for channel in range(2):
        values = np.asarray(case.image[..., channel], dtype=np.float64)[brain]
        if method == "zscore":
            assert values.mean() == pytest.approx(0, abs=2e-3)
            assert values.std() == pytest.approx(1, abs=2e-3)
        else:
            assert values.max() == 1
            assert values.min() == 0 or method == "max"


def test_a_given_brain_mask_says_what_is_brain(tmp_path, make_case):
    case = replace(make_case(tmp_path, "p"), mask=None)
    flair = read_volume(case.images["flair"])
    brain = np.zeros(flair.shape, np.uint8)
    brain[8:16, 8:18, 6:14] = 1
    write_volume(tmp_path / "brain.nii.gz", brain, flair.affine)
    (prepared,) = prepare(Cohort([replace(case, brain_mask=tmp_path / "brain.nii.gz")]), tmp_path / "out")
    assert sum(prepared.brain_voxels) == brain.sum()
    assert prepared.shape == (8, 32, 32)
    brain[:] = 0
    write_volume(tmp_path / "brain.nii.gz", brain, flair.affine)
    with pytest.raises(InputError, match=r"Case p: No brain was found\. Check .*brain\.nii\.gz"):
        prepare(Cohort([replace(case, brain_mask=tmp_path / "brain.nii.gz")]), tmp_path / "again")


def test_channels_come_in_the_order_that_was_asked_for(tmp_path, tiny_cohort, tiny_prepared):
    both = prepare(tiny_cohort.select("ras"), tmp_path / "both", modalities=("t1", "flair"))[0]
    one = prepare(tiny_cohort.select("ras"), tmp_path / "one", modalities=("t1",))[0]
    assert both.modalities == ("t1", "flair")
    assert_array_equal(both.image[..., 0], one.image[..., 0])
    assert tiny_prepared[0].modalities == ("flair", "t1")


def test_masks_stay_zeros_and_ones_and_are_counted_by_slice(tmp_path, tiny_cohort):
    for case in prepare(tiny_cohort, tmp_path / "out", spacing=(1.4, 0.9, 0.9)):
        assert case.mask.dtype == np.uint8
        assert set(np.unique(case.mask)) == {0, 1}
        assert case.lesion_voxels == case.mask[:].sum(axis=(1, 2)).tolist()
        assert case.lesion_ml == pytest.approx(case.mask[:].sum() * 1.4 * 0.9 * 0.9 / 1000)


def test_a_soft_mask_is_cut_at_one_half_on_request(tmp_path, cases):
    hard = prepare(Cohort(cases), tmp_path / "hard")
    for case in cases:
        changed(case, "mask", lambda data: data * np.float32(0.7) + np.float32(0.2))
    with pytest.raises(InputError, match=r"mask\.nii\.gz holds values 0\.2, 0\.9; .*--binarise-masks"):
        prepare(Cohort(cases), tmp_path / "refused")
    soft = prepare(Cohort(cases), tmp_path / "soft", binarise_masks=True)
    for one, other in zip(hard, soft, strict=True):
        assert_array_equal(one.mask, other.mask)


def test_a_case_without_mask_has_none_and_one_without_lesions_an_empty_one(tmp_path, cases):
    changed(cases[1], "mask", np.zeros_like)
    without, empty = prepare(Cohort([replace(cases[0], mask=None), cases[1]]), tmp_path / "out")
    assert without.mask is None
    assert not without.has_mask
    assert empty.has_mask
    assert not empty.mask.any()
    assert without.lesion_ml == empty.lesion_ml == 0


def test_a_mask_on_another_grid_is_an_error_unless_it_may_be_resampled(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    expected = prepare(Cohort([case]), tmp_path / "expected")[0]
    image = nib.load(case.mask)
    nib.save(image.slicer[2:-2, 1:-1, 2:-1].as_reoriented([[1, -1], [0, 1], [2, 1]]), case.mask)
    message = r"Mask .*mask\.nii\.gz does not share .*flair\.nii\.gz \(shape .*--resample-masks"
    with pytest.raises(InputError, match=message):
        prepare(Cohort([case]), tmp_path / "refused")
    found = prepare(Cohort([case]), tmp_path / "out", resample_masks=True)[0]
    assert_array_equal(found.mask, expected.mask)


def test_modalities_on_different_grids_are_an_error_that_names_both_files(tmp_path, make_case):
    case = make_case(tmp_path, "p")
    nib.save(nib.load(case.images["t1"]).slicer[:, :, 1:], case.images["t1"])
    with pytest.raises(InputError, match=r"p/t1\.nii\.gz and .*p/flair\.nii\.gz lie on different grids"):
        prepare(Cohort([case]), tmp_path / "out")


def test_a_second_run_leaves_unchanged_cases_alone(tmp_path, cases):
    first = stamps(prepare(Cohort(cases), tmp_path / "out"))
    os.utime(cases[0].images["flair"])  # the bytes count, not the time
    assert stamps(prepare(Cohort(cases), tmp_path / "out")) == first


def test_a_case_whose_file_changed_is_prepared_again(tmp_path, cases):
    first = stamps(prepare(Cohort(cases), tmp_path / "out"))
    changed(cases[1], "t1", lambda data: data + (data > 0).astype(np.int16) * (data % 7))
    second = stamps(prepare(Cohort(cases), tmp_path / "out"))
    assert second["p0"] == first["p0"]
    assert second["p1"] != first["p1"]
    third = stamps(prepare(Cohort([replace(cases[0], mask=None), cases[1]]), tmp_path / "out"))
    assert third["p0"] != first["p0"]
    assert third["p1"] == second["p1"]


@pytest.mark.parametrize(
    "parameters",
    [{"normalise": "max"}, {"spacing": 1.0}, {"shape": (16, 32, 32)}, {"modalities": ("flair",)}],
)
def test_changed_parameters_prepare_every_case_again(tmp_path, cases, parameters):
    first = stamps(prepare(Cohort(cases), tmp_path / "out"))
    second = prepare(Cohort(cases), tmp_path / "out", **parameters)
    assert not set(first.values()).intersection(stamps(second).values())
    fresh = prepare(Cohort(cases), tmp_path / "fresh", **parameters)
    assert arrays(second) == arrays(fresh)


def test_a_case_given_to_another_subject_is_prepared_again(tmp_path, cases):
    apart = [replace(cases[0], subject="p_1"), replace(cases[1], subject="p_2")]
    assert prepare(Cohort(apart), tmp_path / "out").subjects == ("p_1", "p_2")
    joined = [replace(case, subject="p", session=str(n)) for n, case in enumerate(cases, start=1)]
    assert prepare(Cohort(joined), tmp_path / "out").subjects == ("p",)


def test_two_jobs_write_the_same_bytes_as_one(tmp_path, tiny_cohort, tiny_prepared):
    seen = []
    two = prepare(tiny_cohort, tmp_path / "out", jobs=2, progress=seen.append)
    assert arrays(two) == arrays(tiny_prepared)
    assert sorted(seen) == sorted(case.name for case in tiny_cohort)


def test_the_record_says_what_was_done_to_which_files(tiny_cohort, tiny_prepared):
    record = json.loads((tiny_prepared[2].folder / "case.json").read_text())
    assert [step["name"] for step in record["steps"]] == ["read", "brain", "resample", "normalise"]
    seconds = [step.pop("seconds") for step in record["steps"]]
    assert all(0 <= second < 60 for second in seconds)
    assert record["steps"][3] == {"name": "normalise", "method": "zscore", "outside": 0}
    assert record["modalities"] == ["flair", "t1"]
    assert record["preparation"] == tiny_prepared.preparation
    assert set(record["sources"]) == {"flair", "t1", "mask"}
    assert Path(record["sources"]["mask"]["path"]).samefile(tiny_cohort[2].mask)
    assert len(record["sources"]["mask"]["sha256"]) == 64
    native = read_volume(tiny_cohort[2].images["flair"])
    assert tuple(record["native"]["shape"]) == native.shape
    assert_allclose(record["native"]["affine"], native.affine)


def spoiled(case: Case) -> bytes:
    """Put NaN into the t1 of a case; returns the file as it was."""
    good = case.images["t1"].read_bytes()
    changed(case, "t1", lambda data: np.where(data > 200, np.nan, data).astype(np.float32))
    return good


def test_a_case_that_fails_does_not_stop_the_others_and_the_next_run_takes_it_up(tmp_path, make_case):
    cases = [make_case(tmp_path / "scans", f"p{number}", seed=number) for number in range(3)]
    good, seen = spoiled(cases[0]), []
    with pytest.raises(PreparationError, match=r"1 of 3 cases .*p0: .*p0/t1\.nii\.gz holds \d+ NaN") as caught:
        prepare(Cohort(cases), tmp_path / "out", progress=seen.append)
    assert sorted(seen) == ["p0", "p1", "p2"]
    assert "The other 2 are ready in" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path / "out")) == ["cohort.csv", "failures.csv", "p1", "p2", "preparation.json"]
    table = pd.read_csv(tmp_path / "out" / "failures.csv")
    assert dict(zip(table["case"], table["reason"], strict=True)) == caught.value.failures
    first = stamps(PreparedCohort.open(tmp_path / "out"))
    assert list(first) == ["p1", "p2"]
    cases[0].images["t1"].write_bytes(good)
    finished = stamps(prepare(Cohort(cases), tmp_path / "out"))
    assert list(finished) == ["p0", "p1", "p2"]
    assert {name: finished[name] for name in first} == first
    assert not (tmp_path / "out" / "failures.csv").exists()


def test_many_failures_are_counted_and_the_first_of_them_named(tmp_path, make_case):
    cases = [make_case(tmp_path / "scans", f"p{number}") for number in range(5)]
    for case in cases[:4]:
        case.mask.unlink()
    message = r"4 of 5 .*p0/mask.*p1/mask.*p2/mask.* And 1 more\. All .*failures\.csv"
    with pytest.raises(PreparationError, match=message) as caught:
        prepare(Cohort(cases), tmp_path / "out")
    assert "p3/mask" not in str(caught.value)
    assert list(caught.value.failures) == ["p0", "p1", "p2", "p3"]


def test_where_no_case_is_ready_the_folder_is_not_finished(tmp_path, cases):
    prepare(Cohort(cases), tmp_path / "out")
    for case in cases:
        case.mask.unlink()
    with pytest.raises(PreparationError, match=r"2 of 2 cases .*None is ready .*Mend what the reasons say"):
        prepare(Cohort(cases), tmp_path / "out")
    with pytest.raises(InputError, match=r"out is not finished .*'mstl prepare' into it again"):
        PreparedCohort.open(tmp_path / "out")


def test_a_single_case_fails_with_its_own_reason(tmp_path, cases):
    spoiled(cases[0])
    with pytest.raises(PreparationError, match=r"^[^:]*p0/t1\.nii\.gz holds \d+ NaN") as caught:
        prepare(Cohort(cases[:1]), tmp_path / "out")
    assert caught.value.failures == {"p0": str(caught.value)}


def test_an_error_that_nobody_foresaw_is_listed_with_its_type_and_place(tmp_path, cases, monkeypatch):
    def work(case, folder, *, preparation):
        raise MemoryError(f"no room\nfor {case.mask.name}")

    monkeypatch.setattr("mstl.data.prepare.prepare_case", work)
    with pytest.raises(PreparationError) as caught:
        prepare(Cohort(cases), tmp_path / "out")
    pattern = r"MemoryError: no room for mask\.nii\.gz \(test_prepare\.py, line \d+\)"
    assert re.fullmatch(pattern, caught.value.failures["p0"])


def test_a_key_that_stops_the_command_stops_at_once_and_the_next_run_cleans_up(tmp_path, cases):
    def stop(_):
        (tmp_path / "out" / ".p1-abcd_012").mkdir()  # what a killed process leaves of a case
        (tmp_path / "out" / ".42-cohort.csv").touch()
        (tmp_path / "out" / ".mine-abcd_012").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(Cohort(cases), tmp_path / "out", progress=stop)
    assert not (tmp_path / "out" / "p1").exists()
    prepare(Cohort(cases), tmp_path / "out")
    left = sorted(os.listdir(tmp_path / "out"))
    assert left == [".mine-abcd_012", "cohort.csv", "p0", "p1", "preparation.json"]


def test_cases_of_two_preparations_are_never_opened_together(tmp_path, cases):
    def stop(_):
        raise KeyboardInterrupt

    prepare(Cohort(cases), tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        prepare(Cohort(cases), tmp_path / "out", normalise="max", progress=stop)
    with pytest.raises(InputError, match=r"Case p0 .* prepared with other parameters"):
        PreparedCohort.open(tmp_path / "out")


def test_a_case_that_cannot_be_prepared_otherwise_is_left_out_of_the_table(tmp_path, cases):
    prepare(Cohort(cases), tmp_path / "out")
    cases[1].images["flair"].write_bytes(b"")
    with pytest.raises(InputError, match=r"p1/flair\.nii\.gz"):
        prepare(Cohort(cases), tmp_path / "out", normalise="max")
    assert [case.name for case in PreparedCohort.open(tmp_path / "out")] == ["p0"]


def test_relative_paths_mean_the_same_in_every_process(tmp_path, cases, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = [
        Case.of_files({role: path.relative_to(tmp_path) for role, path in case.files.items()}, subject=case.subject)
        for case in cases
    ]
    prepared = prepare(Cohort(relative), "out", jobs=2)
    assert arrays(prepared) == arrays(prepare(Cohort(cases), tmp_path / "other"))


def test_a_file_that_vanished_is_an_error(tmp_path, cases):
    cases[0].mask.unlink()
    with pytest.raises(InputError, match=r"p0/mask\.nii\.gz does not exist"):
        prepare(Cohort(cases), tmp_path / "out")


def test_a_scan_that_is_flat_in_the_brain_is_an_error_that_names_the_file(tmp_path, cases):
    changed(cases[0], "t1", lambda data: np.where(data > 0, 9, np.indices(data.shape)[2] % 2 + 0.5))
    with pytest.raises(InputError, match=r"p0/t1\.nii\.gz: The scan is 9 everywhere in the brain"):
        prepare(Cohort(cases), tmp_path / "out")


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(tmp_path, cases):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"out exists and is not empty\. Choose a new folder"):
        prepare(Cohort(cases), tmp_path / "out")
    assert os.listdir(tmp_path / "out") == ["thesis.txt"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"modalities": ("t2",)}, "Case ras has no t2, only flair, t1"),
        ({"modalities": ("T1",)}, "did you mean 't1'"),
        ({"modalities": ("t1", "t1")}, "Name each once"),
        ({"normalise": "mean"}, "'mean' is unknown. Choose one of max, minmax, zscore, percentile"),
        ({"spacing": 0}, "spacing is 0; one or three positive numbers"),
        ({"spacing": (1, 1)}, "one or three positive numbers"),
        ({"spacing": float("inf")}, "one or three positive numbers"),
        ({"shape": (64, -1, 64)}, "one or three positive numbers"),
    ],
)
def test_parameters_that_cannot_be_met_are_errors_before_anything_is_written(
    tmp_path, tiny_cohort, parameters, message
):
    with pytest.raises(InputError) as caught:
        prepare(tiny_cohort, tmp_path / "out", **parameters)
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_brain_smaller_than_a_voxel_is_an_error(tmp_path, make_case):
    case = replace(make_case(tmp_path, "p"), mask=None)
    flair = read_volume(case.images["flair"])
    brain = np.zeros(flair.shape, np.uint8)
    brain[11, 13, 9] = 1
    write_volume(tmp_path / "brain.nii.gz", brain, flair.affine)
    with pytest.raises(InputError, match="Case p: The brain is smaller than a voxel"):
        prepare(Cohort([replace(case, brain_mask=tmp_path / "brain.nii.gz")]), tmp_path / "out", spacing=7.0)


def test_a_mask_of_a_real_scan_comes_back_exactly(tmp_path, shared):
    cohort = Cohort.from_layout(shared / "data" / "open_ms_data", layout="open-ms").select("patient07")
    (case,) = prepare(cohort, tmp_path / "out", modalities=("flair",))
    native = read_mask(cohort[0].mask)
    back = to_native(case.mask, case, nearest=True)
    assert back.grid.difference(native.grid) is None
    assert_array_equal(back.data, native.data)
    assert case.lesion_ml == pytest.approx(1.3, abs=0.05)
    shutil.rmtree(tmp_path / "out")


def test_a_scan_that_was_normalised_before_needs_a_brain_mask(make_case, tmp_path):
    case = make_case(tmp_path / "scans", "zscored")
    image = nib.load(case.images["flair"])
    data = image.get_fdata()
    inside = data != 0
    data[inside] = (data[inside] - data[inside].mean()) / data[inside].std()
    nib.save(nib.Nifti1Image(data.astype(np.float32), image.affine), case.images["flair"])
    with pytest.raises(InputError, match="Give the case a brain_mask"):
        prepare(Cohort([case]), tmp_path / "out", modalities=("flair",))


@pytest.fixture
def labelled(tmp_path, make_case) -> Case:
    """A case in another orientation whose mask holds 1, 2 and 4."""
    return with_labels(make_case(tmp_path / "scans", "tumour", axes="LPS", rotation=17.0))


def test_classes_find_their_way_back_to_the_labels_of_the_mask(tmp_path, labelled):
    cohort = prepare(Cohort([labelled]), tmp_path / "out", labels=(1, 2, 4))
    (prepared,), native = cohort, read_volume(labelled.mask)
    assert cohort.labels == prepared.labels == (1, 2, 4)
    assert np.unique(prepared.mask).tolist() == [0, 1, 2, 3]
    back = to_labels(to_native(prepared.mask, prepared, nearest=True).data, prepared.labels)
    assert_array_equal(back, native.data)
    assert prepared.class_voxels == [int(np.sum(native.data == label)) for label in (1, 2, 4)]
    assert sum(prepared.lesion_voxels) == sum(prepared.class_voxels)


def test_resampling_makes_no_class_that_is_not_there(tmp_path, labelled):
    changed(labelled, "mask", lambda data: np.where(data == 2, 0, data).astype(np.uint8))
    (prepared,) = prepare(Cohort([labelled]), tmp_path / "out", labels=(1, 2, 4), spacing=0.7)
    assert np.unique(prepared.mask).tolist() == [0, 1, 3]
    assert prepared.class_voxels[1] == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [((), "--labels 1,2,4 to keep its classes, or --binarise-masks"), ((1, 2), "0 and 1, 2 are .*--labels 1,2,4")],
)
def test_labels_that_were_not_declared_are_an_error_that_proposes_them(tmp_path, labelled, labels, message):
    with pytest.raises(InputError, match=rf"holds values 0, 1, 2, 4; only .*{message}"):
        prepare(Cohort([labelled]), tmp_path / "out", labels=labels)


def test_binarised_labels_are_one_class(tmp_path, labelled):
    (prepared,) = prepare(Cohort([labelled]), tmp_path / "out", binarise_masks=True)
    assert np.unique(prepared.mask).tolist() == [0, 1]
    assert prepared.labels == ()


def test_a_folder_of_before_there_were_labels_is_taken_up(tmp_path, cases):
    first = prepare(Cohort(cases), tmp_path / "out")
    for case in first:
        write_json(case.folder / "case.json", {k: v for k, v in case.record.items() if k != "class_voxels"})
    before = stamps(first)
    again = prepare(Cohort(cases), tmp_path / "out")
    assert stamps(again) == before
    assert again.labels == again[0].labels == ()
    assert again[0].class_voxels == [sum(again[0].lesion_voxels)]
