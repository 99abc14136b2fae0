"""Norm and hash of arrays, in one pass each and without copies."""
from __future__ import annotations

import hashlib

import numpy as np


def norm_of(array: np.ndarray) -> float:
    """Euclidean norm; nan or inf where an element is, and there only."""
    flat = np.ravel(array)
    square = float(np.dot(flat, flat)) if flat.dtype in (np.float32, np.float64) else np.inf
    if not np.isfinite(square):  # a number that is none, or one whose square leaves the type's range
        return float(np.linalg.norm(flat.astype(np.float64)))
    return float(np.sqrt(square))


def sha256_of(array: np.ndarray) -> str:
    """Hexadecimal SHA-256 of the array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data).hexdigest()
