import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score, recall_score

from mstl.data.case import Case
from mstl.errors import InputError
from mstl.evaluation.pairs import Pair
from mstl.evaluation.pooled import MEANS, Areas, PooledTable, pooled_path, pooled_scores, read_pooled

CLASSES = 3
masks = arrays(np.uint8, (2, 4, 5), elements=st.integers(0, CLASSES - 1))


def _pair(subject: str, prediction, reference, labels=()) -> Pair:
    case = Case.of_files({"flair": "x.nii.gz"}, subject=subject)
    arrays_ = (np.asarray(mask, np.uint8).reshape(1, 1, -1) for mask in (prediction, reference))
    return Pair(case, *arrays_, labels, (1.0, 1.0, 1.0))


@settings(max_examples=40, deadline=None)
@given(prediction=masks, reference=masks)
def test_scores_are_those_of_scikit_learn_over_all_voxels(prediction, reference):
    found = pooled_scores(Areas.of(prediction, reference, num_classes=CLASSES))
    flat = reference.ravel(), prediction.ravel()
    union = np.union1d(*flat)
    options = {"labels": union, "average": "macro", "zero_division": 0}
    assert found["mdice"] == pytest.approx(f1_score(*flat, **options))
    assert found["mfscore"] == pytest.approx(found["mdice"])
    assert found["miou"] == pytest.approx(jaccard_score(*flat, **options))
    recall = recall_score(*flat, labels=np.unique(reference), average="macro", zero_division=0)
    assert found["macc"] == pytest.approx(recall)


@settings(max_examples=20, deadline=None)
@given(first=st.tuples(masks, masks), second=st.tuples(masks, masks))
def test_pooled_cases_score_as_one_case_of_all_voxels(first, second):
    pooled = sum_of(first) + sum_of(second)
    together = sum_of([np.concatenate(parts) for parts in zip(first, second, strict=True)])
    assert pooled_scores(pooled) == pytest.approx(pooled_scores(together), nan_ok=True)


def sum_of(masks_) -> Areas:
    return Areas.of(*masks_, num_classes=CLASSES)


def test_pooling_is_not_the_mean_of_the_cases():
    large, small = ([1] * 90 + [0] * 10,) * 2, ([0] * 100, [1] + [0] * 99)
    table = PooledTable()
    table.add(_pair("a", *large))
    table.add(_pair("b", *small))
    rows = table.rows()
    assert rows["subject"].tolist() == ["", "a", "b"]
    assert rows["cases"].tolist() == [2, 1, 1]
    assert rows["dice_1"].tolist() == pytest.approx([180 / 181, 1.0, 0.0])


def test_a_class_in_neither_mask_is_nan_and_left_out_of_the_means():
    found = pooled_scores(Areas.of(np.zeros(9), np.zeros(9), num_classes=2))
    assert all(found[name] == 1 for name in MEANS)
    assert all(np.isnan(found[f"{name}_1"]) for name in ("dice", "recall", "iou", "precision"))


def test_a_class_that_was_missed_everywhere_scores_zero():
    found = pooled_scores(Areas.of([0, 0, 0, 0], [0, 0, 0, 1], num_classes=2))
    assert (found["dice_1"], found["recall_1"], found["iou_1"]) == (0, 0, 0)
    assert found["mfscore"] == found["mdice"] == pytest.approx(3 / 7)


def test_numbers_beyond_the_classes_and_other_shapes_are_refused():
    with pytest.raises(InputError, match="values other than 0 to 1"):
        Areas.of([0, 2], [0, 1], num_classes=2)
    with pytest.raises(InputError, match=r"shape \(2,\), reference \(3,\)"):
        Areas.of([0, 1], [0, 1, 1], num_classes=2)


def test_columns_of_classes_are_named_by_their_labels():
    table = PooledTable()
    table.add(_pair("a", [0, 1, 2, 2], [0, 1, 2, 0], labels=(1, 4)))
    assert table.rows().loc[0, "precision_4"] == 0.5
    with pytest.raises(InputError, match=r"Case b has labels 1 and earlier ones have 1,4"):
        table.add(_pair("b", [0, 1], [0, 1]))


def test_the_table_survives_its_file(tmp_path):
    table = PooledTable()
    table.add(_pair("007", [0, 0], [0, 0], labels=(5,)))
    table.write(tmp_path / "scores.csv")
    assert pooled_path(tmp_path / "scores.csv").read_text().startswith("# Pooled: ")
    pd.testing.assert_frame_equal(read_pooled(tmp_path / "scores_pooled.csv"), table.rows())
