"""Prepared cases on disk: what `mstl prepare` wrote and everything later reads."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy import ndimage

from mstl.data.cohort import Cohort
from mstl.data.grid import Grid, resample
from mstl.data.splits import fold_subjects, split_subjects
from mstl.data.volume import Volume
from mstl.errors import InputError
from mstl.files import read_json

RECORD, PREPARATION, COHORT = "case.json", "preparation.json", "cohort.csv"
PICTURE = "picture"  # in a case's record where its scans are pictures


class PreparedCase:
    """One prepared case: its record, and its arrays as memory maps that are opened at each use.

    `image` is float16 `(D, H, W, C)`, `mask` uint8 `(D, H, W)` of class numbers or None; D runs from inferior to
    superior, H from anterior to posterior, W from right to left.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.record = read_json(self.folder / RECORD)

    def __repr__(self) -> str:
        return f"PreparedCase({self.name!r}, shape={self.shape}, modalities={self.modalities})"

    @property
    def name(self) -> str:
        """Name of the case, also that of its folder."""
        return self.record["case"]

    @property
    def subject(self) -> str:
        """The person; the unit of every split."""
        return self.record["subject"]

    @property
    def is_picture(self) -> bool:
        """Whether the case is a picture: one slice without a place in the world, a pixel counts as 1 mm."""
        return self.record.get(PICTURE, False)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the channels of `image` are, in order."""
        return tuple(self.record["modalities"])

    @property
    def image(self) -> np.ndarray:
        """Memory map float16 `(D, H, W, C)`."""
        return self._array("image.npy")

    @property
    def mask(self) -> np.ndarray | None:
        """Memory map uint8 `(D, H, W)` of class numbers from 0, None where the case has no mask."""
        return self._array("mask.npy") if (self.folder / "mask.npy").exists() else None

    @property
    def brain(self) -> np.ndarray:
        """Where the case shows brain, bool `(D, H, W)`: some channel is not background (0), holes filled.

        All of a picture counts as brain, whatever its values, and what it was padded with does not.
        """
        if self.is_picture:
            native = self.native_grid
            return resample(np.ones(native.shape, np.uint8), native, self.grid, nearest=True).astype(bool)
        return ndimage.binary_fill_holes((np.asarray(self.image) != 0).any(axis=-1))

    def _array(self, name: str) -> np.ndarray:
        try:
            return np.load(self.folder / name, mmap_mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"{self.folder / name} is damaged ({error}). Run 'mstl prepare' again.") from error

    @property
    def has_mask(self) -> bool:
        """Whether the case has a mask."""
        return self.record["lesion_voxels"] is not None

    @property
    def grid(self) -> Grid:
        """Grid of the prepared arrays: index (d, h, w) to world mm RAS+."""
        return _grid(self.record["prepared"])

    @property
    def native_grid(self) -> Grid:
        """Grid of the reference scan as it came from the scanner."""
        return _grid(self.record["native"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels (D, H, W)."""
        return tuple(self.record["prepared"]["shape"])

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel distance along D, H, W, mm."""
        return self.grid.spacing

    @property
    def lesion_ml(self) -> float:
        """Lesion volume of the prepared mask in ml; 0 without a mask."""
        return sum(self.lesion_voxels) * self.grid.voxel_ml

    @property
    def lesion_voxels(self) -> list[int]:
        """Lesion voxels of any class in each slice, length D."""
        return self.record["lesion_voxels"] or [0] * self.shape[0]

    @property
    def class_voxels(self) -> list[int] | None:
        """Voxels of class 1, 2, ... in the whole case; None without a mask."""
        if not self.has_mask:
            return None
        return self.record.get("class_voxels", [sum(self.lesion_voxels)])  # an older mstl wrote masks of 0 and 1

    @property
    def labels(self) -> tuple[int, ...]:
        """Values that stand for class 1, 2, ... in masks of the scanner's grid; () for masks of 0 and 1."""
        return tuple(self.record.get("preparation", {}).get("labels", ()))

    @property
    def brain_voxels(self) -> list[int]:
        """Brain voxels in each slice, length D."""
        return self.record["brain_voxels"]


class PreparedCohort(Sequence):
    """Prepared cases and the parameters they were all prepared with."""

    def __init__(self, cases: Iterable[PreparedCase], *, folder: str | Path, preparation: dict) -> None:
        self.cases = tuple(cases)
        self.folder = Path(folder)
        self.preparation = preparation

    @classmethod
    def open(cls, folder: str | Path) -> PreparedCohort:
        """Open a folder that `mstl prepare` wrote.

        Raises `InputError` where it is not one or not finished, or its cases were not all prepared alike.
        """
        folder = Path(folder)
        if not (folder / PREPARATION).exists():
            raise InputError(f"{folder} is no prepared folder (no {PREPARATION}). Make it by 'mstl prepare'.")
        if not (folder / COHORT).exists():
            raise InputError(f"{folder} is not finished (no {COHORT}). Run 'mstl prepare' into it again.")
        cohort = Cohort.from_csv(folder / COHORT, files_exist=False)
        cases = [PreparedCase(folder / case.name) for case in cohort]
        preparation = read_json(folder / PREPARATION)
        for case in cases:
            if case.record.get("preparation") != preparation:
                raise InputError(
                    f"Case {case.name} in {folder} was prepared with other parameters than the folder "
                    "states. Run 'mstl prepare' into it again."
                )
        return cls(cases, folder=folder, preparation=preparation)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> PreparedCase:
        return self.cases[index]

    def __iter__(self) -> Iterator[PreparedCase]:
        return iter(self.cases)

    def __repr__(self) -> str:
        size = f"{len(self.cases)} cases of {len(self.subjects)} subjects"
        return f"PreparedCohort({size} in {str(self.folder)!r})"

    @property
    def labels(self) -> tuple[int, ...]:
        """Values that stand for class 1, 2, ... in masks of the scanner's grid; () for masks of 0 and 1."""
        return tuple(self.preparation.get("labels", ()))

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Every subject once, in the order of the cases."""
        return tuple(dict.fromkeys(case.subject for case in self.cases))

    def select(self, subjects: Iterable[str]) -> PreparedCohort:
        """The cases of `subjects`, all sessions of each; raises `InputError` for one that is not here."""
        wanted = {subjects} if isinstance(subjects, str) else set(subjects)
        unknown = sorted(wanted.difference(self.subjects))
        if unknown:
            raise InputError(
                f"Subjects {', '.join(unknown)} are not in {self.folder}, which holds "
                f"{', '.join(self.subjects)}. Check the names."
            )
        cases = [case for case in self.cases if case.subject in wanted]
        return PreparedCohort(cases, folder=self.folder, preparation=self.preparation)

    def split(self, *, ratios: Sequence[float], seed: int = 0) -> tuple[PreparedCohort, ...]:
        """Split by subject into sides of `ratios` (sum 1), balanced by lesion volume, drawn by `seed`."""
        with self._named():
            sides = split_subjects(self.lesion_ml_by_subject(), ratios=ratios, seed=seed)
        return tuple(self.select(side) for side in sides)

    def folds(self, k: int, *, seed: int = 0) -> list[tuple[PreparedCohort, PreparedCohort]]:
        """`k` pairs (training, test) in which every subject is tested once."""
        with self._named():
            sides = fold_subjects(self.lesion_ml_by_subject(), k, seed=seed)
        return [(self.select(set(self.subjects).difference(side)), self.select(side)) for side in sides]

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise InputError(f"{self.folder}: {error}") from None

    def lesion_ml_by_subject(self) -> dict[str, float]:
        """Lesion volume of each subject in ml, summed over its sessions."""
        volumes = dict.fromkeys(self.subjects, 0.0)
        for case in self.cases:
            volumes[case.subject] += case.lesion_ml
        return volumes


def to_native(data: np.ndarray, case: PreparedCase, *, nearest: bool = False) -> Volume:
    """Bring an array on the prepared grid `(D, H, W)` back to the grid of the case's reference scan.

    Probabilities (float) are interpolated linearly; pass `nearest=True` for masks. Outside is 0. Raises
    `InputError` where `data` has another shape than the prepared case.
    """
    if data.shape != case.shape:
        raise InputError(f"Array of shape {data.shape} is not of case {case.name}, which has {case.shape}.")
    values = resample(np.ascontiguousarray(data), case.grid, case.native_grid, nearest=nearest)
    return Volume(values, case.native_grid.affine)


def _grid(record: dict) -> Grid:
    return Grid(tuple(record["shape"]), np.asarray(record["affine"], dtype=float))
