"""Prepared cases as later stages see them: arrays from memory maps, splits by subject."""
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.errors import InputError
from mstl.files import read_json, write_json


@pytest.fixture
def copy(tmp_path, tiny_prepared) -> Path:
    return Path(shutil.copytree(tiny_prepared.folder, tmp_path / "copy"))


def cohort_of(tiny_prepared: PreparedCohort, **sessions: int) -> PreparedCohort:
    """Subjects by name with so many sessions each; all show the same scan."""
    cases = []
    for subject, count in sessions.items():
        for _ in range(count):
            case = PreparedCase(tiny_prepared[0].folder)
            case.record = {**case.record, "subject": subject}
            cases.append(case)
    return PreparedCohort(cases, folder=tiny_prepared.folder, preparation=tiny_prepared.preparation)


def test_a_folder_is_opened_as_it_was_returned(tiny_prepared):
    opened = PreparedCohort.open(tiny_prepared.folder)
    assert [case.name for case in opened] == ["ras", "pil", "oblique"]
    assert opened.subjects == tiny_prepared.subjects
    assert opened.preparation == tiny_prepared.preparation
    assert opened.preparation["modalities"] == ["flair", "t1"]
    assert opened[1].record == tiny_prepared[1].record


def test_arrays_are_memory_maps_of_the_contract(tiny_prepared):
    for case in tiny_prepared:
        assert isinstance(case.image, np.memmap)
        assert isinstance(case.mask, np.memmap)
        assert case.image.dtype == np.float16
        assert case.mask.dtype == np.uint8
        assert case.image.shape == (*case.shape, len(case.modalities))
        assert case.mask.shape == case.shape == case.grid.shape
        assert len(case.brain_voxels) == len(case.lesion_voxels) == case.shape[0]


def test_arrays_cannot_be_written_to(tiny_prepared):
    with pytest.raises(ValueError, match="read-only"):
        tiny_prepared[0].image[0, 0, 0, 0] = 1


def test_the_lesion_volume_is_that_of_the_voxels_in_ml(tiny_prepared):
    case = tiny_prepared[2]
    assert case.spacing == pytest.approx((2.0, 1.2, 1.0), abs=1e-5)
    assert case.lesion_ml == pytest.approx(np.count_nonzero(case.mask) * 2.4 / 1000, rel=1e-5)


def test_a_case_says_what_it_is(tiny_prepared):
    assert repr(tiny_prepared[0]) == "PreparedCase('ras', shape=(13, 32, 32), modalities=('flair', 't1'))"
    assert repr(tiny_prepared).startswith("PreparedCohort(3 cases of 3 subjects in ")


def test_cases_are_selected_by_subject_with_all_their_sessions(tiny_prepared):
    cohort = cohort_of(tiny_prepared, a=2, b=1, c=3)
    assert [case.subject for case in cohort.select(["c", "a"])] == ["a", "a", "c", "c", "c"]
    assert cohort.select(["b"]).preparation == tiny_prepared.preparation
    with pytest.raises(InputError, match=r"Subjects d, e are not in .*, which holds a, b, c\. Check"):
        cohort.select(["e", "a", "d"])


@pytest.mark.parametrize("seed", range(4))
def test_splits_and_folds_never_divide_a_subject(tiny_prepared, seed):
    cohort = cohort_of(tiny_prepared, a=2, b=1, c=3, d=1, e=2)
    sides = cohort.split(ratios=(0.6, 0.2, 0.2), seed=seed)
    assert sorted(subject for side in sides for subject in side.subjects) == list("abcde")
    assert sum(map(len, sides)) == len(cohort)
    for train, test in cohort.folds(3, seed=seed):
        assert not set(train.subjects).intersection(test.subjects)
        assert len(train) + len(test) == len(cohort)
    tested = [subject for _, test in cohort.folds(3, seed=seed) for subject in test.subjects]
    assert sorted(tested) == list("abcde")


def test_the_load_of_a_subject_is_the_sum_over_its_sessions(tiny_prepared):
    cohort = cohort_of(tiny_prepared, a=2, b=1)
    volumes = cohort.lesion_ml_by_subject()
    assert volumes["a"] == pytest.approx(2 * volumes["b"])
    assert volumes["b"] == tiny_prepared[0].lesion_ml > 0


def test_a_prepared_folder_can_be_moved(copy):
    moved = PreparedCohort.open(copy)
    assert moved[0].image.shape == (*moved[0].shape, 2)
    assert Path(moved[0].image.filename).is_relative_to(copy)


def test_a_folder_that_was_not_prepared_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"is no prepared folder .*'mstl prepare'"):
        PreparedCohort.open(tmp_path)


def test_a_folder_without_one_of_its_cases_is_an_error(copy):
    shutil.rmtree(copy / "pil")
    with pytest.raises(InputError, match=r"pil.case\.json does not exist"):
        PreparedCohort.open(copy)


def test_an_unfinished_folder_is_an_error(copy):
    (copy / "cohort.csv").unlink()
    with pytest.raises(InputError, match="not finished"):
        PreparedCohort.open(copy)


def test_parameters_edited_by_hand_are_found(copy):
    write_json(copy / "preparation.json", {**read_json(copy / "preparation.json"), "normalise": "max"})
    with pytest.raises(InputError, match=r"Case ras .* other parameters than the folder states"):
        PreparedCohort.open(copy)


def test_unlabelled_cases_have_no_mask_and_no_lesions(tmp_path, tiny_cohort):
    (case,) = prepare(Cohort([replace(tiny_cohort[0], mask=None)]), tmp_path / "out")
    assert case.mask is None
    assert not case.has_mask
    assert case.lesion_voxels == [0] * case.shape[0]
