"""Where a paired difference varies: between patients, trainings, folds; and what that means for new ones."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

NAN = float("nan")
SOURCES = ("patients", "seeds", "folds", "residual")
# Sources in which two cells differ, of each kind of pair in the order of `_pairs`.
DIFFER = np.array([[0, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]], float)


@dataclass(frozen=True)
class Variation:
    """Variances of the cells of a paired difference, in the score's unit squared; nan where the design cannot show one.

    `patients`; `seeds`: trainings on the same subjects with another seed; `folds`: trainings on other subjects;
    `residual`: what is left of a patient in a training. What cannot be told apart is in the wider source: with one
    seed that of seeds is in folds (or, with one fold too, unknown), with one training a patient that of the residual
    in patients. `interval` is of the mean difference for new patients and newly trained networks.
    """

    patients: float
    seeds: float
    folds: float
    residual: float
    interval: tuple[float, float]


def variation(cells: np.ndarray, *, confidence: float = 0.95) -> Variation:
    """Components of variance of paired differences `(folds, seeds, patients)`, nan where there is none.

    Model: difference = mean + patient + fold + training within fold + residual, all random. Variances by the method of
    symmetric sums: half the mean squared difference of two cells estimates the sum of the variances of all sources in
    which they differ, whatever is missing; balanced, these are the estimates of analysis of variance; negative ones
    are set to 0 (Koch 1967, Technometrics 9:93-118). The interval is the mean of the patients' means with
    the variance that the components give it, and Student's t with Satterthwaite's degrees of freedom (1946, doi
    10.2307/3002019), as readers and cases are both random in studies of diagnosis (Hillis 2007, doi 10.1002/sim.2532).
    The crossed bootstrap (Owen 2007, doi 10.1214/07-AOAS122) has the same aim; with three seeds of one fold it
    covers far less than it says, which this does not.

    All is nan of fewer than two patients, and the interval where there was one training only.
    """
    cells = cells[..., ~np.isnan(cells).all(axis=(0, 1))]
    here = ~np.isnan(cells)
    if cells.shape[-1] < 2:
        return Variation(NAN, NAN, NAN, NAN, (NAN, NAN))
    mean = float(np.nansum(cells * _weights(here)))
    told = _told_apart(here)
    found = _components(np.where(here, cells - mean, 0), here, told)
    interval = _interval(mean, found, here, confidence) if told[1] or told[2] else (NAN, NAN)
    return Variation(*(float(value) if seen else NAN for value, seen in zip(found, told, strict=True)), interval)


def _weights(here: np.ndarray) -> np.ndarray:
    """Of each cell in the mean of the patients' means."""
    return here / here.sum(axis=(0, 1)) / here.shape[-1]


def _told_apart(here: np.ndarray) -> np.ndarray:
    """Which of `SOURCES` the design can show."""
    seeds = here.any(axis=2).sum(axis=1)
    return np.array([True, (seeds > 1).any(), (seeds > 0).sum() > 1, (here.sum(axis=(0, 1)) > 1).any()])


def _components(cells: np.ndarray, here: np.ndarray, told: np.ndarray) -> np.ndarray:
    sums, numbers = _pairs(cells, here)
    there = numbers > 0
    weights = np.sqrt(numbers[there])
    squares = sums[there] / numbers[there]
    design = DIFFER[there][:, told] * weights[:, None]
    found = np.zeros(len(SOURCES))
    found[told] = np.linalg.lstsq(design, squares * weights, rcond=None)[0]
    return np.maximum(found, 0)


def _pairs(cells: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Half the squared differences, summed, and how many there are `(2, 5)`, of pairs of cells that share a patient and
    a fold, a training, a fold alone, a patient alone, nothing."""

    def within(*axes: int) -> np.ndarray:
        """Of all pairs that differ along these axes at most: from counts, sums and sums of squares."""
        number, total, squares = here.sum(axis=axes), cells.sum(axis=axes), (cells**2).sum(axis=axes)
        return np.array([(number * squares - total**2).sum(), (number * (number - 1)).sum()])

    every, fold, training, patient, both = within(0, 1, 2), within(1, 2), within(2), within(0, 1), within(1)
    kinds = [both, training, fold - training - both, patient - both, every - fold - patient + both]
    return np.stack(kinds, axis=1)


def _interval(mean: float, found: np.ndarray, here: np.ndarray, confidence: float) -> tuple[float, float]:
    weights = _weights(here)
    shares = [weights.sum(axis=axes) for axes in ((0, 1), 2, (1, 2))]
    variances = found * [*((share**2).sum() for share in shares), (weights**2).sum()]
    if not variances.sum():
        return mean, mean
    folds, trainings = np.count_nonzero(here.any(axis=(1, 2))), np.count_nonzero(here.any(axis=2))
    patients = here.shape[-1]
    free = [patients - 1, trainings - folds, folds - 1, np.count_nonzero(here) - patients - trainings + 1]
    degrees = variances.sum() ** 2 / (variances**2 / np.maximum(free, 1)).sum()
    half = float(stats.t.ppf((1 + confidence) / 2, degrees) * np.sqrt(variances.sum()))
    return mean - half, mean + half
