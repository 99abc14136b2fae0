"""A case: one session of a subject, with the paths of its scans and masks."""
from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mstl.errors import InputError

MR_MODALITIES = ("flair", "t1", "t1ce", "t2")
MODALITIES = (*MR_MODALITIES, "oct")  # optical coherence tomography, of the retina
MASKS = ("mask", "brain_mask")
FILES = (*MODALITIES, *MASKS)

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
                    f"{what} {name!r} cannot be part of a file name. Rename it without slashes, colons, "
                    "quotes, wildcards, a leading dot or blanks at its ends."
                )
        check_modalities(self.images)
        if not self.images:
            raise InputError(
                f"Case {self.name} has no image. Give it one of {', '.join(MODALITIES)}, or remove it."
            )
        images = {name: Path(self.images[name]) for name in MODALITIES if name in self.images}
        object.__setattr__(self, "images", images)
        for name in MASKS:
            path = getattr(self, name)
            object.__setattr__(self, name, None if path is None else Path(path))

    @classmethod
    def of_files(
        cls, files: Mapping[str, str | Path], *, subject: str, session: str = "", dataset: str = ""
    ) -> Case:
        """Case of files by column: flair, t1, t1ce, t2, oct, mask, brain_mask."""
        images = {name: path for name, path in files.items() if name not in MASKS}
        return cls(subject, session, dataset, images, files.get("mask"), files.get("brain_mask"))

    @property
    def name(self) -> str:
        """`subject`, or `subject_session` where there is a session; unique in a cohort, fit for files."""
        return f"{self.subject}_{self.session}" if self.session else self.subject

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities of this case, in the order flair, t1, t1ce, t2, oct."""
        return tuple(self.images)

    @property
    def files(self) -> dict[str, Path]:
        """Every file of the case by column: its images, then mask and brain_mask where present."""
        masks = {name: getattr(self, name) for name in MASKS}
        return {**self.images, **{name: path for name, path in masks.items() if path is not None}}


def columns_of(cases: Iterable[Case]) -> tuple[str, ...]:
    """Columns of files that a table of cases has: modalities other than of MR only where a case has one."""
    used = {column for case in cases for column in case.files}
    return tuple(column for column in FILES if column in (*MR_MODALITIES, *MASKS) or column in used)


def check_modalities(modalities: Iterable[str], *, known: Sequence[str] = MODALITIES) -> None:
    """Raise `InputError` for a name that is not `known`."""
    for name in modalities:
        if name not in known:
            raise InputError(f"Modality {name!r} is unknown{nearest(name, known)}. Use {', '.join(known)}.")


def nearest(name: str, known: Sequence[str]) -> str:
    """` (did you mean 'flair'?)` for a name close to a known one, else nothing: a part of messages."""
    close = difflib.get_close_matches(name.strip().lower(), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
