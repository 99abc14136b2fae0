"""What more labelled scans would bring: a strategy's score over training sizes as a curve, and when not to trust it."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mstl.errors import InputError
from mstl.evaluation.power_law import EXPONENTS, NUMBERS, fit_power_law, power_law
from mstl.evaluation.study_scores import StudyScores, over_trainings

MORE = 10  # labelled scans
RESAMPLES = 2000
PERCENTILES = (2.5, 97.5)
FEWEST_SIZES = 3  # the curve has as many numbers
FEW = 10  # patients: of fewer, bootstrap intervals are too narrow
FARTHEST = 2  # times the largest size
MISFIT = 0.02  # of the score at the largest size, where the expected gain is no more
WIDEST = 0.03  # of the score at the largest size, where the expected gain is no more


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The curve a - b (n / n1)^-c of one strategy's mean score over numbers of labelled subjects n, n1 the smallest.

    `sizes` and `means` are what it is fitted to, over `patients` who were scored at every size; `end` is a, `drop` b
    (both in the score's unit, signs turned where lower is better), `exponent` c. `gain` is by how much the score is
    expected to improve with `more` labelled subjects than the largest size, positive where it gets better, with its
    95 % `gain_interval`. `reasons` say why that is not reliable, `cautions` what to know besides. `draws` `(B, 3)`
    are the curves of the bootstrap. What cannot be computed is nan.
    """

    strategy: str
    score: str
    lower_is_better: bool
    sizes: tuple[int, ...]
    means: tuple[float, ...]
    patients: int
    end: float
    drop: float
    exponent: float
    more: int
    gain: float
    gain_interval: tuple[float, float]
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    draws: np.ndarray = field(repr=False)

    @property
    def reliable(self) -> bool:
        """Is there nothing that speaks against the expected gain?"""
        return not self.reasons

    @property
    def words(self) -> str:
        """One sentence: what more labelled subjects are expected to bring, or why that cannot be said."""
        if np.isnan(self.gain):
            return f"{self.strategy}: what {self.more} more labelled subjects bring cannot be said: {self._why()}."
        low, high = self.gain_interval
        sure = "" if np.isnan(low) else f" (95 % interval {low:.3f} to {high:.3f})"
        found = (f"{self.strategy}: mean {self.score} {self.means[-1]:.3f} with {self.sizes[-1]} labelled subjects; "
                 f"{self.more} more are expected to improve it by {self.gain:.3f}{sure}")  # fmt: skip
        return f"{found}." if self.reliable else f"{found}, which is unreliable: {self._why()}."

    def at(self, sizes: Sequence[int]) -> pd.DataFrame:
        """The fitted score at some sizes, a row each: size, value, low and high (95 %); for figures."""
        curve = np.array([self.end, self.drop, self.exponent])
        low, high = _percentiles(power_law(self.draws, sizes, smallest=self.sizes[0]))
        value = power_law(curve, sizes, smallest=self.sizes[0])
        if self.lower_is_better:
            value, low, high = -value, -high, -low
        return pd.DataFrame({"size": list(sizes), "value": value, "low": low, "high": high})

    def as_row(self) -> dict:
        """A flat row for tables and JSON; nan as None, sizes and means as text."""
        numbers = {name: getattr(self, name) for name in ("end", "drop", "exponent", "gain")}
        numbers |= dict(zip(("gain_low", "gain_high"), self.gain_interval, strict=True))
        return {
            "strategy": self.strategy,
            "score": self.score,
            "sizes": " ".join(map(str, self.sizes)),
            "means": " ".join(f"{mean:.6g}" for mean in self.means),
            "patients": self.patients,
            "more": self.more,
            **{name: None if np.isnan(value) else float(value) for name, value in numbers.items()},
            "reliable": self.reliable,
            "words": self.words,
            "cautions": "; ".join(self.cautions),
        }

    def _why(self) -> str:
        return "; ".join(self.reasons)


def learning_curves(
    frame: pd.DataFrame,
    *,
    score: str = "dice",
    lower_is_better: bool | None = None,
    best: float | None = None,
    more: int = MORE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[LearningCurve]:
    """The learning curve of every strategy of a study that has a score, in the order of their names.

    frame: its long form, see `StudyScores.of`, which also says what is raised. best: the best possible score, None
    for 1, or 0 where lower is better. more: labelled subjects beyond the largest size. The curve is fitted to the mean
    over patients at each size (`fit_power_law`). For the intervals it is fitted anew to `resamples` studies in which
    patients are drawn with replacement, the same for all sizes, and in each fold and size of k seeds k - 1 (with
    replacement; so few to match the variance of a mean of k, Rao and Wu 1988, doi 10.1080/01621459.1988.10478591).
    Folds, which are other training subjects, are not drawn.

    Raises `InputError` besides for `more` below 1, fewer than 100 resamples, and scores better than `best`.
    """
    if more < 1 or resamples < 100:
        raise InputError(f"more is {more} and resamples {resamples}; expected at least 1, and at least 100.")
    scores = StudyScores.of(frame, score=score, lower_is_better=lower_is_better)
    ceiling = scores.sign * (best if best is not None else 0.0 if scores.lower_is_better else 1.0)
    if np.nanmax(scores.sign * scores.values) > ceiling:
        raise InputError(
            f"Column '{score}' holds values better than {scores.sign * ceiling:g}, the best expected. Give the best "
            "possible score (best)."
        )
    scored = [name for name in scores.strategies if not np.isnan(scores.values[scores.strategy(name)]).all()]
    return [_curve(scores, name, ceiling, (more, resamples, seed)) for name in scored]


def _curve(scores: StudyScores, name: str, ceiling: float, options: tuple[int, int, int]) -> LearningCurve:
    more, resamples, seed = options
    cells = scores.sign * scores.by_subject(scores.values[scores.strategy(name)])
    there = ~np.isnan(cells).all(axis=(1, 2, 3))
    sizes = tuple(size for size, kept in zip(scores.sizes, there, strict=True) if kept)
    cells = cells[there][..., ~np.isnan(over_trainings(cells[there])).any(axis=0)]
    patients = cells.shape[-1]
    means = over_trainings(cells).mean(axis=-1) if patients else np.full(len(sizes), np.nan)
    curve, draws = np.full(NUMBERS, np.nan), np.empty((0, NUMBERS))
    if len(sizes) >= FEWEST_SIZES and patients:
        curve = fit_power_law(sizes, means, ceiling=ceiling)
    if len(sizes) >= FEWEST_SIZES and patients > 1:
        draws = fit_power_law(sizes, _drawn_means(cells, resamples, seed), ceiling=ceiling)
    gain, gains = (_gain(which, sizes, more) for which in (curve, draws))
    interval = tuple(float(limit) for limit in _percentiles(gains))
    reasons = _reasons(sizes, cells, means, curve, gain, interval, more)
    return LearningCurve(
        name, scores.score, scores.lower_is_better, sizes, tuple((scores.sign * means).tolist()), patients,
        *curve.tolist(), more, float(gain), interval, reasons, _cautions(sizes), draws,
    )  # fmt: skip


def _gain(curves: np.ndarray, sizes: Sequence[int], more: int) -> np.ndarray:
    here, there = np.moveaxis(power_law(curves, [sizes[-1], sizes[-1] + more], smallest=sizes[0]), -1, 0)
    return there - here


def _drawn_means(cells: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Means `(B, sizes)` of cells `(sizes, folds, seeds, patients)` under resampling of patients and seeds."""
    random = np.random.default_rng(seed)
    sizes, folds, seeds, patients = cells.shape
    here = ~np.isnan(cells)
    trained = here.any(axis=3)
    number = np.maximum(trained.sum(axis=2), 1)
    chances = np.where(trained.any(axis=2, keepdims=True), trained / number[..., None], 1 / seeds)
    drawn = random.multinomial(np.maximum(number - 1, 1), chances, size=(resamples, sizes, folds))
    weights = drawn.reshape(resamples, sizes, folds * seeds).swapaxes(0, 1).astype(float)
    flat = (sizes, folds * seeds, patients)
    counts = weights @ here.reshape(flat)
    of_patients = weights @ np.nan_to_num(cells).reshape(flat) / np.maximum(counts, 1)
    people = random.multinomial(patients, np.full(patients, 1 / patients), size=resamples) * (counts > 0)
    means = ((people * of_patients).sum(axis=2) / np.maximum(people.sum(axis=2), 1)).T
    return means[(people.sum(axis=2) > 0).all(axis=0)]


def _percentiles(values: np.ndarray) -> np.ndarray:
    """The limits `(2, ...)` of values `(B, ...)`, nan of none."""
    return np.percentile(values, PERCENTILES, axis=0) if len(values) else np.full((2, *values.shape[1:]), np.nan)


def _reasons(
    sizes: Sequence[int], cells: np.ndarray, means: np.ndarray, curve: np.ndarray, gain: float,
    interval: Sequence[float], more: int,
) -> tuple[str, ...]:  # fmt: skip
    """Why the expected gain is not reliable; nothing where it is. `means`: higher is better."""
    if len(sizes) < FEWEST_SIZES:
        return (f"it was trained with {len(sizes)} of at least {FEWEST_SIZES} sizes",)
    patients = cells.shape[-1]
    if not patients:
        return ("no patient was scored at every size",)
    reasons = []
    falls = [f"{few} to {many}" for few, many, step in zip(sizes, sizes[1:], np.diff(means), strict=False) if step < 0]
    if falls:
        reasons.append(f"the mean score gets worse from {' and from '.join(falls)} subjects")
    away = np.abs(power_law(curve, sizes, smallest=sizes[0]) - means)
    if away.max() > max(gain, MISFIT * abs(means[-1])):
        reasons.append(f"the curve misses the mean score of {sizes[np.argmax(away)]} subjects by {away.max():.3f}")
    if curve[2] in (EXPONENTS[0], EXPONENTS[-1]):
        reasons.append("these sizes do not show how the curve bends")
    if patients < FEW:
        reasons.append(f"{patients} patients are fewer than {FEW}")
    if ((~np.isnan(cells).all(axis=3)).sum(axis=2) < 2).all():  # simulated, it covers half as often as it says
        reasons.append("with one seed the interval leaves out the chance of a training")
    if interval[1] - interval[0] > max(gain, WIDEST * abs(means[-1])):
        reasons.append("the interval is wider than the gain itself")
    if sizes[-1] + more > FARTHEST * sizes[-1]:
        reasons.append(f"{sizes[-1] + more} subjects are more than {FARTHEST} times the {sizes[-1]} tried")
    return tuple(reasons)


def _cautions(sizes: Sequence[int]) -> tuple[str, ...]:
    few = len(sizes) == FEWEST_SIZES
    return ("three sizes nearly always fit: they cannot show whether scores follow such a curve",) if few else ()
