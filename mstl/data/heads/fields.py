"""Smooth random fields: the raw material of synthetic anatomy, lesions and scanner imperfections."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

# White noise through cubic B-splines has this variance along an axis, averaged over positions.
_SPLINE_VARIANCE = 151 / 315


@dataclass(frozen=True)
class SmoothField:
    """A random function of position, about standard normal, smooth over `scale` mm; made by `draw_field`."""

    knots: np.ndarray
    scale: float

    def __call__(self, positions: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Values float32 at the lattice of three position arrays, mm from the corner of the field.

        The sums run in a fixed order, whatever the number of threads: one seed gives one result to the bit.
        """
        values = self.knots
        for axis in (2, 1, 0):  # the axis that ends first in memory last: it does the bulk of the work
            matrix = _spline_matrix(positions[axis] / self.scale, values.shape[axis])
            moved = np.ascontiguousarray(np.moveaxis(values, axis, 0))
            spread = (matrix @ moved.reshape(moved.shape[0], -1)).reshape(-1, *moved.shape[1:])
            values = np.moveaxis(spread, 0, axis)
        return np.ascontiguousarray(values)


def draw_field(
    rng: np.random.Generator, extent: tuple[float, float, float], *, scale: float
) -> SmoothField:
    """Draw a field over a box of `extent` mm that varies over about `scale` mm (cubic B-splines)."""
    knots = tuple(int(np.ceil(length / scale)) + 4 for length in extent)
    unit = _SPLINE_VARIANCE**-1.5
    return SmoothField(rng.standard_normal(knots, dtype=np.float32) * np.float32(unit), scale)


def _spline_matrix(positions: np.ndarray, knots: int) -> sparse.csr_matrix:
    inside = np.clip(positions, 0, knots - 3.001)
    first = np.floor(inside).astype(int)
    f = inside - first
    weights = np.stack(
        [(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], axis=1
    )
    columns = first[:, None] + np.arange(4)
    rows = np.arange(0, 4 * len(positions) + 1, 4)
    data = (weights / 6).astype(np.float32).ravel()
    return sparse.csr_matrix((data, columns.ravel(), rows), shape=(len(positions), knots))
