"""Sums of a kernel over groups of samples, computed in blocks: all that estimates of an MMD and their tests need."""
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

from mstl.errors import InputError

KERNELS = ("rbf", "linear")
BLOCK_SIZE = 1024  # samples a side: 8 MB of kernel values at a time
MEDIAN, MEDIAN_SAMPLES = "median", 1000  # of each set, for the median heuristic


@dataclass(frozen=True, eq=False)
class KernelSums:
    """Sums of k over G groups of samples, float64: `between` `(G, G)` over all pairs, `itself` `(G,)` of k(z, z).

    `counts` `(G,)` says how many samples a group has. The linear kernel's are those of samples whose common mean was
    subtracted, which changes no MMD.
    """

    between: np.ndarray
    itself: np.ndarray
    counts: np.ndarray

    def mmd2(self, members: np.ndarray, *, biased: bool = False) -> np.ndarray:
        """Squared MMD `(P,)` between the groups that a row of `members` `(P, G)` names by 1 and the others, by 0.

        Raises `InputError` where a set would have fewer samples than the estimate needs: 2, biased 1.
        """
        first = np.asarray(members, dtype=float)
        second = 1 - first
        _check_enough(first @ self.counts, second @ self.counts, needed=1 if biased else 2)
        across = first @ self.between
        cross = (across * second).sum(axis=1) / ((first @ self.counts) * (second @ self.counts))
        return self._mean(first, across, biased) + self._mean(second, second @ self.between, biased) - 2 * cross

    def _mean(self, rows: np.ndarray, sums: np.ndarray, biased: bool) -> np.ndarray:
        """Mean of k over the pairs within a set; the unbiased one leaves out each sample with itself."""
        total, count = (sums * rows).sum(axis=1), rows @ self.counts
        return total / count**2 if biased else (total - rows @ self.itself) / (count * (count - 1))


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows of a set that follow each other when they are sorted by group; `groups` is ascending."""

    data: np.ndarray
    rows: np.ndarray
    groups: np.ndarray

    def samples(self, mean: np.ndarray) -> np.ndarray:
        return self.data[self.rows].astype(np.float64) - mean

    @property
    def starts(self) -> np.ndarray:
        """Where a new group begins."""
        return np.flatnonzero(np.diff(self.groups, prepend=-1))


def kernel_sums(
    x: np.ndarray,
    y: np.ndarray,
    *,
    groups: tuple[np.ndarray, np.ndarray],
    kernel: str = "rbf",
    gamma: float | str | None = None,
    block_size: int = BLOCK_SIZE,
) -> KernelSums:
    """Sums of the kernel over all pairs of groups of samples of `x` `(n, d)` and `y` `(m, d)`.

    groups: for each set the group of every sample, integers from 0 (n,), (m,). `gamma` as `kernel_width` takes it.
    Memory: blocks of `block_size` samples and the groups' own sums; the linear kernel needs only the groups' means.
    Raises `InputError` as `checked_sets` and `kernel_width` do.
    """
    x, y = checked_sets(x, y)
    gamma = kernel_width(x, y, kernel=kernel, gamma=gamma)
    if block_size < 1:
        raise InputError(f"block_size is {block_size}, expected at least 1. Give such a value.")
    mean = (x.sum(axis=0, dtype=np.float64) + y.sum(axis=0, dtype=np.float64)) / (len(x) + len(y))
    blocks = [*_blocks(x, groups[0], block_size), *_blocks(y, groups[1], block_size)]
    counts = np.bincount(np.concatenate(groups))
    if gamma is None:
        return _linear(blocks, mean, counts)
    return _rbf(blocks, mean, counts, gamma)


def _check_enough(first: np.ndarray, second: np.ndarray, *, needed: int) -> None:
    few = int(np.minimum(first, second).argmin())
    if min(first[few], second[few]) < needed:
        raise InputError(
            f"Sets of {first[few]:.0f} and {second[few]:.0f} samples are too small: the "
            f"{'biased' if needed == 1 else 'unbiased'} estimate needs {needed} or more of each. Add samples."
        )


def checked_sets(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sets as arrays; raises `InputError` unless they are finite, `(samples, features)`, with equal features."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not (x.size and y.size):
        raise InputError(
            f"Sets of shapes {x.shape} and {y.shape} cannot be compared: (samples, features) is expected of both, with "
            "one sample or more and the same features."
        )
    for name, data in (("First", x), ("Second", y)):
        if not np.isfinite(data).all():
            raise InputError(f"{name} set holds values that are not finite. Leave such samples out.")
    return x, y


def kernel_width(x: np.ndarray, y: np.ndarray, *, kernel: str, gamma: float | str | None) -> float | None:
    """The gamma of exp(-gamma ||a - b||^2); None for the linear kernel, which has none.

    None means 1 / n_features; "median" the median heuristic 1 / (2 median^2) of the distances in both sets together
    (Gretton et al. 2012, section 8), on at most 1000 samples of each, evenly spaced in their order. Raises
    `InputError` for an unknown kernel, a gamma that is not above 0, and a median distance of 0.
    """
    if kernel not in KERNELS:
        raise InputError(f"Kernel '{kernel}' is unknown. Choose one of {', '.join(KERNELS)}.")
    if kernel == "linear":
        if gamma is not None:
            raise InputError(f"gamma is {gamma}, but the linear kernel has none. Leave it out, or choose rbf.")
        return None
    if gamma is None:
        return 1 / x.shape[1]
    if gamma == MEDIAN:
        return _median_heuristic(x, y)
    if isinstance(gamma, str) or not (math.isfinite(gamma) and gamma > 0):
        raise InputError(f"gamma is {gamma}; a number above 0, 'median' or none (1 / features) is expected.")
    return float(gamma)


def _median_heuristic(x: np.ndarray, y: np.ndarray) -> float:
    picked = [data[np.linspace(0, len(data) - 1, min(len(data), MEDIAN_SAMPLES)).astype(int)] for data in (x, y)]
    distance = float(np.median(pdist(np.concatenate(picked).astype(np.float64))))
    if distance == 0:
        raise InputError("The median distance of samples is 0: most are equal. Give gamma as a number.")
    return 1 / (2 * distance**2)


def _blocks(data: np.ndarray, groups: np.ndarray, block_size: int) -> Iterator[_Block]:
    order = np.argsort(groups, kind="stable")
    for start in range(0, len(data), block_size):
        rows = order[start : start + block_size]
        yield _Block(data, rows, np.asarray(groups)[rows])


def _rbf(blocks: Sequence[_Block], mean: np.ndarray, counts: np.ndarray, gamma: float) -> KernelSums:
    between = np.zeros((len(counts), len(counts)))
    for place, block in enumerate(blocks):
        samples, starts = block.samples(mean), block.starts
        for other in blocks[place:]:
            theirs = samples if other is block else other.samples(mean)
            values = rbf_kernel(samples, theirs, gamma=gamma)
            sums = np.add.reduceat(np.add.reduceat(values, other.starts, axis=1), starts, axis=0)
            where = np.ix_(block.groups[starts], other.groups[other.starts])
            between[where] += sums
            if other is not block:
                between.T[where] += sums
    return KernelSums(between, counts.astype(float), counts)


def _linear(blocks: Sequence[_Block], mean: np.ndarray, counts: np.ndarray) -> KernelSums:
    sums, itself = np.zeros((len(counts), len(mean))), np.zeros(len(counts))
    for block in blocks:
        samples, starts = block.samples(mean), block.starts
        sums[block.groups[starts]] += np.add.reduceat(samples, starts, axis=0)
        itself[block.groups[starts]] += np.add.reduceat(np.einsum("ij,ij->i", samples, samples), starts)
    return KernelSums(sums @ sums.T, itself, counts)
