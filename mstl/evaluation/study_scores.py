"""The scores of a study as arrays: strategy x size x fold x seed x test case, nan where there is none."""
from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mstl.errors import InputError

KEYS = ("strategy", "size", "fold", "seed", "subject", "case")
NUMBERED = ("size", "fold", "seed")
EMPTY = "empty_reference"
LOWER_IS_BETTER = ("hausdorff95_mm", "surface_distance_mm", "lesion_false_discovery")
DECIMALS = 12  # differences that agree in so many are equal: the order of a sum must not break a tie


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores of strategies `a` and `b` on the same patients, after the same trainings, one size.

    `subjects` are P patients; `cells` float64 `(folds, seeds, P)` is the mean of a - b over a patient's cases that
    both strategies of one fold and seed have scored, nan where there is none; `mean_a`, `mean_b` `(P,)` are means over
    a patient's cells. `missing` counts test cases of a fold and seed that only one of the two has scored.
    """

    subjects: tuple[str, ...]
    cells: np.ndarray
    mean_a: np.ndarray
    mean_b: np.ndarray
    missing: int

    @property
    def differences(self) -> np.ndarray:
        """a - b of each patient `(P,)`, equal ones made equal to the last bit."""
        return np.round(self.mean_a - self.mean_b, DECIMALS)

    def table(self) -> pd.DataFrame:
        """A row a patient: subject, a, b, difference."""
        columns = {"subject": self.subjects, "a": self.mean_a, "b": self.mean_b, "difference": self.differences}
        return pd.DataFrame(columns)


@dataclass(frozen=True, eq=False)
class StudyScores:
    """One score of a study: `values` float64 `(strategies, sizes, folds, seeds, cases)`, nan where there is none.

    `owner` int `(cases,)` is the place in `subjects` of each case's subject. `empty` counts the cases that were left
    out because nothing is marked in their reference, `unscored` the rows of other cases that are nan.
    """

    score: str
    lower_is_better: bool
    strategies: tuple[str, ...]
    sizes: tuple[int, ...]
    subjects: tuple[str, ...]
    owner: np.ndarray
    values: np.ndarray
    empty: int
    unscored: int

    @classmethod
    def of(
        cls, frame: pd.DataFrame, *, score: str = "dice", lower_is_better: bool | None = None
    ) -> StudyScores:
        """From the long form of a study (`study.csv`): a row a test case of a training.

        frame: the columns `KEYS` and that of the score; where it has `empty_reference`, cases of 1 are left out, as
        they are of every mean of `mstl.evaluation.scores`. lower_is_better: None, as the score's name says
        (`LOWER_IS_BETTER`). Strategies and sizes come sorted, whatever the order of the rows.

        Raises `InputError` for columns that are missing, naming the nearest, for sizes, folds and seeds that are no
        whole numbers, scores that are no finite numbers, two rows of one case in one training, and where no case has
        a score.
        """
        _check_keys(frame, score)
        empty = _empty(frame)
        cases = frame.loc[empty, ["subject", "case"]].drop_duplicates()
        frame = frame[~empty]
        numbers = _numbers(frame[score], score)
        places, levels = _places(frame)
        if not numbers.notna().any():
            raise InputError(
                f"No case of {len(frame) + int(empty.sum())} rows has a {score}, expected at least one. Check the "
                "study's scores, or choose another score."
            )
        if len(np.unique(places, axis=1).T) < len(frame):
            raise InputError(
                "Two rows have the same strategy, size, fold, seed, subject and case; expected one each. Remove "
                "the copies."
            )
        values = np.full([len(level) for level in levels], np.nan)
        values[tuple(places)] = numbers
        owners = [str(subject) for subject, _ in levels[4]]
        subjects, owner = np.unique(owners, return_inverse=True)
        lower = score in LOWER_IS_BETTER if lower_is_better is None else lower_is_better
        return cls(score, lower, tuple(levels[0]), tuple(int(size) for size in levels[1]), tuple(subjects.tolist()),
                   owner, values, len(cases), int(numbers.isna().sum()))  # fmt: skip

    @property
    def sign(self) -> int:
        """1 where higher is better, -1 where lower is."""
        return -1 if self.lower_is_better else 1

    def strategy(self, name: str) -> int:
        """The place of a strategy; raises `InputError` naming the nearest where there is none."""
        return self.strategies.index(known(name, self.strategies, "Strategy"))

    def pair(self, a: str, b: str, *, size: int) -> Paired:
        """What two strategies have in common at one size. Only cases that both have scored in a fold and seed count.

        Raises `InputError` for a strategy or a size that the study has not.
        """
        place = self.sizes.index(known(size, self.sizes, "Size"))
        first, second = (self.values[self.strategy(name), place] for name in (a, b))
        here = ~np.isnan(first), ~np.isnan(second)
        both = here[0] & here[1]
        cells = self.by_subject(np.where(both, first - second, np.nan))
        there = ~np.isnan(cells).all(axis=(0, 1))
        means = [over_trainings(self.by_subject(np.where(both, values, np.nan))) for values in (first, second)]
        subjects = tuple(name for name, kept in zip(self.subjects, there, strict=True) if kept)
        return Paired(subjects, cells[..., there], means[0][there], means[1][there], int((here[0] ^ here[1]).sum()))

    def by_subject(self, values: np.ndarray) -> np.ndarray:
        """Means over each subject's cases: `(..., cases)` to `(..., subjects)`, nan where there is none."""
        member = (self.owner[:, None] == np.arange(len(self.subjects))).astype(float)
        return _ratio(np.nan_to_num(values) @ member, (~np.isnan(values)).astype(float) @ member)


def over_trainings(cells: np.ndarray) -> np.ndarray:
    """Means over folds and seeds `(..., folds, seeds, subjects)` to `(..., subjects)`, nan where there is none."""
    return _ratio(np.nansum(cells, axis=(-3, -2)), (~np.isnan(cells)).sum(axis=(-3, -2)))


def known(name: str | int, names: Iterable, what: str) -> str | int:
    """`name`, where it is one of `names`; raises `InputError` that proposes the nearest where it is not."""
    names = list(names)
    if name in names:
        return name
    near = difflib.get_close_matches(str(name), [str(one) for one in names], n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(map(str, names))}."
    raise InputError(f"{what} '{name}' is not in the study. {hint}")


def _check_keys(frame: pd.DataFrame, score: str) -> None:
    for column in (*KEYS, score):
        known(column, frame.columns, "Column")
    for column in KEYS:
        if frame[column].isna().any():
            raise InputError(f"Column '{column}' has empty fields, expected none. Fill them, or remove these rows.")
    for column in NUMBERED:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        if wrong := frame[column][numbers % 1 != 0].tolist():
            raise InputError(f"Column '{column}' holds '{wrong[0]}', expected whole numbers. Write the number.")


def _empty(frame: pd.DataFrame) -> pd.Series:
    if EMPTY not in frame:
        return pd.Series(False, index=frame.index)
    return frame[EMPTY].fillna(0).astype(bool)


def _numbers(column: pd.Series, score: str) -> pd.Series:
    try:
        numbers = pd.to_numeric(column).astype(float)
    except (TypeError, ValueError):
        raise InputError(f"Column '{score}' holds text, expected numbers. Choose a column of scores.") from None
    if np.isinf(numbers).any():
        raise InputError(f"Column '{score}' holds infinite values, expected numbers or nan. Leave such cells empty.")
    return numbers


def _places(frame: pd.DataFrame) -> tuple[np.ndarray, list]:
    """Where each row stands along the five axes `(5, rows)`, and what stands there: names sorted, cases as pairs."""
    keys = pd.DataFrame({name: frame[name].astype(int if name in NUMBERED else str) for name in KEYS})
    found = [pd.factorize(keys[name], sort=True) for name in ("strategy", *NUMBERED)]
    found.append(pd.MultiIndex.from_frame(keys[["subject", "case"]]).factorize(sort=True))
    return np.stack([codes for codes, _ in found]), [list(level) for _, level in found]


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
