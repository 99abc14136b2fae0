"""Learning curves: drawn of what there is, the best epoch and each minimum of the rate marked."""
import numpy as np
import pandas as pd
import pytest

from mstl.reporting.curves import best_epoch, learning_curves, minima_of
from mstl.reporting.figures import to_svg

HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "learning_rate": [1e-3, 1e-3, 1e-4], "loss": [1.0, 0.5, 0.4],
                        "dice": [0.1, 0.4, 0.6], "val_loss": [1.1, 0.7, 0.8], "val_dice": [0.2, 0.5, 0.45]})


def test_the_best_epoch_is_that_of_the_highest_validation_dice():
    assert best_epoch(HISTORY) == (2, 0.5)
    assert best_epoch(HISTORY.drop(columns="val_dice")) is None


def test_curves_mark_the_best_epoch():
    text = to_svg(learning_curves(HISTORY))
    assert "best 0.500, epoch 2" in text
    assert "validation" in text


@pytest.mark.parametrize(
    "history", [HISTORY[:1], HISTORY[["epoch", "loss", "dice"]], HISTORY.assign(val_dice=np.nan)]
)
def test_curves_are_drawn_of_what_there_is(history):
    assert "Loss" in to_svg(learning_curves(history))


def test_each_minimum_of_a_rate_with_restarts_is_marked():
    history = HISTORY.assign(learning_rate=[1e-3, 5e-4, 1e-3])
    assert minima_of({"epochs": 6, "restarts": 2}, history) == [2]
    assert minima_of({"epochs": 3, "restarts": 2}, history) == [1, 2, 3]
    rate = learning_curves(history, minima=[2]).axes[2]
    marks = [line for line in rate.lines if line.get_marker() == "v"]
    assert [line.get_xydata().tolist() for line in marks] == [[[2, 5e-4]]]
    assert "weights kept" in to_svg(learning_curves(history, minima=[2]))


@pytest.mark.parametrize("experiment", [{"epochs": 6}, {"epochs": 6, "restarts": 0}])
def test_a_rate_without_restarts_has_no_minimum_to_mark(experiment):
    assert minima_of(experiment, HISTORY) == []
    assert "weights kept" not in to_svg(learning_curves(HISTORY))


def test_a_loss_with_a_divergence_is_shown_by_its_terms():
    history = HISTORY.assign(data=[0.6, 0.3, 0.2], kl=[2.0, 1.0, 0.8], kl_weight=[0.0, 0.25, 0.5])
    loss = learning_curves(history).axes[0]
    assert loss.get_yscale() == "log"
    assert [line.get_ydata().tolist() for line in loss.lines[:3]] == [[0.6, 0.3, 0.2], [1.1, 0.7, 0.8], [0, 0.25, 0.4]]
    assert "weighted divergence" in to_svg(learning_curves(history))
