"""How far two sets of scans are apart: the maximum mean discrepancy between samples of both."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import mstl
from mstl.data.preparation import Preparation
from mstl.data.prepared import PREPARATION, PreparedCohort
from mstl.errors import InputError
from mstl.evaluation.domain import Domain
from mstl.evaluation.domain_features import Features, Samples, domain_samples
from mstl.evaluation.kernel_sums import BLOCK_SIZE, kernel_sums, kernel_width
from mstl.evaluation.permutation import PERMUTATIONS, PermutationTest, Subjects, permutation_test, permute
from mstl.files import read_json

__all__ = ["DomainShift", "compare_domains", "mmd2", "permutation_test"]
COMPARED = ("spacing", "normalise", "shape")  # parameters of a preparation that change what a patch or layer sees


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


@dataclass(frozen=True, eq=False)
class DomainShift:
    """Two domains and how far they are apart: `mmd2` (unbiased, in `test`), `mmd2_biased`, and the samples they are of.

    `paired` counts the subjects that are in both, `notes` are sentences on what makes the domains hard to compare.
    """

    a: Samples
    b: Samples
    domains: tuple[Domain, Domain]
    features: Features
    kernel: str
    gamma: float | None
    mmd2_biased: float
    test: PermutationTest
    paired: int
    notes: tuple[str, ...] = ()

    @property
    def mmd2(self) -> float:
        """The unbiased squared MMD."""
        return self.test.mmd2

    def to_dict(self) -> dict:
        """All but the samples themselves, for `domain_shift.json`."""
        chance = self.test.by_chance
        return {
            "a": _described(self.a, self.domains[0]),
            "b": _described(self.b, self.domains[1]),
            "features": {**asdict(self.features), "count": self.a.values.shape[1]},
            "kernel": self.kernel,
            "gamma": self.gamma,
            "mmd2": self.mmd2,
            "mmd2_biased": self.mmd2_biased,
            "p": self.test.p,
            "smallest_p": self.test.smallest_p,
            "paired_subjects": self.paired,
            "partitions": self.test.partitions,
            "permutations": len(chance),
            "exact": self.test.exact,
            "by_chance": {"median": float(np.median(chance)), "95%": float(np.percentile(chance, 95))},
            "notes": list(self.notes),
            "mstl": mstl.__version__,
        }


def compare_domains(
    a: Domain | PreparedCohort | str | Path,
    b: Domain | PreparedCohort | str | Path,
    *,
    features: Features | None = None,
    kernel: str = "rbf",
    gamma: float | str | None = None,
    permutations: int = PERMUTATIONS,
    paired: bool = True,
    progress: Callable[[str], None] | None = None,
) -> DomainShift:
    """Compare two sets of prepared scans by the squared MMD of `features` of theirs.

    a, b: prepared cases, their folder, or "FOLDER:flair,t1" for some of its channels; see `Domain.of`. Intensities are
    compared as they were prepared, a layer's activations after each was brought to mean 0 and standard deviation 1 over
    both domains. kernel, gamma: as for `mmd2`. permutations, paired: as for `permutation_test`, which permutes whole
    subjects; names that both domains have are the same person where `paired`. progress: called with each case's name
    when its features are there, and once when the kernel is summed. The same arguments give the same numbers.
    Raises `InputError` as these do, and where the samples of a domain are all equal.
    """
    features = features or Features()
    domains = Domain.of(a), Domain.of(b)
    first, second = domain_samples(*domains, features, progress=progress)
    for samples in (first, second):
        if len(samples.values) > 1 and not np.ptp(samples.values, axis=0).any():
            raise InputError(
                f"All {len(samples.values)} samples of {samples.name} are equal: these features say nothing about it. "
                "Choose another layer, or intensities."
            )
    if features.of_layer:
        first, second = _standardised(first, second)
    who = Subjects.of(first.subjects, second.subjects, paired=paired)
    options = {"kernel": kernel, "gamma": kernel_width(first.values, second.values, kernel=kernel, gamma=gamma)}
    sums = kernel_sums(first.values, second.values, groups=who.groups, **options)
    test = permute(sums, who, permutations=permutations, seed=features.seed)
    biased = float(sums.mmd2(who.observed[None], biased=True)[0])
    if progress is not None:
        progress("kernel")
    return DomainShift(
        first, second, domains, features, mmd2_biased=biased, test=test, paired=len(who.pairs),
        notes=tuple(_notes((first.name, domains[0]), (second.name, domains[1]), features)), **options,
    )  # fmt: skip


def _standardised(first: Samples, second: Samples) -> tuple[Samples, Samples]:
    """Every feature with mean 0 and standard deviation 1 over both; one that is constant becomes 0."""
    both = np.concatenate([first.values, second.values]).astype(np.float64)
    spread = both.std(axis=0)
    scaled = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1)
    parts = np.split(scaled.astype(np.float32), [len(first.values)])
    return replace(first, values=parts[0]), replace(second, values=parts[1])


def _described(samples: Samples, domain: Domain) -> dict:
    return {
        "name": samples.name,
        "folder": str(domain.cases.folder),
        "modalities": list(domain.modalities),
        "subjects": list(domain.cases.subjects),
        "samples": len(samples.values),
    }


def _notes(a: tuple[str, Domain], b: tuple[str, Domain], features: Features) -> list[str]:
    """Sentences on what was prepared otherwise: one domain than the other, or either than a layer's run."""
    prepared = {name: Preparation.of_record(domain.cases.preparation, source=domain.cases.folder)
                for name, domain in (a, b)}  # fmt: skip
    pairs = [(a[0], b[0])]
    if features.of_layer:
        run = Path(features.of_layer[0])
        prepared[str(run)] = Preparation.of_record(read_json(run / PREPARATION), source=run)
        pairs += [(a[0], str(run)), (b[0], str(run))]
    rows = ((pair, name, [getattr(prepared[one], name) for one in pair]) for pair in pairs for name in COMPARED)
    return [
        f"{one} was prepared with {name} {ours}, {other} with {theirs}: part of the difference may be that."
        for (one, other), name, (ours, theirs) in rows
        if ours != theirs
    ]
