"""Evaluation: a table of cases and, where masks hold labels, one of regions beside it."""
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mstl.data.cohort import Case, Cohort
from mstl.data.volume import write_volume
from mstl.errors import InputError
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.regions import read_regions, region_summaries, regions_path
from mstl.evaluation.scores import (
    COLUMNS,
    DISTANCE_RULE,
    EMPTY_CONVENTION,
    MATCHING_RULE,
    SCORES,
    read_scores,
    summary,
)
from mstl.files import write_json


@pytest.fixture
def cohort(tmp_path):
    """Three cases with oblique 3 mm slices: a lesion hit, an empty case, an empty one with a false lesion."""
    turn = np.array([[0.8, -0.6, 0, 10], [0.6, 0.8, 0, -5], [0, 0, 1, 3], [0, 0, 0, 1]])
    affine = turn @ np.diag([1.0, 1.0, 3.0, 1.0])
    lesion, false = np.zeros((2, 8, 9, 7), np.uint8)
    lesion[2:5, 2:5, 2:4] = false[6, 6, 6] = 1
    cases = []
    for name, reference, prediction in (
        ("007", lesion, np.roll(lesion, 1, axis=2)),
        ("NA", lesion * 0, lesion * 0),
        ("c", lesion * 0, false),
    ):
        session, mask = "2" if name == "007" else "", tmp_path / f"{name}.nii"
        case = Case(name, session, images={"flair": "f.nii.gz"}, mask=mask)
        write_volume(case.mask, reference, affine)
        write_volume(tmp_path / "predictions" / f"{case.name}_prediction.nii.gz", prediction, affine)
        cases.append(case)
    return Cohort(cases)


@pytest.fixture
def predictions(tmp_path, cohort):
    return tmp_path / "predictions"


def test_evaluate_gives_a_row_a_case_with_the_spacing_of_an_oblique_scan(predictions, cohort):
    scores = evaluate(predictions, cohort)
    assert tuple(scores.columns) == COLUMNS
    assert scores["case"].tolist() == [case.name for case in cohort]
    assert scores.loc[0, "reference_ml"] == pytest.approx(18 * 3 / 1000)
    assert scores.loc[0, "dice"] == 0.5
    assert scores.loc[0, "hausdorff95_mm"] == pytest.approx(3.0)
    assert scores["empty_reference"].tolist() == [0, 1, 1]


def test_the_table_comes_back_as_it_was_written(tmp_path, predictions, cohort):
    scores = evaluate(predictions, cohort, out=tmp_path / "scores.csv")
    read = read_scores(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(read, scores, check_dtype=False)
    assert read.loc[1, ["subject", "session"]].tolist() == ["NA", ""]
    assert read.loc[0, ["subject", "session"]].tolist() == ["007", "2"]


def test_the_conventions_stand_in_the_header(tmp_path, predictions, cohort):
    evaluate(predictions, cohort, out=tmp_path / "scores.csv")
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[:3] == [f"# {EMPTY_CONVENTION}", f"# {MATCHING_RULE}", f"# {DISTANCE_RULE}"]
    assert lines[3] == ",".join(COLUMNS)


def test_the_summary_counts_empty_references_apart(predictions, cohort):
    result = summary(evaluate(predictions, cohort))
    assert result["cases"] == 1
    dice = {"cases": 1, "median": 0.5, "mean": 0.5, "sd": np.nan}
    assert result["scores"]["dice"] == pytest.approx(dice, nan_ok=True)
    assert set(result["scores"]) == set(SCORES)
    empty = {"cases": 2, "without_false_lesions": 1, "mean_prediction_ml": 0.0015}
    assert result["empty_reference"] == pytest.approx(empty)


def test_cases_without_a_prediction_are_listed_and_nothing_is_written(tmp_path, predictions, cohort):
    (predictions / "c_prediction.nii.gz").unlink()
    (predictions / "NA_prediction.nii.gz").unlink()
    with pytest.raises(InputError, match=r"lacks NA_prediction\.nii\.gz, c_prediction\.nii\.gz"):
        evaluate(predictions, cohort, out=tmp_path / "scores.csv")
    assert not (tmp_path / "scores.csv").exists()


def test_where_some_cases_were_predicted_the_error_says_how_to_score_these_alone(tmp_path, predictions, cohort):
    (predictions / "c_prediction.nii.gz").unlink()
    others = ",".join(case.subject for case in cohort if case.name != "c")
    with pytest.raises(InputError, match=f"or score the others alone: --subjects {others}\\.$"):
        evaluate(predictions, cohort, out=tmp_path / "scores.csv")


def test_cases_without_a_mask_are_listed(predictions, cohort):
    with pytest.raises(InputError, match="without a mask: x, y"):
        evaluate(predictions, [*cohort, *(Case(name, images={"t2": "a.nii"}) for name in "xy")])


def test_an_empty_cohort_is_refused(predictions):
    with pytest.raises(InputError, match="no case"):
        evaluate(predictions, Cohort([]))


def test_a_prediction_on_another_grid_is_refused_naming_both(predictions, cohort):
    write_volume(predictions / "c_prediction.nii.gz", np.zeros((8, 9, 7), np.uint8), np.eye(4))
    with pytest.raises(InputError, match=r"c_prediction\.nii\.gz.*c\.nii .*different grids"):
        evaluate(predictions, cohort)


def test_a_reference_with_other_values_is_refused_by_name(predictions, cohort):
    write_volume(cohort[0].mask, np.full((8, 9, 7), 4, np.uint8), np.eye(4))
    with pytest.raises(InputError, match=r"007\.nii.*0 and 1"):
        evaluate(predictions, cohort)


@pytest.fixture
def tumours(tmp_path):
    """Two tumours of labels 1, 2, 4, one without label 4; predicted shifted by a voxel. And their predictions."""
    cases, folder = [], tmp_path / "tumour_predictions"
    for name, labels in (("a", (1, 2, 4)), ("b", (1, 2))):
        mask = np.zeros((12, 10, 8), np.uint8)
        for place, label in enumerate(labels):
            mask[2 + 2 * place : 4 + 2 * place, 2:8, 2:6] = label
        case = Case(name, images={"flair": "f.nii.gz"}, mask=tmp_path / f"{name}.nii")
        write_volume(case.mask, mask, np.eye(4))
        write_volume(folder / f"{name}_prediction.nii.gz", np.roll(mask, 1, axis=1), np.eye(4))
        write_json(folder / f"{name}.json", {"case": name, "labels": [1, 2, 4]})
        cases.append(case)
    return folder, Cohort(cases)


def test_a_tumour_has_a_row_for_the_whole_and_a_row_a_region_beside_it(tmp_path, tumours):
    scores = evaluate(*tumours, out=tmp_path / "scores.csv")
    assert scores["case"].tolist() == ["a", "b"]
    assert scores.loc[0, "dice"] == pytest.approx(5 / 6)
    rows = read_regions(tmp_path / "scores_regions.csv").set_index(["case", "region"])
    names = ["label 1", "label 2", "label 4", "whole", "core", "enhancing"]
    assert rows.loc["a"].index.tolist() == rows.loc["b"].index.tolist() == names
    assert rows.loc[("a", "whole"), "dice"] == scores.loc[0, "dice"]
    assert rows.loc[("a", "core"), "reference_ml"] == pytest.approx(2 * 48 / 1000)
    assert rows.loc[("b", "enhancing"), ["empty_reference", "dice"]].tolist() == [1, 1.0]
    assert region_summaries(rows.reset_index())["enhancing"]["cases"] == 1


def test_the_header_of_the_regions_says_what_they_are(tmp_path, tumours):
    evaluate(*tumours, out=tmp_path / "scores.csv")
    first, *rest = (tmp_path / "scores_regions.csv").read_text().splitlines()
    assert "whole = 1 + 2 + 4; core = 1 + 4; enhancing = 4" in first
    assert rest[:3] == [f"# {EMPTY_CONVENTION}", f"# {MATCHING_RULE}", f"# {DISTANCE_RULE}"]


def test_regions_by_name_are_added(tmp_path, tumours):
    evaluate(*tumours, out=tmp_path / "scores.csv", regions={"core": (1,), "oedema and rim": (2, 4)})
    rows = read_regions(tmp_path / "scores_regions.csv").set_index(["case", "region"])
    assert rows.loc[("a", "core"), "dice"] == rows.loc[("a", "label 1"), "dice"]
    assert rows.loc[("a", "oedema and rim"), "reference_ml"] == pytest.approx(2 * 48 / 1000)


def test_labels_as_one_class_give_the_scores_of_the_whole_and_no_regions(tmp_path, tumours):
    whole = evaluate(*tumours, out=tmp_path / "scores.csv")
    assert regions_path(tmp_path / "scores.csv").exists()
    binary = evaluate(*tumours, out=tmp_path / "scores.csv", binarise_masks=True)
    pd.testing.assert_frame_equal(binary, whole)
    assert not regions_path(tmp_path / "scores.csv").exists()


def test_masks_of_one_class_have_no_regions(tmp_path, predictions, cohort):
    evaluate(predictions, cohort, out=tmp_path / "scores.csv")
    assert not regions_path(tmp_path / "scores.csv").exists()
    with pytest.raises(InputError, match="for masks of one class"):
        evaluate(predictions, cohort, regions={"core": (1, 4)})


def test_labels_and_one_class_of_all_exclude_each_other(tumours):
    with pytest.raises(InputError, match="Ask for one of both"):
        evaluate(*tumours, labels=(1, 2, 4), binarise_masks=True)


def test_cases_whose_labels_mean_different_things_are_not_in_one_table(tumours):
    folder, (first, second) = tumours
    for name in "ab":
        write_json(folder / f"{name}.json", {"labels": [1, 2, 3]})
        write_volume(folder / f"{name}_prediction.nii.gz", np.ones((12, 10, 8), np.uint8), np.eye(4))
    write_volume(first.mask, np.full((12, 10, 8), 3, np.uint8), np.eye(4))
    with pytest.raises(InputError, match=r"core = 2 \+ 3.*core = 1 \+ 3.*one by one"):
        evaluate(folder, [first, replace(second, dataset="msd")])
