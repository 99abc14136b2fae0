"""Scores of ways to fill what is hidden: of what knows the answer, of baselines, in each scale."""
import numpy as np
import pytest

from mstl._keras import tf
from mstl.config_gan import GanTraining
from mstl.data.inpainting import SIGMA_PER_TILE, gaussian_fill, mean_fill
from mstl.data.sequences import SliceSequence
from mstl.training.pretrain_gan import restoration_sampler
from mstl.training.restoration_metrics import SIGNED, UNIT
from mstl.training.restoration_scores import baseline_fills, is_signed, scale_of, score_fills
from tests.gans import SETTINGS, sides_of


def batches_of(gan_prepared, **changes):
    training = GanTraining(**{**SETTINGS, **changes})
    return SliceSequence(restoration_sampler(sides_of(gan_prepared)[1], training, validation=True)), training


def test_the_activation_says_the_scale():
    assert scale_of(GanTraining()) == SIGNED
    assert is_signed(GanTraining())
    assert scale_of(GanTraining(activation="sigmoid")) == UNIT
    assert not is_signed(GanTraining(activation="sigmoid"))


def test_who_knows_the_answer_is_perfect_and_who_leaves_it_hidden_is_not(gan_prepared):
    batches, training = batches_of(gan_prepared)
    answers = iter([batches[index][1] for index in range(len(batches))])
    fills = {"answer": lambda image, hidden: next(answers), "nothing": lambda image, hidden: image}
    scores = score_fills(batches, fills, scale=scale_of(training))
    assert scores["answer"] == pytest.approx(
        {"hidden_mae": 0, "hidden_ssim": 1, "squares_mae": 0, "squares_ssim": 1}, abs=1e-6
    )
    assert scores["nothing"]["squares_mae"] > scores["nothing"]["hidden_mae"] > 0.1


def test_where_nothing_is_hidden_there_is_no_score(gan_prepared):
    batches, training = batches_of(gan_prepared)
    _, target, hidden = batches[0]
    shown = [(target, target, np.zeros_like(hidden))]
    scores = score_fills(shown, {"nothing": lambda image, hidden: image}, scale=scale_of(training))
    assert all(np.isnan(score) for score in scores["nothing"].values())


def test_fills_are_scored_within_a_strategy_too(gan_prepared):
    batches, training = batches_of(gan_prepared)
    scores = []
    for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0"])):
        with strategy.scope():
            scores.append(score_fills(batches, baseline_fills(training), scale=scale_of(training)))
    assert scores[0] == scores[1]


def test_baselines_score_alike_in_both_scales(gan_prepared):
    scores = []
    for activation in ("tanh", "sigmoid"):
        batches, training = batches_of(gan_prepared, activation=activation, fill=1.0)
        scores.append(score_fills(batches, baseline_fills(training), scale=scale_of(training)))
    for name in ("mean_fill", "gaussian"):
        assert scores[0][name] == pytest.approx(scores[1][name], abs=1e-4)


@pytest.mark.parametrize("everywhere", [False, True])
def test_baselines_know_background_and_tile(gan_prepared, everywhere):
    batches, training = batches_of(gan_prepared)
    corrupted, _, hidden = batches[0]
    background = None if everywhere else -1.0
    fills = baseline_fills(training, everywhere=everywhere)
    expected = {
        "mean_fill": mean_fill(corrupted, hidden, background=background),
        "gaussian": gaussian_fill(corrupted, hidden, background=background, sigma=SIGMA_PER_TILE * training.tile),
    }
    assert fills.keys() == expected.keys()
    for name, fill in fills.items():
        assert np.array_equal(fill(corrupted, hidden), expected[name])
