"""Baselines of restoration that learn nothing: what a network must beat to have learned anything.

Both fill the hidden pixels of a batch from the visible pixels of the brain in the same image; visible pixels stay.
"""
from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from mstl.data.corruption import TILE
from mstl.errors import InputError

SIGMA_PER_TILE = 1 / 8  # of 0.1 to 1 the least error on real FLAIR, tiles of 16 pixels; within 4% for 8 and 32
REACH = 6  # where the Gaussian ends, in sigmas: beyond the middle of a hidden square


def mean_fill(image: np.ndarray, hidden: np.ndarray, *, background: float | None) -> np.ndarray:
    """Give hidden pixels the mean of their image's visible brain, channel by channel.

    `image` `(N, H, W, C)` of any scale (hidden pixels are not read), `hidden` `(N, H, W, 1)` bool or 0 and 1; brain
    is where any channel differs from `background`; None counts every visible pixel. An image without visible brain is
    filled with `background`. Returns float32 `(N, H, W, C)`; raises `InputError` where shapes do not fit.
    """
    return _mean_fill(image, hidden, _visible_brain(image, hidden, background), background)


def gaussian_fill(
    image: np.ndarray, hidden: np.ndarray, *, background: float | None, sigma: float = SIGMA_PER_TILE * TILE
) -> np.ndarray:
    """Give hidden pixels the mean of the visible brain around them, weighted by a Gaussian of `sigma` pixels.

    Normalised convolution, blur(image x visible) / blur(visible): Knutsson and Westin 1993, doi
    10.1109/CVPR.1993.341081. A `background` is left out, as it darkens the rim of the brain. `SIGMA_PER_TILE`
    times the side of a hidden square is a good sigma. Farther than `REACH` sigmas from any visible brain, and for
    arrays and errors: as `mean_fill`. Raises `InputError` for a sigma that is not above 0, too.
    """
    if not 0 < sigma < np.inf:
        raise InputError(f"sigma is {sigma}, expected pixels, more than 0. Give an eighth of the hidden squares' side.")
    visible = _visible_brain(image, hidden, background)
    filled = _mean_fill(image, hidden, visible, background)
    weights = _blurred(visible, sigma)
    np.divide(_blurred(image * visible, sigma), weights, out=filled, where=_is(hidden) & (weights > 0))
    return filled


def _mean_fill(image: np.ndarray, hidden: np.ndarray, visible: np.ndarray, background: float | None) -> np.ndarray:
    sums = np.sum(image * visible, axis=(1, 2), keepdims=True, dtype=np.float64)
    counts = visible.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), background or 0.0)
    return np.where(_is(hidden), means, image).astype(np.float32)


def _blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(values, (0, sigma, sigma, 0), mode="constant", truncate=REACH)


def _visible_brain(image: np.ndarray, hidden: np.ndarray, background: float | None) -> np.ndarray:
    """1 in the visible brain, else 0: float32 `(N, H, W, 1)`."""
    if np.ndim(image) != 4 or np.shape(hidden) != (*image.shape[:3], 1):
        raise InputError(
            f"Images have shape {np.shape(image)}, hidden {np.shape(hidden)}, expected (N, H, W, C) and (N, H, W, 1). "
            "Give both as RestorationSampler does."
        )
    brain = True if background is None else (image != background).any(axis=-1, keepdims=True)
    return (brain & ~_is(hidden)).astype(np.float32)


def _is(hidden: np.ndarray) -> np.ndarray:
    return np.asarray(hidden) > 0
