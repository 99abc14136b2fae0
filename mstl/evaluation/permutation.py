"""Is a difference between two sets more than chance? A permutation test that moves whole subjects, not samples."""
from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from mstl.errors import InputError
from mstl.evaluation.kernel_sums import KernelSums, kernel_sums

PERMUTATIONS = 1000
MOST_GROUPS = 5000  # the sums between them take 200 MB
ROWS = 1000  # partitions at a time
ROUNDING = 1e-9  # of the largest value: equal partitions, summed in another order


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """`mmd2` (unbiased), its `p`, and `by_chance`, the values of the partitions that were tried, float64 `(P,)`.

    `partitions` is how many different ones there are, `exact` whether all of them were tried.
    """

    mmd2: float
    p: float
    by_chance: np.ndarray
    partitions: int
    exact: bool

    @property
    def smallest_p(self) -> float:
        """The smallest p that this test could have found: few subjects can prove nothing."""
        return 1 / self.partitions if self.exact else 1 / (len(self.by_chance) + 1)


@dataclass(frozen=True, eq=False)
class Subjects:
    """Which samples belong to whom: `groups` numbers the samples of one subject in one set alike, for both sets.

    `pairs` are the two groups of a subject who is in both sets, `first` and `second` the groups of the others.
    """

    groups: tuple[np.ndarray, np.ndarray]
    pairs: tuple[tuple[int, int], ...]
    first: tuple[int, ...]
    second: tuple[int, ...]

    @classmethod
    def of(cls, first: Sequence[Hashable], second: Sequence[Hashable], *, paired: bool = True) -> Subjects:
        """From the subject of each sample; `paired`: one name in both sets is one person."""
        names = [list(dict.fromkeys(labels)) for labels in (first, second)]
        numbers = [{name: place for place, name in enumerate(names[0])},
                   {name: place + len(names[0]) for place, name in enumerate(names[1])}]  # fmt: skip
        groups = [np.array([number[label] for label in labels], dtype=int)
                  for number, labels in zip(numbers, (first, second), strict=True)]  # fmt: skip
        both = [name for name in names[0] if paired and name in numbers[1]]
        alone = [tuple(number[name] for name in number if name not in both) for number in numbers]
        pairs = tuple((numbers[0][name], numbers[1][name]) for name in both)
        return cls(tuple(groups), pairs, *alone)

    @property
    def count(self) -> int:
        """Groups: subjects of the first and subjects of the second set."""
        return 2 * len(self.pairs) + len(self.first) + len(self.second)

    @property
    def observed(self) -> np.ndarray:
        """The row of a partition `(G,)` for the sets as they are: 1 for the groups of the first."""
        row = np.zeros(self.count, dtype=bool)
        row[[pair[0] for pair in self.pairs]] = True
        row[list(self.first)] = True
        return row

    @property
    def partitions(self) -> int:
        """How many different partitions there are; one and its mirror image count once."""
        alone = len(self.first) + len(self.second)
        count = 2 ** len(self.pairs) * math.comb(alone, len(self.first))
        return max(count // 2, 1) if self._mirrored else count

    @property
    def _mirrored(self) -> bool:
        return len(self.first) == len(self.second)

    def every(self) -> np.ndarray:
        """All partitions `(P, G)`, bool; of mirror images the one that leaves the first group where it is."""
        alone = combinations((*self.first, *self.second), len(self.first))
        named = [(*pairs, *names) for names in alone for pairs in product(*self.pairs)]
        rows = np.zeros((len(named), self.count), dtype=bool)
        for row, groups in zip(rows, named, strict=True):
            row[list(groups)] = True
        return rows[rows[:, self.observed.argmax()]] if self._mirrored else rows

    def drawn(self, number: int, *, seed: int) -> np.ndarray:
        """`number` partitions drawn at random `(P, G)`, bool."""
        random = np.random.default_rng(seed)
        rows = np.repeat(self.observed[None], number, axis=0)
        alone = [*self.first, *self.second]
        rows[:, alone] = random.permuted(rows[:, alone], axis=1)
        for pair in self.pairs:
            turned = random.random(number) < 0.5
            rows[:, pair] = np.stack([~turned, turned], axis=1)
        return rows


def permutation_test(
    x: np.ndarray,
    y: np.ndarray,
    *,
    subjects: tuple[Sequence[Hashable], Sequence[Hashable]] | None = None,
    paired: bool = True,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    kernel: str = "rbf",
    gamma: float | str | None = None,
) -> PermutationTest:
    """Test whether samples `x` `(n, d)` and `y` `(m, d)` come from one distribution, by their unbiased squared MMD.

    subjects: the subject of each sample of x and of y. Samples of one subject resemble each other, so whole subjects
    are permuted: a subject who is in both sets (where `paired`) has its two sets of samples swapped or not, the others
    change places among each other. All must give about as many samples. None: every sample is a subject of its own,
    of whom at most 5000 are taken. Where there are no more than `permutations` different partitions, all are tried and
    p is exact; else as many are drawn by `seed`, and p is (1 + those as large) / (1 + permutations).

    With few subjects p cannot be small: 1 / partitions, which for k paired subjects are 2^(k-1). Raises `InputError`
    as `mmd2` does, for labels of another number, and where permutations is below 1.
    """
    if subjects is None:
        subjects, paired = (range(len(x)), range(len(y))), False
    if (len(subjects[0]), len(subjects[1])) != (len(x), len(y)):
        raise InputError(
            f"Subjects of {len(subjects[0])} and {len(subjects[1])} samples are named, the sets have {len(x)} and "
            f"{len(y)}. Name the subject of each."
        )
    who = Subjects.of(*subjects, paired=paired)
    if who.count > MOST_GROUPS:
        raise InputError(
            f"{who.count} groups of samples are more than the {MOST_GROUPS} that can be permuted. Name the subject of "
            "each sample (subjects), or take fewer samples."
        )
    sums = kernel_sums(x, y, groups=who.groups, kernel=kernel, gamma=gamma)
    return permute(sums, who, permutations=permutations, seed=seed)


def permute(sums: KernelSums, who: Subjects, *, permutations: int = PERMUTATIONS, seed: int = 0) -> PermutationTest:
    """The same from the sums of the kernel between the groups of `who`: they are all that a partition needs."""
    if permutations < 1:
        raise InputError(f"permutations is {permutations}, expected at least 1. Give such a number.")
    exact = who.partitions <= permutations
    rows = who.every() if exact else who.drawn(permutations, seed=seed)
    mmd2 = float(sums.mmd2(who.observed[None])[0])
    by_chance = np.concatenate([sums.mmd2(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)])
    as_large = int((by_chance >= mmd2 - ROUNDING * np.abs(by_chance).max()).sum())
    p = as_large / len(rows) if exact else (1 + as_large) / (1 + permutations)
    return PermutationTest(mmd2, p, by_chance, who.partitions, exact)
