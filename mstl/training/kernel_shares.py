"""Kernels to train on and kernels held out: whole trainings held out where there are several."""
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mstl.config_kernel_prior import KernelPriorTraining
from mstl.errors import InputError
from mstl.training.kernels import Kernels

FEWEST_RUNS = 5  # trainings of which one can be spared
LEAST_HELD_OUT = 10  # kernels
LEAST_TRAINED = 50  # kernels, below which an autoencoder of them learns nothing


@dataclass(frozen=True, eq=False)
class Shares:
    """Kernels of one group `(n, 3, 3, 3)` that are trained on, and others; `unit` of them: "trainings" or "kernels"."""

    train: np.ndarray
    held_out: np.ndarray
    unit: str

    def examples(self, count: int, *, seed: int) -> np.ndarray:
        """At most `count` of the kernels held out, drawn by `seed`."""
        return np.random.default_rng(seed).permutation(self.held_out)[:count]

    def gaussian_density(self, scale: float) -> float:
        """Mean log density, nats in units of `scale`, of held-out kernels under a Gaussian of each element by itself.

        Means and variances are those of the kernels trained on. A prior that has learned how elements belong together
        is above this.
        """
        parts = (self.train, self.held_out)
        train, held_out = (part.reshape(len(part), -1).astype(np.float64) / scale for part in parts)
        variance = train.var(axis=0)
        squares = (held_out - train.mean(axis=0)) ** 2 / variance
        return float(-0.5 * np.mean(np.sum(np.log(2 * math.pi * variance) + squares, axis=1)))


def divide(kernels: Kernels, settings: KernelPriorTraining, *, seed: int) -> Shares:
    """Hold out a share `settings.held_out` of the trainings, or of the kernels where there are fewer than five.

    All minima of one training are held out together, as their kernels are alike. Of both shares kernels are drawn
    evenly over the networks, `settings.kernels_per_group` of the training's at most and in proportion of the others.
    Raises `InputError` where too few are left to train on.
    """
    rng = np.random.default_rng(seed)
    runs = list(dict.fromkeys(file.run for file in kernels.networks))
    if len(runs) >= FEWEST_RUNS:
        spared = rng.permutation(len(runs))[: min(len(runs) - 1, max(1, round(settings.held_out * len(runs))))]
        run_of = np.array([runs.index(file.run) for file in kernels.networks])
        aside, unit = np.isin(run_of[kernels.network], spared), "trainings"
    else:
        count = max(LEAST_HELD_OUT, round(settings.held_out * len(kernels.values)))
        aside, unit = np.zeros(len(kernels.values), bool), "kernels"
        aside[rng.permutation(len(aside))[:count]] = True
    most = settings.kernels_per_group
    limits = {False: most, True: max(LEAST_HELD_OUT, round(settings.held_out * most))}
    train, held_out = (
        kernels.values[_evenly(rng, np.flatnonzero(aside == side), kernels.network, most=limits[side])]
        for side in (False, True)
    )
    if len(train) < LEAST_TRAINED:
        raise InputError(
            f"Of the {len(kernels.values)} kernels of layer {kernels.layers[0]} and its group {len(train)} are left to "
            f"train on; at least {LEAST_TRAINED} are needed. Give more networks, a larger kernels_per_group "
            f"({settings.kernels_per_group}), or a smaller held_out ({settings.held_out})."
        )
    return Shares(train, held_out, unit)


def _evenly(rng: np.random.Generator, indices: np.ndarray, network: np.ndarray, *, most: int) -> np.ndarray:
    """At most `most` of the indices, as many of each network as of the others while it has some left."""
    mixed = rng.permutation(indices)
    owners = network[mixed]
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(owners[order]) > 0])
    turn = np.empty(len(mixed), int)
    turn[order] = np.arange(len(mixed)) - np.repeat(starts, np.diff(np.r_[starts, len(mixed)]))
    return np.sort(mixed[np.argsort(turn, kind="stable")[:most]])
