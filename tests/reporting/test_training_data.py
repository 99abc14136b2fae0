"""Cases in numbers: how many, their voxels, their lesions."""
from types import SimpleNamespace

import numpy as np
import pytest

from mstl.data.grid import Grid
from mstl.data.prepared import PreparedCohort
from mstl.reporting.training_data import are_pictures, cases_in_numbers, sides_in_numbers


def test_heads_are_told_by_spacing_along_the_body_whatever_their_orientation(tiny_prepared):
    found = cases_in_numbers(tiny_prepared)
    assert (found["subjects"], found["cases"], found["unit"]) == (3, 3, "ml")
    assert found["spacing_mm"] == {"kinds": [{"mm": [1.0, 1.2, 2.0], "cases": 3}]}
    assert found["lesions"].keys() == {"low", "median", "high"}
    assert (found["without_lesion"], found["datasets"]) == (0, [])
    assert [way[:5] for way in found["brain"]] == ["above"]


def test_many_spacings_are_told_by_their_range():
    sides = [1.0, 1.1, 1.2, 1.3, 1.4]
    cases = [_case(f"s{number}", spacing=(side, 2.0, 3.0)) for number, side in enumerate(sides)]
    cohort = PreparedCohort(cases, folder="x", preparation={})
    assert cases_in_numbers(cohort)["spacing_mm"] == {"low": [1.0, 2.0, 3.0], "high": [1.4, 2.0, 3.0]}


def test_pictures_are_told_by_size_and_pixels():
    cases = [_case(name, picture=True, lesion_ml=0.02) for name in "abc"]
    found = cases_in_numbers(PreparedCohort(cases, folder="x", preparation={}))
    assert (found["unit"], found["spacing_mm"], found["shapes"]) == ("pixels", None, [(12, 16)])
    assert found["lesions"] == {"low": 20.0, "median": 20.0, "high": 20.0}


def test_sessions_of_a_subject_are_averaged_and_empty_ones_counted():
    cases = [_case("a", lesion_ml=1), _case("a", lesion_ml=3), _case("b", lesion_ml=5), _case("c", lesion_ml=0)]
    found = cases_in_numbers(PreparedCohort([*cases, _case("d", lesion_ml=8)], folder="x", preparation={}))
    assert found["lesions"] == {"low": 2.0, "median": 5.0, "high": 8.0}
    assert (found["subjects"], found["cases"], found["without_lesion"]) == (4, 5, 1)


@pytest.mark.parametrize(("side", "modality", "expected"), [
    ({"unit": "pixels"}, "flair", True), ({"unit": "ml"}, "oct", False), ({}, "oct", True), ({}, "t1", False),
])  # fmt: skip
def test_what_is_not_known_to_be_pictures_is_told_by_its_modality(side, modality, expected):
    assert are_pictures(side, SimpleNamespace(modalities=(modality,))) is expected


def test_cases_that_were_prepared_otherwise_since_are_not_counted(tiny_prepared):
    names = {"train_subjects": ("ras", "pil"), "validation_subjects": (), "test_subjects": ("oblique",)}
    run = SimpleNamespace(
        experiment=SimpleNamespace(**names),
        preparation={"modalities": ["t2"]},
        prepared=lambda side: tiny_prepared.select(names[f"{side}_subjects"]),
    )
    assert sides_in_numbers(run)["train"] == {"subjects": 2}
    run.preparation = tiny_prepared.preparation
    assert sides_in_numbers(run)["train"]["cases"] == 2


def _case(subject, *, spacing=(1.0, 1.0, 1.0), picture=False, lesion_ml=1.0):
    return SimpleNamespace(
        subject=subject, is_picture=picture, lesion_ml=lesion_ml, has_mask=True, record={"dataset": "", "steps": []},
        native_grid=Grid((12, 16, 1), np.diag([*spacing, 1.0])),
    )  # fmt: skip
