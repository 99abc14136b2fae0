"""An inverse power law through the scores of a few training sizes, for many sets of scores at once."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

EXPONENTS = np.geomspace(0.05, 3.0, 200)  # tried; errors of networks fall with 0.1 to 1
NUMBERS = 3  # of the curve: its end, its drop, its exponent


def fit_power_law(sizes: Sequence[int], scores: np.ndarray, *, ceiling: float = 1.0) -> np.ndarray:
    """End, drop and exponent `(..., 3)` of the curves a - b (n / n1)^-c nearest to `scores` `(..., sizes)`.

    sizes: numbers of labelled subjects, n1 the smallest of them; scores: higher is better, finite. The least squares
    are taken with a at most `ceiling`, b at least 0 and c one of `EXPONENTS`: for a given c the curve is linear in the
    other two, so that all curves are solved at once and none ends in a local minimum (variable projection, Golub
    and Pereyra 1973, doi 10.1137/0710036). Of equally good exponents the smallest is taken.

    Inverse power laws of sample size: Figueroa et al. 2012, doi 10.1186/1472-6947-12-8; Viering and Loog 2023,
    doi 10.1109/TPAMI.2022.3220744, who show where they fail.
    """
    scores = np.asarray(scores, float)
    powers = _powers(sizes)
    level, squares = powers.mean(axis=1), (powers**2).sum(axis=1)
    mean = scores.mean(axis=-1, keepdims=True)
    along = (scores - mean) @ powers.T
    drop = np.maximum(-along / (squares - len(sizes) * level**2), 0)
    end = mean + drop * level
    over = end > ceiling
    at_ceiling = ((ceiling - mean) * len(sizes) * level - along) / squares
    end, drop = np.where(over, ceiling, end), np.where(over, np.maximum(at_ceiling, 0), drop)
    away = end - mean
    misfit = len(sizes) * away**2 + 2 * drop * (along - away * len(sizes) * level) + drop**2 * squares
    best = np.argmin(misfit, axis=-1)  # up to what no curve can explain
    chosen = [np.take_along_axis(part, best[..., None], axis=-1)[..., 0] for part in (end, drop)]
    return np.stack([*chosen, EXPONENTS[best]], axis=-1)


def power_law(curves: np.ndarray, sizes: Sequence[int], *, smallest: int) -> np.ndarray:
    """Scores `(..., sizes)` of `curves` `(..., 3)` at some sizes; `smallest` is the smallest they were fitted to."""
    end, drop, exponent = np.moveaxis(np.asarray(curves, float)[..., None, :], -1, 0)
    return end - drop * (np.asarray(sizes, float) / smallest) ** -exponent


def _powers(sizes: Sequence[int]) -> np.ndarray:
    sizes = np.asarray(sizes, float)
    return (sizes / sizes.min()) ** -EXPONENTS[:, None]
