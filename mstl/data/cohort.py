"""Cases and cohorts: which scans and masks belong to whom, read from a CSV or found on disk, split by subject."""
from __future__ import annotations

import csv
import difflib
import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mstl.data.layouts import find_files, find_layout
from mstl.data.splits import fold_subjects, split_subjects
from mstl.errors import InputError
from mstl.files import write_text

MODALITIES = ("flair", "t1", "t1ce", "t2")
FILES = (*MODALITIES, "mask", "brain_mask")
COLUMNS = ("subject", "session", "dataset", *FILES)

_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]|^\.|^\s|\s$')


@dataclass(frozen=True)
class Case:
    """One session of a subject: paths of its scans by modality, of its lesion mask and its brain mask.

    Raises `InputError` where there is no image, a modality is unknown, or the name cannot be a file's name.
    """

    subject: str
    session: str = ""
    dataset: str = ""
    images: Mapping[str, Path] = field(default_factory=dict, hash=False)
    mask: Path | None = None
    brain_mask: Path | None = None

    def __post_init__(self):
        if not self.subject:
            raise InputError("A case has no subject. Give each case the name of its subject.")
        for what, name in (("Subject", self.subject), ("Session", self.session)):
            if _UNSAFE.search(name):
                raise InputError(
                    f"{what} {name!r} cannot be part of a file name. Rename it without slashes, colons, quotes, "
                    "wildcards, a leading dot or blanks at its ends."
                )
        _check_modalities(self.images)
        if not self.images:
            raise InputError(
                f"Case {self.name} has no image. Give it at least one of {', '.join(MODALITIES)}, or remove it."
            )
        images = {name: Path(self.images[name]) for name in MODALITIES if name in self.images}
        object.__setattr__(self, "images", images)
        for name in ("mask", "brain_mask"):
            path = getattr(self, name)
            object.__setattr__(self, name, None if path is None else Path(path))

    @property
    def name(self) -> str:
        """`subject`, or `subject_session` where there is a session: unique in a cohort, safe in file names."""
        return f"{self.subject}_{self.session}" if self.session else self.subject

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities of this case, in the order flair, t1, t1ce, t2."""
        return tuple(self.images)

    @property
    def files(self) -> dict[str, Path]:
        """Every file of the case by column name: the images, then mask and brain_mask where present."""
        masks = {"mask": self.mask, "brain_mask": self.brain_mask}
        return {**self.images, **{name: path for name, path in masks.items() if path is not None}}


def case_of(files: Mapping[str, str | Path], *, subject: str, session: str = "", dataset: str = "") -> Case:
    """Case of files by column name (flair, t1, t1ce, t2, mask, brain_mask)."""
    images = {name: path for name, path in files.items() if name not in ("mask", "brain_mask")}
    return Case(subject, session, dataset, images, files.get("mask"), files.get("brain_mask"))


@dataclass(frozen=True, repr=False)
class Cohort(Sequence):
    """An immutable sequence of cases with unique names; splits keep all sessions of a subject together.

    Raises `InputError` where two cases have one name.
    """

    cases: tuple[Case, ...]

    def __init__(self, cases: Iterable[Case]):
        object.__setattr__(self, "cases", tuple(cases))
        seen = set()
        for case in self.cases:
            if case.name in seen:
                raise InputError(
                    f"Two cases are named {case.name}. Give sessions of one subject different session names."
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
    def from_csv(cls, path: str | Path) -> Cohort:
        """Read a cohort from a CSV; paths are relative to its folder, an empty cell means absent.

        Columns: subject (needed), session, dataset, flair, t1, t1ce, t2, mask, brain_mask. Raises `InputError`
        naming file, line and column for whatever is wrong, a file that does not exist included.
        """
        cases: dict[str, tuple[Case, int]] = {}
        for line, row in _read_rows(Path(path)):
            try:
                case = _case_of_row(row, Path(os.path.realpath(Path(path).parent)))
            except InputError as error:
                raise InputError(f"{path}, line {line}: {error}") from None
            if case.name in cases:
                raise InputError(
                    f"{path}: lines {cases[case.name][1]} and {line} both name case {case.name}. "
                    "Remove one, or give them different sessions."
                )
            cases[case.name] = case, line
        if not cases:
            raise InputError(f"{path} lists no case. Add a line for each case below the header.")
        return cls(case for case, _ in cases.values())

    @classmethod
    def from_glob(cls, root: str | Path, *, patterns: Mapping[str, str], dataset: str = "") -> Cohort:
        """Find cases below `root` by one pattern a column, such as `{"flair": "{subject}/*flair*.nii.gz"}`.

        Patterns may hold `{subject}`, `{session}` (in all or in none) and `*`; see `layouts.find_files`. A case
        may lack a modality. Raises `InputError` where a pattern finds nothing, or two files for one case.
        """
        _check_patterns(patterns)
        _check_folder(root)
        found = _find_cases(root, patterns)
        for column, pattern in patterns.items():
            if not any(column in files for files in found.values()):
                raise InputError(f"No file below {root} matches {column} pattern {pattern!r}. Check both.")
        return cls(_named_cases(found, dataset))

    @classmethod
    def from_layout(cls, root: str | Path, *, layout: str) -> Cohort:
        """Find the cases of a public set below `root` by its layout's name, such as "open-ms".

        Raises `InputError` for an unknown layout (listing the known) and where nothing of it is found.
        """
        known = find_layout(layout)
        _check_folder(root)
        for folder in known.folders:
            if found := _find_cases(Path(root) / folder, known.patterns):
                return cls(_named_cases(found, known.dataset))
        wanted = ", ".join(known.patterns.values())
        raise InputError(f"Nothing below {root} is laid out as {layout} ({wanted}). Check root and layout.")

    def to_csv(self, path: str | Path) -> None:
        """Write the cohort as CSV, whole or not at all, paths relative to its folder."""
        folder = os.path.realpath(Path(path).parent)
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for case in self.cases:
            files = {name: _relative(file, folder) for name, file in case.files.items()}
            writer.writerow(dict(subject=case.subject, session=case.session, dataset=case.dataset, **files))
        write_text(path, text.getvalue())

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects, in order of appearance."""
        return tuple(dict.fromkeys(case.subject for case in self.cases))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that every case has, in the order flair, t1, t1ce, t2."""
        return tuple(m for m in MODALITIES if self.cases and all(m in case.images for case in self.cases))

    def require(self, modalities: Iterable[str]) -> None:
        """Raise `InputError` naming the first case that lacks one of `modalities`."""
        modalities = tuple(modalities)
        _check_modalities(modalities)
        for case in self.cases:
            if missing := [name for name in modalities if name not in case.images]:
                raise InputError(
                    f"Case {case.name} has no {', '.join(missing)}, only {', '.join(case.modalities)}. "
                    "Ask for fewer modalities, or remove the case."
                )

    def select(self, subjects: Iterable[str]) -> Cohort:
        """All cases of these subjects, in the order of this cohort; raises `InputError` for an unknown one."""
        wanted = {subjects} if isinstance(subjects, str) else set(subjects)
        if unknown := sorted(wanted.difference(self.subjects)):
            raise InputError(
                f"No case of subject {', '.join(unknown)} in this cohort of {', '.join(self.subjects)}. "
                "Check the names."
            )
        return Cohort(case for case in self.cases if case.subject in wanted)

    def split(self, *, ratios: Sequence[float], seed: int = 0) -> tuple[Cohort, ...]:
        """Divide by subject into one cohort a ratio, balanced by lesion volume; see `splits.split_subjects`."""
        sides = split_subjects(self.lesion_volumes(), ratios=ratios, seed=seed)
        return tuple(self.select(side) for side in sides)

    def folds(self, k: int, *, seed: int = 0) -> list[tuple[Cohort, Cohort]]:
        """`k` pairs (train, test) by subject, every subject in one test; see `splits.fold_subjects`."""
        tests = fold_subjects(self.lesion_volumes(), k, seed=seed)
        return [(self.select(set(self.subjects).difference(test)), self.select(test)) for test in tests]

    def lesion_volumes(self) -> dict[str, float]:
        """Lesion volume in ml of each subject, summed over its sessions; a case without a mask counts 0."""
        volumes = dict.fromkeys(self.subjects, 0.0)
        for case in self.cases:
            if case.mask is not None:
                volumes[case.subject] += _lesion_ml(case.mask)
        return volumes


def _lesion_ml(path: Path) -> float:
    from mstl.data.volume import read_volume  # nibabel is loaded only where a mask is read

    volume = read_volume(path)
    voxel_mm3 = abs(np.linalg.det(volume.affine[:3, :3]))
    return float(np.count_nonzero(volume.data >= 0.5) * voxel_mm3 / 1000)


def _check_modalities(modalities: Iterable[str]) -> None:
    for name in modalities:
        if name not in MODALITIES:
            raise InputError(f"Modality {name!r} is unknown{_nearest(name, MODALITIES)}. Use one of {', '.join(MODALITIES)}.")


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _check_folder(root: str | Path) -> None:
    if not Path(root).is_dir():
        raise InputError(f"{root} is not a folder. Give the folder that holds the scans.")


def _check_patterns(patterns: Mapping[str, str]) -> None:
    for column in patterns:
        if column not in FILES:
            raise InputError(f"{column!r} takes no pattern{_nearest(column, FILES)}. Use {', '.join(FILES)}.")
    if not set(patterns).intersection(MODALITIES):
        raise InputError(f"No pattern of an image given. Give at least one of {', '.join(MODALITIES)}.")
    if len({"{session}" in pattern for pattern in patterns.values()}) > 1:
        raise InputError("Some patterns have {session}, some have not. Put it into all of them, or into none.")


def _find_cases(root: str | Path, patterns: Mapping[str, str]) -> dict[tuple[str, str], dict[str, Path]]:
    """Files by (subject, session) and column."""
    cases: dict[tuple[str, str], dict[str, Path]] = {}
    for column, pattern in patterns.items():
        for subject, session, path in find_files(root, pattern):
            files = cases.setdefault((subject, session), {})
            if column in files:
                raise InputError(
                    f"Two files are {column} of {' '.join(filter(None, (subject, session)))}: {files[column]} and "
                    f"{path}. Narrow the pattern {pattern!r}, or remove one."
                )
            files[column] = path
    return cases


def _named_cases(found: Mapping[tuple[str, str], Mapping[str, Path]], dataset: str) -> Iterator[Case]:
    for (subject, session), files in sorted(found.items()):
        yield case_of(files, subject=subject, session=session, dataset=dataset)


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows of a cohort CSV with their line numbers, columns checked, empty rows left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            _check_columns(path, reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Check the path, or make it with 'mstl index'.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}). Save it as comma-separated UTF-8 text.") from error
    for line, row in rows:
        if None in row:
            raise InputError(f"{path}, line {line}: more cells than columns. Put quotes around cells with a comma.")
    return [(line, row) for line, row in rows if any(cell.strip() for cell in row.values())]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise InputError(
                f"{path}: unknown column {column!r}{_nearest(column, COLUMNS)}. Rename or remove it; the columns "
                f"are {', '.join(COLUMNS)}, separated by commas."
            )
        if columns.count(column) > 1:
            raise InputError(f"{path}: column {column!r} is there twice. Remove one.")
    if "subject" not in columns:
        raise InputError(f"{path}: column 'subject' is missing. Add it, with a subject's name in every line.")


def _case_of_row(row: Mapping[str, str], folder: Path) -> Case:
    row = {column: cell.strip() for column, cell in row.items()}
    if not row["subject"]:
        raise InputError("column 'subject' is empty. Fill in the subject's name.")
    files = {}
    for column in FILES:
        if row.get(column):
            files[column] = Path(os.path.normpath(folder / row[column]))
            if not files[column].is_file():
                raise InputError(f"{column} file {files[column]} does not exist. Correct the path, or leave it empty.")
    return case_of(files, subject=row["subject"], session=row.get("session", ""), dataset=row.get("dataset", ""))


def _relative(path: Path, folder: str) -> str:
    """`path` as seen from `folder`; absolute where the two share no root (drives of Windows)."""
    absolute = Path(os.path.realpath(path.parent)) / path.name
    try:
        return Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:
        return absolute.as_posix()
