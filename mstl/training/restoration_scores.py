"""Scores of ways to fill what is hidden, on batches of a `RestorationSampler`: a network's, and baselines'."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from mstl._keras import keras
from mstl.config_gan import GanTraining
from mstl.data.inpainting import SIGMA_PER_TILE, gaussian_fill, mean_fill
from mstl.data.sequences import SliceSequence
from mstl.training.restoration_metrics import SIGNED, UNIT, HiddenError, HiddenSimilarity

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
    batches: SliceSequence, fills: Mapping[str, Fill], *, scale: tuple[float, float]
) -> dict[str, dict[str, float]]:
    """Scores of each of `fills` over all `batches`; see `mstl.training.restoration_metrics`.

    hidden_mae and hidden_ssim are those of hidden pixels in the brain, squares_mae and squares_ssim of all hidden ones.
    """
    metrics = {name: _metrics(scale) for name in fills}
    for index in range(len(batches)):
        corrupted, target, hidden = batches[index]
        for name, fill in fills.items():
            filled = fill(corrupted, hidden)
            for metric in metrics[name]:
                metric.update_state(target, filled, hidden)
    return {name: {metric.name: float(metric.result()) for metric in found} for name, found in metrics.items()}


def _metrics(scale: tuple[float, float]) -> list[keras.metrics.Metric]:
    everywhere = {"everywhere": True}
    return [
        HiddenError(scale),
        HiddenSimilarity(scale),
        HiddenError(scale, name="squares_mae", **everywhere),
        HiddenSimilarity(scale, name="squares_ssim", **everywhere),
    ]
