"""Predictions by networks drawn from the posterior of a Bayesian one, and the interval that their volumes span."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mstl._keras import keras
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError
from mstl.evaluation.predictor import Predictor
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.bayesian_unet3d import draw_weights, mean_network

INTERVAL = (2.5, 97.5)  # percent
INTERVAL_RULE = (
    "2.5th and 97.5th percentile of the samples' volumes; of fewer than 39 samples, K, the smallest and the largest "
    "volume, which hold (K - 1) / (K + 1) of further draws on average"
)


@dataclass(frozen=True)
class PosteriorPredictor:
    """`samples` whole networks drawn from the posterior of `model`, one after the other, that predict prepared cases.

    One draw is one network for the whole case, so that all its windows agree. `predictor` has a plain network of the
    posterior's means, whose weights every draw replaces: time is `samples` times that of a prediction, memory the same.
    The draws depend on `seed` alone: every case is seen by the same networks, and more samples keep the first ones.
    """

    predictor: Predictor
    model: keras.Model
    samples: int
    seed: int = 0

    @classmethod
    def of(cls, predictor: Predictor, *, samples: int, seed: int = 0) -> PosteriorPredictor:
        """Draw from the posterior of the predictor's model, and see cases as the predictor does.

        Raises `InputError` for a model without Bayesian layers, fewer than two samples and a negative seed.
        """
        if not bayesian_layers(predictor.model):
            raise InputError(
                f"samples is {samples}, but model '{predictor.model.name}' has one weight for each place and nothing "
                "to draw from. Train model: unet3d-bayesian, or leave the samples out."
            )
        if samples < 2:
            raise InputError(
                f"samples is {samples}; at least 2 are expected, as one alone does not differ from others. Give more, "
                "such as 20, or leave them out for the mean weights."
            )
        if seed < 0:
            raise InputError(f"seed is {seed}; a whole number from 0 on is expected. Give such a one.")
        return cls(replace(predictor, model=mean_network(predictor.model)), predictor.model, samples, seed)

    def __call__(self, case: PreparedCase) -> Iterator[np.ndarray]:
        """Yield each drawn network's probabilities, as `Predictor` gives them, and raise as that does."""
        for seed in np.random.SeedSequence(self.seed).generate_state(self.samples).tolist():
            draw_weights(self.model, self.predictor.model, seed=seed)
            yield self.predictor(case)


def volume_interval(volumes: Sequence[float]) -> tuple[float, float]:
    """Ends of the 95 % interval of the samples' lesion volumes, by `INTERVAL_RULE`.

    It holds what networks that explain the training data disagree about. That raters draw lesions differently, and
    that a scan may be unlike those of the training, is not in it. Nor need the volume of the mean probability's mask
    be: networks that each find another small lesion are none of them sure of any.
    Source: Hyndman and Fan 1996, doi 10.2307/2684934, their sixth definition.
    """
    low, high = np.percentile(np.asarray(volumes, np.float64), INTERVAL, method="weibull")
    return float(low), float(high)
