"""A set of scans to compare with another: prepared cases, and which of their channels."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl.data.prepared import PreparedCase, PreparedCohort
from mstl.errors import InputError


@dataclass(frozen=True, eq=False)
class Domain:
    """Cases, and the modalities of theirs that count, in order. Raises `InputError` where a case lacks one."""

    cases: PreparedCohort
    modalities: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.cases):
            raise InputError(f"{self.cases.folder} holds no case; there is nothing to compare. Prepare some first.")
        for case in self.cases:
            missing = [name for name in self.modalities if name not in case.modalities]
            if missing:
                raise InputError(
                    f"Case {case.name} in {self.cases.folder} has no {', '.join(missing)}, only "
                    f"{', '.join(case.modalities)}. Choose of these, or prepare the others."
                )

    @classmethod
    def of(cls, what: Domain | PreparedCohort | str | Path, *, subjects: Iterable[str] = ()) -> Domain:
        """From prepared cases, their folder, or "FOLDER:flair,t1", which takes these channels; without: all.

        subjects: these alone; none means all. Raises `InputError` where there is no such folder, modality or subject.
        """
        if isinstance(what, Domain):
            cases, modalities = what.cases, what.modalities
        elif isinstance(what, PreparedCohort):
            cases, modalities = what, ()
        else:
            cases, modalities = _opened(str(what))
        subjects = tuple(subjects)
        cases = cases.select(subjects) if subjects else cases
        return cls(cases, modalities or (cases[0].modalities if len(cases) else ()))

    def name(self, *, parts: int = 1) -> str:
        """The last `parts` of the folder's path and the modalities, for people."""
        return f"{'/'.join(self.cases.folder.resolve().parts[-parts:])} {'+'.join(self.modalities)}"

    def image(self, case: PreparedCase) -> np.ndarray:
        """The case's image `(D, H, W, C)` float16, its channels those of the domain in their order."""
        places = [case.modalities.index(name) for name in self.modalities]
        return case.image if places == [*range(len(case.modalities))] else np.asarray(case.image)[..., places]


def distinct_names(a: Domain, b: Domain) -> tuple[str, str]:
    """Names of two domains that differ: with as much of their folders' paths as that takes, else numbered."""
    for parts in range(1, len(a.cases.folder.resolve().parts)):
        names = a.name(parts=parts), b.name(parts=parts)
        if names[0] != names[1]:
            return names
    return f"{a.name()} (A)", f"{b.name()} (B)"


def _opened(text: str) -> tuple[PreparedCohort, tuple[str, ...]]:
    """The cases of "FOLDER" or "FOLDER:modalities"; a folder whose own name holds a colon comes first."""
    folder, colon, names = text.rpartition(":")
    if not colon or Path(text).is_dir():
        return PreparedCohort.open(text), ()
    modalities = tuple(name.strip() for name in names.split(",") if name.strip())
    if not modalities or len(set(modalities)) < len(modalities):
        raise InputError(f"'{text}' names no modalities behind the colon, or one twice. Write {folder}:flair,t1.")
    return PreparedCohort.open(folder), modalities
