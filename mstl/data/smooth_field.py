"""Smooth random fields: cubic B-splines through a coarse grid of numbers."""
from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import BSpline

DEGREE = 3


def control_points(cells: int) -> int:
    """How many numbers along an axis a field of `cells` cells has."""
    return cells + DEGREE


def smooth_field(control: np.ndarray, sides: Sequence[int], block: Sequence[slice] | None = None) -> np.ndarray:
    """A field float32 of shape `sides`, or its part `block`, that follows the numbers of a coarse grid `control`.

    It has continuous second derivatives and never leaves the range of the numbers. Along every axis `control` has
    `control_points(cells)` of them, one side's length is `cells` cells.
    """
    field = np.asarray(control, np.float32)
    for axis, side in enumerate(sides):
        weights = _weights(control.shape[axis], side)
        field = np.einsum("i...,id->...d", field, weights if block is None else weights[:, block[axis]])
    return field


@lru_cache(maxsize=32)
def _weights(points: int, side: int) -> np.ndarray:
    """How much each of the control points counts at each of `side` places, `(points, side)`."""
    cells = points - DEGREE
    knots = np.arange(-DEGREE, cells + DEGREE + 1)
    weights = BSpline.design_matrix(np.linspace(0, cells, side), knots, DEGREE).toarray()
    return np.ascontiguousarray(weights.T, np.float32)
