"""How far two sets of scans are apart: the maximum mean discrepancy between samples of both."""
from __future__ import annotations

import numpy as np

from mstl.evaluation.kernel_sums import BLOCK_SIZE, kernel_sums


def mmd2(
    x: np.ndarray,
    y: np.ndarray,
    *,
    kernel: str = "rbf",
    gamma: float | str | None = None,
    biased: bool = False,
    block_size: int = BLOCK_SIZE,
) -> float:
    """Squared maximum mean discrepancy between the samples `x` `(n, d)` and `y` `(m, d)`, in float64.

    The unbiased estimate may be below 0, the biased one may not. kernel: "rbf", exp(-gamma ||a - b||^2), or "linear".
    gamma: a number, None for 1 / d, or "median"; see `kernel_width`. Blocks of `block_size` samples keep the memory
    independent of n * m; the result does not depend on it. Raises `InputError` for fewer than 2 samples (biased: 1) in
    a set, other numbers of features, values that are not finite, an unknown kernel, and a gamma not above 0.

    Source: Gretton et al. 2012, JMLR 13:723-773, equations 3 (unbiased) and 5 (biased).
    """
    groups = np.zeros(len(x), dtype=int), np.ones(len(y), dtype=int)
    sums = kernel_sums(x, y, groups=groups, kernel=kernel, gamma=gamma, block_size=block_size)
    return float(sums.mmd2(np.array([[1, 0]]), biased=biased)[0])

