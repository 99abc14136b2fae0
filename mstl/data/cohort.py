"""Cohorts: cases read from a CSV or found on disk, selected and split by subject."""
from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mstl.data.case import MODALITIES, Case, check_modalities
from mstl.data.cohort_csv import read_cases, write_cases
from mstl.data.indexing import COMPUTED, Index, index_scans
from mstl.data.layouts import GLOB
from mstl.data.splits import fold_subjects, split_subjects
from mstl.errors import InputError

__all__ = ["MODALITIES", "Case", "Cohort"]


@dataclass(frozen=True, init=False, repr=False)
class Cohort(Sequence):
    """An immutable sequence of cases; selections and splits keep all sessions of a subject together.

    Raises `InputError` where two cases have one name.
    """

    cases: tuple[Case, ...]

    def __init__(self, cases: Iterable[Case]):
        object.__setattr__(self, "cases", tuple(cases))
        seen = set()
        for case in self.cases:
            if case.name in seen:
                raise InputError(
                    f"Two cases are named {case.name}. Give a subject's sessions different names."
                )
            seen.add(case.name)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index):
        found = self.cases[index]
        return Cohort(found) if isinstance(index, slice) else found

    def __repr__(self) -> str:
        return f"Cohort({len(self)} cases of {len(self.subjects)} subjects: {', '.join(self.modalities)})"

    @classmethod
    def from_csv(cls, path: str | Path, *, files_exist: bool = True) -> Cohort:
        """Read a cohort from a CSV; paths are relative to its folder, an empty cell means absent.

        Columns: subject (needed), session, dataset, flair, t1, t1ce, t2, oct, mask, brain_mask. Raises
        `InputError` naming file, line and column for whatever is wrong, with `files_exist` also where a file
        is not there.
        """
        return cls(read_cases(path, files_exist=files_exist))

    @classmethod
    def from_glob(cls, root: str | Path, *, patterns: str | Mapping[str, str], dataset: str = "") -> Cohort:
        """Find cases below `root` by one pattern a column, such as `{"flair": "{subject}/*flair*.nii.gz"}`.

        One text serves for all columns where it holds `{modality}`: `"{subject}/*{modality}*.nii.gz"`. Patterns also
        hold `{subject}`, `{session}` (in all or in none) and `*`, as `layouts.patterns` says. A case may lack a
        modality. Raises `InputError` where a pattern finds nothing, or two files of a case.
        """
        index = index_scans(root, layout=GLOB, patterns=patterns)
        return cls(replace(case, dataset=dataset) for case in _noted(index))

    @classmethod
    def from_layout(
        cls,
        root: str | Path,
        *,
        layout: str,
        variant: str = "",
        rater: str = "",
        patterns: Mapping[str, str] | None = None,
    ) -> Cohort:
        """Find the cases of a public set or of BIDS below `root` by its layout's name, such as "open-ms".

        `variant` ("raw", "preprocessed", ...), the masks' `rater` ("1", "consensus") and `patterns` that choose among
        several files of a column as `indexing.index_scans` says; what was taken of several is told by a warning.
        Raises `InputError` for an unknown layout (listing the known), where nothing of it is found, or two files of a
        case match one column.
        """
        if rater in COMPUTED:
            raise InputError(
                f"Masks by {rater} are computed and written. Call mstl.data.consensus.write_consensus on the index of "
                "mstl.data.indexing.index_scans, or 'mstl index --rater'."
            )
        return cls(_noted(index_scans(root, layout=layout, variant=variant, rater=rater, patterns=patterns)))

    def to_csv(self, path: str | Path) -> None:
        """Write the cohort as CSV, whole or not at all, paths relative to its folder."""
        write_cases(path, self.cases)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in order of appearance."""
        return tuple(dict.fromkeys(case.subject for case in self.cases))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that every case has, in the order flair, t1, t1ce, t2, oct."""
        return tuple(m for m in MODALITIES if self.cases and all(m in case.images for case in self.cases))

    def require(self, modalities: Iterable[str]) -> None:
        """Raise `InputError` naming the first case that lacks one of `modalities`, and what it has."""
        modalities = tuple(modalities)
        check_modalities(modalities)
        for case in self.cases:
            if missing := [name for name in modalities if name not in case.images]:
                raise InputError(
                    f"Case {case.name} has no {', '.join(missing)}, only {', '.join(case.modalities)}. "
                    "Ask for fewer modalities, or remove the case."
                )

    def select(self, subjects: Iterable[str]) -> Cohort:
        """All cases of these subjects, in this cohort's order; raises `InputError` for an unknown subject."""
        wanted = {subjects} if isinstance(subjects, str) else set(subjects)
        if unknown := sorted(wanted.difference(self.subjects)):
            raise InputError(
                f"No case of subject {', '.join(unknown)} in this cohort of {', '.join(self.subjects)}. "
                "Check the names."
            )
        return Cohort(case for case in self.cases if case.subject in wanted)

    def split(self, *, ratios: Sequence[float], seed: int = 0) -> tuple[Cohort, ...]:
        """Divide by subject into one cohort a ratio, balanced by lesion volume (`splits.split_subjects`)."""
        sides = split_subjects(self.lesion_volumes(), ratios=ratios, seed=seed)
        return tuple(self.select(side) for side in sides)

    def folds(self, k: int, *, seed: int = 0) -> list[tuple[Cohort, Cohort]]:
        """`k` pairs (train, test) by subject, every subject in one test (`splits.fold_subjects`)."""
        tests = fold_subjects(self.lesion_volumes(), k, seed=seed)
        return [(self.select(set(self.subjects).difference(test)), self.select(test)) for test in tests]

    def lesion_volumes(self) -> dict[str, float]:
        """Lesion volume in ml of each subject, summed over its sessions; a case without a mask counts 0."""
        volumes = dict.fromkeys(self.subjects, 0.0)
        for case in self.cases:
            if case.mask is not None:
                volumes[case.subject] += _lesion_ml(case.mask)
        return volumes


def _lesion_ml(mask: Path) -> float:
    from mstl.data.volume import read_volume  # nibabel is loaded only where a mask is read

    volume = read_volume(mask, allow_constant=True)
    return volume.grid.volume_ml(volume.data >= 0.5)


def _noted(index: Index) -> tuple[Case, ...]:
    """The cases of an index, what is to be said of them told as warnings."""
    for note in index.notes:
        warnings.warn(note, stacklevel=3)
    return index.cases
