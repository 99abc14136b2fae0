"""Inference first: given weights scored on labelled cases without any training, and ranked, to fine-tune the best."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from mstl._keras import keras, tf
from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.given_weights import GivenWeights
from mstl.evaluation.pooled import POOLED_RULE, Areas, pooled_scores
from mstl.evaluation.predictor import LESION, Predictor
from mstl.evaluation.ranking import RANKED_BY, CaseOverlaps, Standing, standings
from mstl.evaluation.threshold import CANDIDATES, apply_threshold, dice_by_threshold
from mstl.files import write_text
from mstl.training.run import DEFAULT_THRESHOLD, Run

SCREEN_RULE = (
    "Screening: weights as they are, no training, on the prepared grid. dice is the mean over the cases with a lesion "
    "(of any label) at the threshold; pooled_dice is of the lesion in all cases together. low to high is the 95 % "
    "interval of the score that ranks, first the share of cohorts drawn from these subjects in which the row is the "
    "best. best_dice is the mean Dice at best_threshold, which was chosen on these very masks: optimistic, and not "
    "ranked by. seconds is the median of a case's prediction. A row with a reason could not be used."
)
SCREEN_COLUMNS = (
    "rank", "checkpoint", "dice", "mdice", "low", "high", "first", "pooled_dice", "best_dice", "best_threshold",
    "cases", "empty_reference", "subjects", "seconds", "note", "reason",
)  # fmt: skip
UNUSABLE = (ValueError, tf.errors.OpError)  # of one checkpoint: an InputError, or what its network says of the image


def screen(
    checkpoints: Iterable[str | Path | Run],
    cases: PreparedCohort,
    *,
    model: str | keras.Model | None = None,
    options: Sequence[str] = (),
    threshold: float = DEFAULT_THRESHOLD,
    by: str = "dice",
    out: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Score given weights on prepared labelled cases without training, and rank them: a row each, the best first.

    checkpoints: runs or their folders, which know their network; Keras files, or names of `mstl weights list`, for
    the network that `model` says, whose every tensor they must fill, the head included.
    model: a name of `mstl.models` with `options` "key=value" of its builder; an experiment's YAML file or a run's
    folder with options of the experiment; or a `keras.Model`, which stays as it is.
    threshold: from which a voxel is lesion, the same for all; of several classes the most probable one is taken.
    by: "dice", the mean of the cases' Dice, or "mdice", the mean over the classes of the Dice of all voxels together,
    as published for 2D images (`pooled`); classes are told apart where network and cases have as many.
    out: the CSV to write. progress: called with a checkpoint for every case that is done.

    Columns are `SCREEN_COLUMNS`, `SCREEN_RULE` says what they hold. `note` tells of weights that know other images,
    or the very subjects. What cannot be used stands last, with its `reason` and without rank, and stops no other.
    Raises `InputError` where there is no checkpoint, a case has no mask, none has a lesion, the threshold is not in
    (0, 1), `by` is unknown, or the model cannot be built.
    """
    checkpoints = list(checkpoints)
    _check(checkpoints, cases, threshold, by)
    given, step = GivenWeights.of(cases, model, options=options), progress or _silent
    found = [_tried(checkpoint, given, threshold, step) for checkpoint in checkpoints]
    usable = [one for one in found if one.scores]
    subjects = [case.subject for case in cases]
    known = standings([one.overlaps for one in usable], subjects, by=by)
    order = sorted(zip(usable, known, strict=True), key=lambda pair: -pair[1].score)
    empty = sum(not any(case.lesion_voxels) for case in cases)
    about = {"cases": len(cases), "empty_reference": empty, "subjects": len(cases.subjects)}
    rows = [{"rank": rank} | about | _ranked(*pair) for rank, pair in enumerate(order, 1)]
    rows += [{"checkpoint": one.name, "reason": one.reason, "note": ""} | about for one in found if not one.scores]
    table = pd.DataFrame(rows, columns=list(SCREEN_COLUMNS)).astype({"rank": "Int64"})
    if out is not None:
        rules = (f"Threshold {threshold:g}, ranked by {by}.", SCREEN_RULE, POOLED_RULE)
        write_text(out, "".join(f"# {rule}\n" for rule in rules) + table.to_csv(index=False, lineterminator="\n"))
    return table


@dataclass(frozen=True, eq=False)
class _CaseScore:
    """What one network gives on one case; `dice_by_cut` is nan where there is no threshold or no lesion."""

    lesion: Areas
    classes: Areas
    dice_by_cut: np.ndarray
    seconds: float


@dataclass(frozen=True, eq=False)
class _Tried:
    """What became of one checkpoint: the scores of all cases, or the reason why there are none."""

    name: str
    scores: tuple[_CaseScore, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""

    @cached_property
    def overlaps(self) -> CaseOverlaps:
        """The overlaps of all cases."""
        return CaseOverlaps.of([one.lesion for one in self.scores], [one.classes for one in self.scores])


def _tried(
    checkpoint: str | Path | Run, given: GivenWeights, threshold: float, step: Callable[[str], None]
) -> _Tried:
    """Open one checkpoint and score all cases, or find out why that is not possible."""
    name = str(checkpoint.folder if isinstance(checkpoint, Run) else checkpoint)
    scores: list[_CaseScore] = []
    try:
        predictor, notes = given(checkpoint)
        for case in given.cases:
            scores.append(_scored(predictor, case, threshold))
            step(name)
    except UNUSABLE as error:
        for _ in range(len(scores), len(given.cases)):
            step(name)
        return _Tried(name, reason=" ".join(str(error).split()))
    return _Tried(name, tuple(scores), (*notes, *_other_classes(predictor, given.cases)))


def _scored(predictor: Predictor, case: PreparedCase, threshold: float) -> _CaseScore:
    start = perf_counter()
    probability = predictor(case)
    seconds = perf_counter() - start
    mask, number = np.asarray(case.mask), probability.shape[-1]
    lesion, cuts = mask > 0, np.full(len(CANDIDATES), np.nan)
    if number > 2:
        found = probability.argmax(axis=-1)
    else:
        probability = probability[..., LESION]
        found = apply_threshold(probability, threshold)
        every = dice_by_threshold(probability, lesion, CANDIDATES)  # checks the probabilities too
        cuts = every if lesion.any() else cuts
    of_lesion = Areas.of(found > 0, lesion, num_classes=2)
    several = number > 2 and number == len(case.labels) + 1
    return _CaseScore(of_lesion, Areas.of(found, mask, num_classes=number) if several else of_lesion, cuts, seconds)


def _ranked(one: _Tried, standing: Standing) -> dict[str, object]:
    """The row of a checkpoint that could be used, but for its rank."""
    overlaps, everything = one.overlaps, np.ones((1, len(one.scores)))
    by_cut = np.array([score.dice_by_cut for score in one.scores])
    by_cut = by_cut[~np.isnan(overlaps.dice)].mean(axis=0)
    best = None if np.isnan(by_cut).any() else int(np.argmax(by_cut))
    lesion = [score.lesion for score in one.scores]
    return {
        "checkpoint": one.name,
        "dice": float(overlaps.score(everything, by="dice")[0]),
        "mdice": float(overlaps.score(everything, by="mdice")[0]),
        "low": standing.low,
        "high": standing.high,
        "first": standing.first,
        "pooled_dice": pooled_scores(sum(lesion[1:], start=lesion[0]))["dice_1"],
        "best_dice": float("nan") if best is None else float(by_cut[best]),
        "best_threshold": float("nan") if best is None else CANDIDATES[best],
        "seconds": float(np.median([score.seconds for score in one.scores])),
        "note": " ".join(one.notes),
        "reason": "",
    }


def _other_classes(predictor: Predictor, cases: PreparedCohort) -> list[str]:
    """A sentence where the network tells other classes apart than the masks."""
    wanted = max(len(cases.labels), 1) + 1
    if max(predictor.classes, 2) == wanted:
        return []
    return [f"It tells {max(predictor.classes, 2)} classes apart, the masks {wanted}: lesion of any class is compared."]


def _check(checkpoints: Sequence, cases: PreparedCohort, threshold: float, by: str) -> None:
    if not checkpoints:
        raise InputError("No checkpoint was given. Name runs, files of weights, or weights of 'mstl weights list'.")
    if by not in RANKED_BY:
        raise InputError(f"by is '{by}'; expected one of {', '.join(RANKED_BY)}. Choose one.")
    if not 0 < threshold < 1:
        raise InputError(f"Threshold is {threshold}; a probability between 0 and 1 is expected.")
    if unlabelled := [case.name for case in cases if not case.has_mask]:
        raise InputError(
            f"Cases without a mask: {', '.join(unlabelled)}. Weights are scored against masks: leave these cases out."
        )
    if not any(any(case.lesion_voxels) for case in cases):
        raise InputError(
            f"None of the {len(cases)} cases in {cases.folder} has a lesion in its mask; at least one is needed to "
            "rank weights. Add a case with lesions."
        )


def _silent(name: str) -> None:
    """Progress that nobody asked for."""
