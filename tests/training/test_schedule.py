import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstl.config import Training
from mstl.config_gan import GanTraining
from mstl.training.schedule import cycles, has_ended, is_best, learning_rate, minimum, monitored, plateaus

values = st.lists(st.floats(0, 1), max_size=30)


def test_constant_rate_stays():
    settings = Training(learning_rate=0.01, epochs=10)
    assert {learning_rate(settings, epoch=epoch, monitored=[]) for epoch in range(10)} == {0.01}


def test_cosine_rate_starts_full_and_falls_to_half_in_the_middle():
    settings = Training(learning_rate=0.01, decay="cosine", epochs=10)
    rates = [learning_rate(settings, epoch=epoch, monitored=[]) for epoch in range(10)]
    assert rates[0] == 0.01
    assert rates[5] == pytest.approx(0.005)
    assert rates[9] < 0.0003
    assert rates == sorted(rates, reverse=True)


@given(restarts=st.integers(0, 4), length=st.integers(1, 6))
def test_each_cycle_repeats_the_first_and_ends_in_a_minimum(restarts, length):
    settings = Training(learning_rate=0.01, decay="cosine", epochs=length * (restarts + 1), restarts=restarts)
    rates = [learning_rate(settings, epoch=epoch, monitored=[]) for epoch in range(settings.epochs)]
    alone = Training(learning_rate=0.01, decay="cosine", epochs=length)
    assert rates == [learning_rate(alone, epoch=epoch, monitored=[]) for epoch in range(length)] * cycles(settings)
    numbers = [minimum(settings, epoch=epoch) for epoch in range(settings.epochs)]
    wanted = {length * number - 1: number for number in range(1, restarts + 2)} if restarts else {}
    assert {epoch: number for epoch, number in enumerate(numbers) if number} == wanted


def test_a_pre_training_has_one_cycle_and_keeps_no_minimum():
    assert cycles(GanTraining()) == 1
    assert minimum(GanTraining(epochs=5), epoch=4) is None


def test_plateaus_count_every_full_wait_without_a_new_best():
    assert plateaus([0.5, 0.4, 0.4, 0.4, 0.4], 2) == 2
    assert plateaus([0.5, 0.4, 0.6, 0.5, 0.5], 2) == 1
    assert plateaus([0.1, 0.2, 0.3], 1) == 0


def test_each_plateau_multiplies_the_rate():
    settings = Training(learning_rate=1.0, plateau_patience=2, plateau_factor=0.1)
    assert learning_rate(settings, epoch=5, monitored=[0.5, 0.4, 0.4, 0.4, 0.4]) == pytest.approx(0.01)


@given(values)
def test_without_patience_there_is_no_plateau(monitored):
    assert plateaus(monitored, None) == 0


def test_training_ends_after_the_last_epoch():
    settings = Training(epochs=3)
    assert not has_ended(settings, [0.1, 0.2])
    assert has_ended(settings, [0.1, 0.2, 0.3])


def test_training_stops_early_when_the_best_is_long_ago():
    settings = Training(epochs=100, stop_patience=3)
    assert not has_ended(settings, [0.5, 0.4, 0.4])
    assert has_ended(settings, [0.5, 0.4, 0.4, 0.4])


def test_training_ends_once_plateaus_have_cut_the_rate_below_the_least():
    settings = Training(epochs=100, learning_rate=1e-3, plateau_patience=2, plateau_factor=0.1, stop_rate=1e-6)
    worse = [0.5] + [0.4] * 20
    ended = [count for count in range(len(worse)) if has_ended(settings, worse[:count])]
    assert ended[0] == 1 + 4 * 2  # 1e-6 after three plateaus is not below 1e-6
    assert not has_ended(Training(epochs=100, plateau_patience=2), worse)


@given(values.filter(len))
def test_the_best_epoch_is_one_above_all_before(monitored):
    assert is_best(monitored) == (monitored[-1] > max([-math.inf, *monitored[:-1]]))


def test_validation_dice_is_what_epochs_are_compared_by():
    assert monitored([{"loss": 0.4, "val_dice": 0.2}, {"loss": 0.3, "val_dice": 0.5}]) == [0.2, 0.5]


def test_of_a_pre_training_a_smaller_error_of_hidden_pixels_is_better():
    assert monitored([{"loss": 0.4, "val_hidden_mae": 0.2}, {"loss": 0.3, "val_hidden_mae": 0.1}]) == [-0.2, -0.1]


def test_without_validation_a_smaller_loss_is_better():
    assert monitored([{"loss": 0.4}, {"loss": 0.3}]) == [-0.4, -0.3]


def test_polynomial_rate_falls_as_the_power_of_what_remains():
    settings = Training(learning_rate=0.01, decay="polynomial", epochs=10)
    rates = [learning_rate(settings, epoch=epoch, monitored=[]) for epoch in range(10)]
    assert rates == pytest.approx([0.01 * (1 - epoch / 10) ** 0.9 for epoch in range(10)])
    assert rates[0] == 0.01
    assert rates[9] > 0
