"""What a layout finds: files with their part in a case, files left out with the reason, and the rules that tell."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mstl.data.case import MASKS, MR_MODALITIES
from mstl.errors import InputError

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".mgh", ".mgz", ".hdr")
CONSENSUS = "consensus"
OTHER_MODALITY = f"of another modality than {', '.join(MR_MODALITIES)}"
UNKNOWN_NAME = "its name is none of this layout"


@dataclass(frozen=True)
class Found:
    """A file and its part: which column of which subject and session, by which rater where it is a lesion mask.

    `session` None stands for every session of the subject. `variants` are the trees of a set whose images the file
    lies on, its own first; empty for all.
    """

    path: Path
    column: str
    subject: str
    session: str | None = ""
    rater: str = "1"
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A file that looks like a scan and is not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Findings:
    """What lies below a root, and what there is to say about it."""

    files: list[Found] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """The tree of a public set or a convention: how to read it, a path of it, its variants, the usual one first.

    `remark` is said where masks are found; `warnings` of a variant where it is asked for.
    """

    find: Callable[[Path], Findings]
    example: str
    variants: tuple[str, ...] = ()
    remark: str = ""
    warnings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """How the paths of one kind of file end, and what the files are.

    `expression` has a group `subject`, may have `session` and `rater`; `column` is a column, "" for files to leave
    out for `reason`, or a table by the text of the group `what` in lower case. `every_session`: one file for all.
    """

    expression: str
    column: str | Mapping[str, str]
    variants: tuple[str, ...] = ()
    rater: str = "1"
    reason: str = OTHER_MODALITY
    every_session: bool = False

    def read(self, path: Path, stem: str) -> Found | LeftOut | None:
        """What the file is, None where this rule says nothing of it; `stem` is its path without suffix."""
        match = re.search(f"(?:^|/){self.expression}$", stem, re.IGNORECASE)
        if match is None:
            return None
        groups = match.groupdict()
        column = self.column if isinstance(self.column, str) else self.column.get(groups["what"].lower(), "")
        if not column:
            return LeftOut(path, self.reason)
        subject = groups["subject"].replace("/", "_")
        session = None if self.every_session else groups.get("session") or ""
        return Found(path, column, subject, session, groups.get("rater") or self.rater, self.variants)


def by_rules(*rules: Rule) -> Callable[[Path], Findings]:
    """Reader of a tree: each file is what the first of `rules` that knows its path says."""
    return partial(_find_by_rules, rules)


def scan_files(root: str | Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Files below `root` that a scan may be, by their suffix, sorted; hidden ones left out, linked folders followed."""
    seen = set()
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        names = [] if real in seen else names
        seen.add(real)
        found += [Path(folder, name) for name in names if suffix_of(name, suffixes) and not name.startswith(".")]
    return sorted(path for path in found if path.is_file())


def suffix_of(name: str, suffixes: tuple[str, ...] = SUFFIXES) -> str:
    """The suffix of a scan's file name, such as `.nii.gz`, as it is written; "" where it has none."""
    length = max((len(suffix) for suffix in suffixes if name.lower().endswith(suffix)), default=0)
    return name[len(name) - length :]


def stem_of(path: Path) -> str:
    """Absolute path with forward slashes, without the suffix: so a tree is known from whichever folder it is read."""
    absolute = Path(os.path.abspath(path)).as_posix()
    return absolute.removesuffix(suffix_of(absolute))


def check_folder(root: str | Path) -> None:
    """Raise `InputError` unless `root` is a folder."""
    if not Path(root).is_dir():
        raise InputError(f"{root} is not a folder. Give the folder that holds the scans.")


def has_image(files: Iterable[Found]) -> bool:
    """Whether there is more than masks."""
    return any(file.column not in MASKS for file in files)


def _find_by_rules(rules: Iterable[Rule], root: Path) -> Findings:
    findings = Findings()
    for path in scan_files(root):
        stem = stem_of(path)
        read = next((what for rule in rules if (what := rule.read(path, stem))), LeftOut(path, UNKNOWN_NAME))
        (findings.files if isinstance(read, Found) else findings.left_out).append(read)
    return findings
