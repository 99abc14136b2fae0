import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from mstl.errors import InputError
from mstl.training.class_metrics import ClassScores
from mstl.training.metrics import training_metrics


def one_hot(numbers) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[np.asarray(numbers)]


@settings(max_examples=20, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_scores_are_those_of_scikit_learn_where_they_are_defined(pairs):
    truth, predicted = np.array(pairs).T
    metric = ClassScores(["core", "rim"])
    metric.update_state(truth[None, :, None], one_hot(predicted)[None])
    result = {name: float(value) for name, value in metric.result().items()}
    absent = np.array([not ((truth == number) | (predicted == number)).any() for number in (1, 2)])
    for name, score in (
        ("dice", f1_score), ("iou", jaccard_score), ("precision", precision_score), ("sensitivity", recall_score),
    ):  # fmt: skip
        each = np.where(absent, 1, score(truth, predicted, labels=[1, 2], average=None, zero_division=0))
        assert result[name] == pytest.approx(each.mean()), name
    assert result["dice"] == pytest.approx((result["dice_core"] + result["dice_rim"]) / 2)


def test_specificity_is_the_mean_over_the_foreground_classes():
    metric = ClassScores([1, 2])
    metric.update_state(np.array([0, 0, 1, 2])[None, :, None], one_hot([0, 1, 1, 1])[None])
    assert float(metric.result()["specificity"]) == pytest.approx((1 / 3 + 3 / 3) / 2)


def test_batches_are_pooled_until_the_reset():
    metric, halves = ClassScores([1, 2]), (([0, 1, 2], [1, 1, 2]), ([2, 2, 0], [0, 2, 0]))
    for truth, predicted in halves:
        metric.update_state(np.array(truth)[None, :, None], one_hot(predicted)[None])
    assert float(metric.result()["dice_2"]) == pytest.approx(2 * 2 / (2 * 2 + 1))
    metric.reset_state()
    assert float(metric.result()["dice"]) == 1.0


def test_another_number_of_classes_is_refused():
    with pytest.raises(InputError, match="3 channels, 4 are expected: background and 1, 2, 4"):
        ClassScores([1, 2, 4]).update_state(np.zeros((1, 2, 1)), one_hot([[0, 1]]))


def test_trainings_of_several_classes_get_these_by_the_values_of_their_labels():
    [scores] = training_metrics(num_classes=4, labels=(1, 2, 4))
    assert scores.names == ["1", "2", "4"]
    assert training_metrics(num_classes=3)[0].names == ["1", "2"]
    assert [metric.name for metric in training_metrics()] == ["dice", "precision", "sensitivity"]
