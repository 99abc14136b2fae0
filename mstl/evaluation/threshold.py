"""Thresholds: which cut of the probabilities, and which clean-up, give the best Dice, on cases that are not reported.

Whoever calls must pass validation cases: a threshold chosen on the masks that are reported flatters them.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import ndimage

from mstl.data.prepared import PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.cleanup import CLEAN_UPS, NO_CLEAN_UP, CleanUp, dice_by_clean_up
from mstl.evaluation.predictor import LESION, Predictor
from mstl.files import write_json
from mstl.training.run import THRESHOLD, Run

CANDIDATES = tuple(round(0.05 * step, 2) for step in range(1, 20))  # 0.05, 0.10, ... 0.95
NEUTRAL = 0.5  # of equally good thresholds the nearest to this one is chosen
SAME = 1e-12  # Dice that differs by no more is equal
GAIN = 0.001  # of mean Dice that a clean-up must bring


@dataclass(frozen=True)
class ThresholdChoice:
    """The chosen threshold and clean-up, and what they were chosen from.

    `mean_dice[i]` is the mean over `cases` of the Dice at `candidates[i]` after the clean-up, `mean_dice_uncleaned[i]`
    without one; cases with an empty mask are counted in `empty_reference` and left out of the mean, as in the summary
    of scores. Above two classes, of which the most probable is taken, there is no threshold (None), no candidate, and
    one mean Dice. `minimum_ml` and `largest_only` are those of `CleanUp`.
    """

    threshold: float | None
    candidates: tuple[float, ...]
    mean_dice: tuple[float, ...]
    cases: int
    empty_reference: int
    minimum_ml: float = 0.0
    largest_only: bool = False
    mean_dice_uncleaned: tuple[float, ...] = ()

    @property
    def clean_up(self) -> CleanUp:
        """What was chosen to be dropped."""
        return CleanUp(self.minimum_ml, self.largest_only)


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


def dice_by_cut(
    probability: np.ndarray,
    mask: np.ndarray,
    *,
    voxel_ml: float,
    candidates: Sequence[float] = CANDIDATES,
    clean_ups: Sequence[CleanUp] = CLEAN_UPS,
) -> np.ndarray:
    """Dice of a case by clean-up (rows: none, then `clean_ups`) and threshold (columns), float64.

    `probability` is `(D, H, W, K)`, `mask` `(D, H, W)` class numbers that are not all 0. Above two classes the most
    probable one is taken, which is one column without a threshold, and Dice is the mean over the classes in the mask.
    Raises `InputError` as `dice_by_threshold` does.
    """
    if probability.shape[-1] > 2:
        found, every = probability.argmax(axis=-1).astype(np.uint8), (NO_CLEAN_UP, *clean_ups)
        return dice_by_clean_up(found, mask, voxel_ml=voxel_ml, clean_ups=every)[:, None]
    probability, lesion = probability[..., LESION], (np.asarray(mask) > 0).astype(np.uint8)
    plain = dice_by_threshold(probability, lesion, candidates)
    if not clean_ups:
        return plain[None]
    box = ndimage.find_objects(lesion | apply_threshold(probability, min(candidates)))[0]
    masks = (apply_threshold(probability[box], cut) for cut in candidates)
    cleaned = [dice_by_clean_up(one, lesion[box], voxel_ml=voxel_ml, clean_ups=clean_ups) for one in masks]
    return np.concatenate([plain[None], np.transpose(cleaned)])


def choose_threshold(
    probabilities: Iterable[tuple[np.ndarray, np.ndarray]], *, candidates: Sequence[float] = CANDIDATES
) -> ThresholdChoice:
    """The candidate with the highest mean Dice over cases; of equal ones the nearest to 0.5, then the lower.

    `probabilities` yields a pair (probability, mask) a case and is read once, one case at a time. Raises
    `InputError` as `dice_by_threshold` does, and where no case has a lesion: any threshold would do.
    """
    cases = ((np.asarray(probability)[..., None], mask, 1.0) for probability, mask in probabilities)
    return choose_cut(cases, candidates=candidates, clean_ups=())


def choose_cut(
    cases: Iterable[tuple[np.ndarray, np.ndarray, float]],
    *,
    candidates: Sequence[float] = CANDIDATES,
    clean_ups: Sequence[CleanUp] = CLEAN_UPS,
) -> ThresholdChoice:
    """The threshold and the clean-up that give the highest mean Dice together, as of `choose_threshold`.

    `cases` yields (probability `(D, H, W, K)`, mask, ml of a voxel) a case. A clean-up that gains less than 0.001 is
    not chosen: it may cost small lesions, which Dice hardly sees. Above two classes there is a clean-up to choose only.
    """
    total, filled, empty, cuts = 0.0, 0, 0, ()
    for probability, mask, voxel_ml in cases:
        if np.any(mask):
            options = {"candidates": candidates, "clean_ups": clean_ups}
            total = total + dice_by_cut(probability, mask, voxel_ml=voxel_ml, **options)
            filled += 1
            cuts = () if probability.shape[-1] > 2 else tuple(map(float, candidates))
        else:
            empty += 1
    if not filled:
        raise InputError(
            f"None of {empty} validation cases has a lesion in its mask; at least one is needed to choose a "
            "threshold. Put a case with lesions into the validation set."
        )
    mean = total / filled
    highest = mean.max(axis=1)
    row = int(np.argmax(highest >= highest.max() - SAME)) if highest.max() >= highest[0] + GAIN else 0
    return ThresholdChoice(
        threshold=_nearest_to_neutral(cuts, mean[row]) if cuts else None,
        candidates=cuts,
        mean_dice=tuple(mean[row].tolist()),
        cases=filled,
        empty_reference=empty,
        **asdict((NO_CLEAN_UP, *clean_ups)[row]),
        mean_dice_uncleaned=tuple(mean[0].tolist()),
    )


def set_threshold(run: Run, *, flip: bool = False, progress: Callable[[str], None] | None = None) -> ThresholdChoice:
    """Choose threshold and clean-up on the run's validation cases and store them as `threshold.json` in the run.

    `flip` as in `predict`; `progress` is called with a case's name when it is done. Raises `InputError` where
    the run has no validation subjects or none of them has a lesion.
    """
    cases = run.prepared("validation")
    choice = choose_cut(_predicted(cases, Predictor.of_run(run, flip=flip), progress))
    write_json(run.folder / THRESHOLD, {**asdict(choice), "chosen_on": list(cases.subjects), "flip": flip})
    return choice


def _nearest_to_neutral(candidates: Sequence[float], dice: np.ndarray) -> float:
    """Of the candidates with the highest Dice the nearest to 0.5, then the lower."""
    best = [c for c, d in zip(candidates, dice, strict=True) if d >= dice.max() - SAME]
    return min(best, key=lambda candidate: (round(abs(candidate - NEUTRAL), 9), candidate))


def _predicted(cases: PreparedCohort, predictor: Predictor, progress: Callable[[str], None] | None):
    for case in cases:
        yield predictor(case), np.asarray(case.mask), case.grid.voxel_ml
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
