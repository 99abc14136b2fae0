"""A training stops where a loss or a weight is no longer finite, before anything is written."""
import numpy as np
import pytest

from mstl._keras import keras
from mstl.errors import TrainingError
from mstl.training.finite import FiniteGuard
from mstl.training.fit import fit


class Cases:
    """Stands for a sequence of batches: the cases of a batch are called by epoch and index."""

    @property
    def sampler(self):
        return self

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        return [f"e{epoch}", f"b{index}"]


@pytest.fixture
def guard():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1), keras.layers.BatchNormalization()])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    guard = FiniteGuard(Cases())
    guard.set_model(model)
    guard.on_epoch_begin(3)
    return guard


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_a_loss_that_is_not_finite_names_epoch_batch_cases_and_rate(guard, value, shown):
    guard.on_train_batch_end(0, {"loss": 1.0, "adversarial_loss": 0.5})
    with pytest.raises(TrainingError) as caught:
        guard.on_train_batch_end(1, {"loss": 1.0, "adversarial_loss": value})
    assert str(caught.value) == (
        f"Adversarial loss is {shown} at epoch 4, batch 2 with cases e3, b1. Look at these cases, or lower "
        "learning_rate (0.5); earlier epochs are kept."
    )


def test_what_is_no_loss_may_be_anything(guard):
    guard.on_train_batch_end(0, {"loss": 1.0, "dice": np.nan})
    guard.on_epoch_end(3, {"loss": 1.0, "val_loss": 2.0, "val_dice": np.nan})
    guard.on_epoch_end(3)
    assert (guard.epoch, guard.batch) == (3, 0)


def test_a_loss_of_validation_is_looked_at_too(guard):
    with pytest.raises(TrainingError, match=r"Val loss is nan after epoch 4, .*Look at the validation cases"):
        guard.on_epoch_end(3, {"loss": 1.0, "val_loss": np.nan})


@pytest.mark.parametrize("place", [0, -1])
def test_weights_and_statistics_are_looked_at_behind_the_last_batch(guard, place):
    variable = guard.model.weights[place]
    variable.assign(variable * np.inf)
    guard.on_train_batch_end(5, {"loss": 1.0})
    with pytest.raises(TrainingError, match="A weight is not finite after epoch 4, batch 6 with cases e3, b5"):
        guard.on_epoch_end(3, {"loss": 1.0})


def test_a_rate_that_breaks_the_weights_in_the_last_batch_leaves_nothing_to_resume_from(
    prepared, small_model, tmp_path
):
    settings = {"epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "learning_rate": 1e39}
    with pytest.raises(TrainingError, match="A weight is not finite after epoch 1, batch 1"):
        fit(small_model(), prepared.select(["s0"]), out=tmp_path / "run", **settings)
    assert not list((tmp_path / "run").rglob("*.h5"))


@pytest.mark.parametrize(("term", "told"), [("data", "The data term"), ("kl", "The KL divergence")])
def test_of_a_sum_the_term_is_named_that_is_not_finite(guard, term, told):
    with pytest.raises(TrainingError, match=f"^{told} is nan at epoch 4, batch 1"):
        guard.on_train_batch_end(0, {"loss": np.nan, "data": 1.0, "kl": 2.0, term: np.nan})
