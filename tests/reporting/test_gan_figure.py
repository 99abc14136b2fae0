"""Curves of a pre-training: which panels there are, and what they show."""
import math

import numpy as np
import pytest

from mstl.reporting.gan_figure import best_restoration, restoration_curves
from tests.reporting.gan_runs import BASELINES, gan_history

WEIGHTS = {"l1_weight": 100.0, "discriminator_weight": 0.5}


def panels(history, baselines=BASELINES, **weights):
    figure = restoration_curves(history, baselines, **WEIGHTS | weights)
    return {axes.get_title("left"): axes for axes in figure.axes}


def curves(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_restoration_stands_above_the_losses_with_the_baselines_as_lines():
    drawn = panels(gan_history(40))
    assert list(drawn) == ["Error in hidden pixels, validation", "SSIM in hidden pixels, validation", "Generator loss",
                           "Discriminator loss"]
    error = drawn["Error in hidden pixels, validation"]
    levels = {line.get_ydata()[0] for line in error.get_lines() if len(set(line.get_ydata())) == 1}
    assert {0.12, 0.07} <= levels
    assert [text.get_text() for text in error.texts] == ["mean fill 0.120", "Gaussian inpainting 0.070"]
    assert error.get_title("right") == "0.044 in epoch 30"


def test_parts_of_the_generators_loss_add_up_to_it():
    history = gan_history(9)
    lines = curves(panels(history)["Generator loss"])
    parts = lines["part of the error, 100 × L1"].get_ydata() + lines["adversarial part"].get_ydata()
    assert np.allclose(parts, lines["training"].get_ydata())


def test_chance_of_the_discriminator_follows_its_weight():
    lines = curves(panels(gan_history(3), discriminator_weight=1.0)["Discriminator loss"])
    assert lines["cannot tell restored from real"].get_ydata()[0] == pytest.approx(2 * math.log(2))


def test_without_validation_the_losses_alone_are_drawn():
    history = gan_history(5, validation=False)
    assert list(panels(history, {})) == ["Generator loss", "Discriminator loss"]
    assert best_restoration(history) is None


def test_a_single_epoch_is_seen_as_a_dot():
    drawn = panels(gan_history(1))
    assert curves(drawn["Generator loss"])["training"].get_marker() == "o"


def test_the_best_epoch_is_that_of_the_lowest_hidden_error():
    history = gan_history(40)
    history.loc[29, "val_hidden_mae"] = np.nan
    assert best_restoration(history)[0] in (29, 31)
    history["val_hidden_mae"] = np.nan
    assert best_restoration(history) is None
    assert next(iter(panels(history))) == "SSIM in hidden pixels, validation"


def test_a_part_that_counts_half_is_drawn_at_half():
    history = gan_history(3)
    part = curves(panels(history, adversarial_weight=0.5)["Generator loss"])["adversarial part"]
    assert np.allclose(part.get_ydata(), history["adversarial_loss"] / 2)


def test_without_a_discriminator_the_generator_alone_is_drawn():
    history = gan_history(5, validation=False)
    history = history[[name for name in history if "adversarial" not in name and "discriminator" not in name]]
    drawn = panels(history, {})
    assert "Discriminator loss" not in drawn
    assert "adversarial part" not in curves(drawn["Generator loss"])
