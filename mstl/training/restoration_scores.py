"""Scores of ways to fill what is hidden, on batches of a `RestorationSampler`: a network's, and baselines'."""
from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np

from mstl.config_gan import GanTraining
from mstl.data.inpainting import SIGMA_PER_TILE, gaussian_fill, mean_fill
from mstl.data.sequences import SliceSequence
from mstl.training.restoration_metrics import SIGNED, UNIT, hidden_errors, hidden_similarities

SCORES = {  # what is measured, and whether everywhere in the hidden squares
    "hidden_mae": (hidden_errors, False),
    "hidden_ssim": (hidden_similarities, False),
    "squares_mae": (hidden_errors, True),
    "squares_ssim": (hidden_similarities, True),
}

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # corrupted images and what is hidden, to filled images


def is_signed(training: GanTraining) -> bool:
    """Whether the generator works on images in [-1, 1], not [0, 1]."""
    return training.activation == "tanh"


def scale_of(training: GanTraining) -> tuple[float, float]:
    """Values of background and of the brightest pixel."""
    return SIGNED if is_signed(training) else UNIT


def baseline_fills(training: GanTraining, *, everywhere: bool = False) -> dict[str, Fill]:
    """What learns nothing: "mean_fill", and "gaussian" inpainting of the sigma that suits the tile.

    They know what is brain and use only that; `everywhere`, they use all that is visible.
    """
    background = None if everywhere else scale_of(training)[0]
    return {
        "mean_fill": partial(mean_fill, background=background),
        "gaussian": partial(gaussian_fill, background=background, sigma=SIGMA_PER_TILE * training.tile),
    }


def score_fills(
    batches: SliceSequence, fills: Mapping[str, Fill], *, scale: tuple[float, float], scores: Collection[str] = SCORES
) -> dict[str, dict[str, float]]:
    """Those of `SCORES` that are wanted, of each of `fills` over all `batches`.

    hidden_mae and hidden_ssim are those of hidden pixels in the brain, squares_mae and squares_ssim of all hidden ones;
    where there are none they are NaN. See `mstl.training.restoration_metrics`.
    """
    sums = {(name, score): np.zeros(2) for name in fills for score in scores}
    for index in range(len(batches)):
        corrupted, target, hidden = batches[index]
        for name, fill in fills.items():
            filled = fill(corrupted, hidden)
            for score in scores:
                measure, everywhere = SCORES[score]
                values, counted = measure(target, filled, hidden, scale=scale, everywhere=everywhere)
                sums[name, score] += np.sum(values * counted, dtype=float), np.sum(counted, dtype=float)
    means = {key: float(total / count) if count else math.nan for key, (total, count) in sums.items()}
    return {name: {score: means[name, score] for score in scores} for name in fills}
