"""Who learns, who chooses thresholds and who is tested, in every fold and at every size of a study."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mstl.compare.study import ALL, Study
from mstl.data.prepared import PreparedCohort
from mstl.data.splits import fold_subjects, split_subjects
from mstl.errors import InputError

UNUSED = "unused"  # the side of a subject that waits for a larger size


@dataclass(frozen=True)
class Division:
    """The subjects of one fold at one size. `pool` are all that are not tested: what a source may learn from."""

    fold: int
    size: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    pool: tuple[str, ...]

    def sides(self) -> dict[str, list[str]]:
        """The settings of an experiment that name the subjects of its sides."""
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        return {f"{side}_subjects": list(names) for side, names in sides.items()}


def divide(prepared: PreparedCohort, study: Study) -> list[Division]:
    """The divisions of a study, fold by fold and in each from the largest size to the smallest.

    Sides are balanced by lesion volume. In a fold test and validation are the same at all sizes, and each training set
    holds the smaller ones; "all" is as many as every fold has. Equal subjects, volumes and study give equal divisions.
    Raises `InputError` where subjects have no mask, or there are too few of them for a size.
    """
    bare = sorted({case.subject for case in prepared if not case.has_mask})
    if bare:
        raise InputError(
            f"{prepared.folder}: subjects {', '.join(bare)} have no mask; a study compares on labelled scans. Prepare "
            "those with masks into a folder of their own."
        )
    volumes = prepared.lesion_ml_by_subject()
    largest = max((size for size in study.sizes if size != ALL), default=1)
    tests = _tests(volumes, study, least=largest)
    most = len(volumes) - max(map(len, tests)) - study.validation
    sizes = sorted({most if size == ALL else size for size in study.sizes}, reverse=True)
    return [one for fold, test in enumerate(tests) for one in _of_fold(fold, test, volumes, sizes, study.validation)]


def _tests(volumes: Mapping[str, float], study: Study, *, least: int) -> list[Sequence[str]]:
    """The subjects that each fold tests."""
    tested = study.test or -(-len(volumes) // (study.folds or 1))
    if len(volumes) < tested + study.validation + least or (study.folds or 0) > len(volumes):
        raise InputError(
            f"The study needs {tested} subjects to test in a fold, {study.validation} for validation and {least} to "
            f"train on, but {len(volumes)} are prepared. Ask for smaller sizes, more folds or less to test."
        )
    if study.folds:
        return fold_subjects(volumes, study.folds)
    share = study.test / len(volumes)
    return [split_subjects(volumes, ratios=(share, 1 - share), seed=seed)[0] for seed in range(study.repeats)]


def _of_fold(
    fold: int, test: Sequence[str], volumes: Mapping[str, float], sizes: Sequence[int], validation: int
) -> Iterator[Division]:
    """The divisions of a fold, the largest size first."""
    pool = {name: volumes[name] for name in volumes if name not in test}
    choosing, train = _drawn(pool, validation, seed=fold)
    for size in sizes:
        train, _ = _drawn({name: pool[name] for name in train}, size, seed=fold)
        yield Division(fold, size, tuple(train), tuple(choosing), tuple(sorted(test)), tuple(sorted(pool)))


def _drawn(volumes: Mapping[str, float], count: int, *, seed: int) -> tuple[list[str], list[str]]:
    """So many of the subjects, balanced by volume, and the others."""
    if count == len(volumes):
        return sorted(volumes), []
    share = count / len(volumes)
    drawn, others = split_subjects(volumes, ratios=(share, 1 - share), seed=seed)
    return drawn, others


def rows_of(divisions: Sequence[Division]) -> list[dict]:
    """A row a fold, size and subject: which side the subject is on."""
    return [
        {"fold": one.fold, "size": one.size, "subject": name, "side": _side(one, name)}
        for one in divisions
        for name in sorted({*one.pool, *one.test})
    ]


def _side(division: Division, name: str) -> str:
    sides = {"train": division.train, "validation": division.validation, "test": division.test}
    return next((side for side, names in sides.items() if name in names), UNUSED)
