"""The answer of a pre-training: multiples of the generator's error, and a sentence that is true."""
import numpy as np
import pytest

from mstl.reporting.gan_answer import restoration_answer
from tests.reporting.gan_runs import BASELINES, gan_history, gan_subjects


def test_test_subjects_answer_and_each_counts_alike():
    subjects = gan_subjects(0.03, sides=("test", "validation"), each=2)
    subjects["slices"] = [1, 1000, 1, 1]
    answer = restoration_answer(gan_history(40), BASELINES, subjects)
    mean_fill, gaussian = answer["fillings"]
    assert answer["where"] == "2 held-out test subjects"
    assert answer["mae"] == pytest.approx(0.033)
    assert mean_fill["times"] == pytest.approx(0.12 / 0.033)
    assert gaussian["times"] == pytest.approx(0.07 / 0.033)
    assert gaussian["wins"] == 2


def test_whole_squares_are_said_apart_where_they_were_scored():
    subjects = gan_subjects(0.04, sides=("test",), each=1)
    squares = restoration_answer(gan_history(40), BASELINES, subjects)["squares"]
    assert squares["mae"] == pytest.approx(0.02)
    assert squares["times"]["mean fill"] == pytest.approx(10)
    bare = subjects.drop(columns="squares_mae")
    assert restoration_answer(gan_history(40), BASELINES, bare)["squares"] is None


def test_before_the_end_the_best_epoch_stands_beside_the_baselines():
    history = gan_history(40)
    answer = restoration_answer(history, BASELINES, None)
    assert answer["best"][0] == 30
    assert answer["mae"] == history["val_hidden_mae"].min()
    assert answer["ssim"] == history["val_hidden_ssim"][29]
    assert answer["fillings"][0]["times"] == pytest.approx(0.12 / answer["mae"])
    assert answer["fillings"][0]["wins"] is None


@pytest.mark.parametrize(("mae", "sentence"), [
    (0.03, "It beats mean fill and Gaussian inpainting."),
    (0.09, "It beats mean fill, but not Gaussian inpainting. By SSIM it is the other way round for Gaussian"),
    (0.2, "It does not beat mean fill or Gaussian inpainting: it has learned little so far."),
])
def test_the_verdict_is_that_of_the_numbers(mae, sentence):
    subjects = gan_subjects(mae, sides=("test",), each=1)
    assert restoration_answer(gan_history(3), BASELINES, subjects)["verdict"].startswith(sentence)


def test_an_equal_error_is_not_beaten():
    answer = restoration_answer(gan_history(3), BASELINES, gan_subjects(0.07, sides=("test",), each=1))
    assert "not Gaussian inpainting" in answer["verdict"]


def test_without_baselines_nothing_is_claimed():
    answer = restoration_answer(gan_history(3), {}, None)
    assert answer["verdict"] == "How simple fillings would do is not known: the folder has no baselines.json."
    assert all(one["times"] is None for one in answer["fillings"])


def test_numbers_that_are_not_finite_decide_nothing():
    baselines = {"mean_fill": {"hidden_mae": np.nan, "hidden_ssim": np.nan}, "gaussian": BASELINES["gaussian"]}
    answer = restoration_answer(gan_history(40), baselines, None)
    assert answer["verdict"] == "It beats Gaussian inpainting."


def test_without_a_held_out_subject_there_is_no_answer():
    assert restoration_answer(gan_history(3, validation=False), {}, None) is None
