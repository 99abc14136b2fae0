"""Thresholds: which cut of the probabilities gives the best Dice, on cases that are not reported.

Whoever calls must pass validation cases: a threshold chosen on the masks that are reported flatters them.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.predictor import LESION, Predictor
from mstl.files import write_json
from mstl.training.run import THRESHOLD, Run

CANDIDATES = tuple(round(0.05 * step, 2) for step in range(1, 20))  # 0.05, 0.10, ... 0.95
NEUTRAL = 0.5  # of equally good thresholds the nearest to this one is chosen


@dataclass(frozen=True)
class ThresholdChoice:
    """The chosen threshold and what it was chosen from.

    `mean_dice[i]` is the mean over `cases` of the Dice at `candidates[i]`; cases with an empty mask are
    counted in `empty_reference` and left out of the mean, as in the summary of scores.
    """

    threshold: float
    candidates: tuple[float, ...]
    mean_dice: tuple[float, ...]
    cases: int
    empty_reference: int


def apply_threshold(probability: np.ndarray, threshold: float) -> np.ndarray:
    """The uint8 mask where `probability >= threshold`, both compared in float32."""
    return (np.asarray(probability, np.float32) >= np.float32(threshold)).astype(np.uint8)


def dice_by_threshold(
    probability: np.ndarray, mask: np.ndarray, candidates: Sequence[float] = CANDIDATES
) -> np.ndarray:
    """Dice of `apply_threshold(probability, t)` against `mask` for every candidate t, float64, in one pass.

    Both arrays have one shape, of any dimensions; `mask` is 0/1. Dice is 1 where mask and prediction are both
    empty, as in scores. Voxels are sorted into bins between candidates, all of them and those of lesions;
    sums from the highest bin downward are then the exact counts of each threshold. Raises `InputError` where
    the shapes differ, a probability is outside [0, 1] or nan, or the candidates do not ascend within (0, 1].
    """
    cuts = _checked_candidates(candidates)
    probability, lesion = np.asarray(probability, np.float32).ravel(), _lesion(probability, mask)
    if probability.size and not (probability.min() >= 0 and probability.max() <= 1):
        raise InputError(
            f"Probabilities span {probability.min()} to {probability.max()}; within 0 and 1 is expected. "
            "Give the sigmoid's output."
        )
    positive = np.flatnonzero(probability >= cuts[0])
    bins = np.searchsorted(cuts, probability[positive], side="right") - 1
    predicted = _counts_from(bins, cuts.size)
    overlap = _counts_from(bins[lesion[positive]], cuts.size)
    total = predicted + np.count_nonzero(lesion)
    return np.where(total == 0, 1.0, 2.0 * overlap / np.maximum(total, 1))


def choose_threshold(
    probabilities: Iterable[tuple[np.ndarray, np.ndarray]], *, candidates: Sequence[float] = CANDIDATES
) -> ThresholdChoice:
    """The candidate with the highest mean Dice over cases; of equal ones the nearest to 0.5, then the lower.

    `probabilities` yields a pair (probability, mask) a case and is read once, one case at a time. Raises
    `InputError` as `dice_by_threshold` does, and where no case has a lesion: any threshold would do.
    """
    total, cases, empty = np.zeros(len(candidates)), 0, 0
    for probability, mask in probabilities:
        if np.any(mask):
            total += dice_by_threshold(probability, mask, candidates)
            cases += 1
        else:
            empty += 1
    if not cases:
        raise InputError(
            f"None of {empty} validation cases has a lesion in its mask; at least one is needed to choose a "
            "threshold. Put a case with lesions into the validation set."
        )
    mean = total / cases
    best = [c for c, d in zip(candidates, mean, strict=True) if np.isclose(d, mean.max(), rtol=0, atol=1e-12)]
    return ThresholdChoice(
        threshold=float(min(best, key=lambda candidate: (round(abs(candidate - NEUTRAL), 9), candidate))),
        candidates=tuple(float(candidate) for candidate in candidates),
        mean_dice=tuple(float(dice) for dice in mean),
        cases=cases,
        empty_reference=empty,
    )


def set_threshold(run: Run, *, flip: bool = False, progress: Callable[[str], None] | None = None) -> ThresholdChoice:
    """Choose the threshold on the run's validation cases and store it as `threshold.json` in the run.

    `flip` as in `predict`; `progress` is called with a case's name when it is done. Raises `InputError` where
    the run has no validation subjects or none of them has a lesion.
    """
    cases = run.prepared("validation")
    predictor = Predictor.of_run(run, flip=flip)
    choice = choose_threshold(_predicted(cases, predictor, progress))
    write_json(run.folder / THRESHOLD, {**asdict(choice), "chosen_on": list(cases.subjects), "flip": flip})
    return choice


def _predicted(cases: PreparedCohort, predictor: Predictor, progress: Callable[[str], None] | None):
    for case in cases:
        yield predictor(case)[..., LESION], np.asarray(case.mask)
        if progress is not None:
            progress(case.name)


def _checked_candidates(candidates: Sequence[float]) -> np.ndarray:
    cuts = np.asarray(candidates, np.float32)
    if cuts.ndim != 1 or not cuts.size or not (cuts[0] > 0 and cuts[-1] <= 1 and np.all(np.diff(cuts) > 0)):
        raise InputError(
            f"Candidate thresholds are {cuts.tolist()}; at least one is expected, ascending, in (0, 1]. "
            "Sort them and drop doubles."
        )
    return cuts


def _lesion(probability: np.ndarray, mask: np.ndarray) -> np.ndarray:
    if np.shape(probability) != np.shape(mask):
        raise InputError(
            f"Probabilities have shape {np.shape(probability)}, their mask {np.shape(mask)}; both must be "
            "equal in shape. Bring both to one grid."
        )
    return np.asarray(mask).ravel() > 0


def _counts_from(bins: np.ndarray, size: int) -> np.ndarray:
    """How many entries of `bins` are i or more, for every i."""
    return np.bincount(bins, minlength=size)[::-1].cumsum()[::-1]
