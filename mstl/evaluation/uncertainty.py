"""Uncertainty of a prediction from several networks' probabilities: mean, entropy, mutual information."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from mstl.errors import InputError

ROUNDING = 1e-5  # what sums of interpolated probabilities may be off


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Maps float32 of what `samples` networks say: `mean` `(..., C)`, `entropy` and `mutual_information` `(...)`.

    Both are in nats. `entropy` is that of the mean probability, all that is not known of a voxel: up to log 2 of lesion
    or not, log C of C classes. `mutual_information` is the part of it that the networks disagree about, which more
    training data would lessen (epistemic): the entropy of the mean less the mean entropy, 0 where all agree and never
    above `entropy`. The rest lies in the image itself (aleatoric). Few networks show too little disagreement, by about
    one part in `samples`.
    """

    mean: np.ndarray
    entropy: np.ndarray
    mutual_information: np.ndarray
    samples: int


def predictive_entropy(probability: np.ndarray) -> np.ndarray:
    """Entropy in nats, float32 `(...)`, of probabilities `(..., C)` of C classes, or `(..., 1)` of lesion or not.

    Values are clipped to [0, 1]; an impossible class adds 0.
    """
    probability = np.clip(np.asarray(probability, np.float32), 0, 1)
    if probability.shape[-1] == 1:
        return entr(probability[..., 0]) + entr(1 - probability[..., 0])
    entropy = np.zeros(probability.shape[:-1], np.float32)
    for number in range(probability.shape[-1]):  # one class at a time: a map of all would double the memory
        entropy += entr(probability[..., number])
    return entropy


class RunningUncertainty:
    """Takes the probabilities of one network after the other and holds two running means, however many there are.

    Running means are those of Welford 1962, doi 10.1080/00401706.1962.10490022. The parts of the uncertainty are those
    of Depeweg et al. 2018, arXiv 1710.07283, and Gal et al. 2017, arXiv 1703.02910.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._mean = self._entropy = np.float32(0)

    def add(self, probability: np.ndarray) -> None:
        """Take the probabilities `(..., C)` of one more network.

        Raises `InputError` for another shape than that of the ones before, and for values outside of [0, 1] or nan.
        """
        probability = np.asarray(probability, np.float32)
        self._check(probability)
        self.samples += 1
        self._mean = self._mean + (probability - self._mean) / np.float32(self.samples)
        entropy = predictive_entropy(probability)
        self._entropy = self._entropy + (entropy - self._entropy) / np.float32(self.samples)

    def result(self) -> Uncertainty:
        """The maps of all networks so far; raises `InputError` before the first."""
        if not self.samples:
            raise InputError("No probabilities were added; the uncertainty of none is not defined. Add some first.")
        entropy = predictive_entropy(self._mean)
        information = np.clip(entropy - self._entropy, 0, entropy)  # rounding alone may lead below 0
        return Uncertainty(self._mean, entropy, information, self.samples)

    def _check(self, probability: np.ndarray) -> None:
        if self.samples and probability.shape != self._mean.shape:
            raise InputError(
                f"Probabilities have shape {probability.shape}, those before {self._mean.shape}; all of one case must "
                "be on one grid. Bring them there first."
            )
        low, high = probability.min(initial=0), probability.max(initial=0)
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise InputError(f"Probabilities span {low} to {high}; within 0 and 1 is expected. Give a softmax's.")
