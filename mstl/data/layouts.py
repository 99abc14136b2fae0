"""How files lie on disk: patterns with `{subject}` and `{session}`, and the trees of public sets.

A new public set is one entry of `LAYOUTS`.
"""
from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mstl.errors import InputError

_TOKEN = re.compile(r"(\{subject\}|\{session\}|\*)")


@dataclass(frozen=True)
class Layout:
    """The tree of a public set: patterns of its files, and the folders below a root where they may begin."""

    dataset: str
    patterns: Mapping[str, str]
    folders: tuple[str, ...] = ("",)


LAYOUTS: dict[str, Layout] = {
    # Lesjak et al. 2017, doi 10.1007/s12021-017-9348-7; tree of github.com/muschellij2/open_ms_data
    "open-ms": Layout(
        dataset="open-ms",
        patterns={
            "flair": "{subject}/FLAIR_*.nii.gz",
            "t1": "{subject}/T1_*.nii.gz",
            "t1ce": "{subject}/T1POST_*.nii.gz",
            "t2": "{subject}/T2_*.nii.gz",
            "mask": "{subject}/GOLD_STANDARD_*.nii.gz",
        },
        folders=("cross_sectional/MNI", "MNI", ""),
    ),
}


def find_layout(name: str) -> Layout:
    """Layout of that name; raises `InputError` that lists the known names."""
    if name not in LAYOUTS:
        raise InputError(
            f"Layout {name!r} is unknown. Choose one of {', '.join(LAYOUTS)}, or give your own file patterns."
        )
    return LAYOUTS[name]


def find_cases(
    root: str | Path, patterns: Mapping[str, str]
) -> dict[tuple[str, str], dict[str, Path]]:
    """Files below `root` by (subject, session), then by the column whose pattern they match.

    Raises `InputError` naming both where two files of a case match one column.
    """
    cases: dict[tuple[str, str], dict[str, Path]] = {}
    for column, pattern in patterns.items():
        for subject, session, path in find_files(root, pattern):
            files = cases.setdefault((subject, session), {})
            if column in files:
                case = f"subject {subject}" + (f", session {session}" if session else "")
                raise InputError(
                    f"Two files match {column} pattern {pattern!r} for {case}: {files[column]} and {path}. "
                    "Narrow the pattern, or remove one."
                )
            files[column] = path
    return cases


def find_files(root: str | Path, pattern: str) -> Iterator[tuple[str, str, Path]]:
    """Yield (subject, session, path) of the files below `root` that match `pattern`, sorted by path.

    `{subject}` and `{session}` stand for a name without a slash, the same wherever it is repeated; `*` for
    any characters but a slash; the rest is literal, upper and lower case kept apart. Session is "" where
    the pattern has none. Hidden files and folders are left out. Raises `InputError` for a pattern that is
    not relative, lacks `{subject}`, or cannot tell where a name ends.
    """
    tokens = _tokens(pattern)
    root = Path(root)
    expression = _expression(tokens)
    shape = "".join("*" if _TOKEN.fullmatch(token) else glob.escape(token) for token in tokens)
    for path in sorted(root.glob(shape)):
        relative = path.relative_to(root)
        found = expression.fullmatch(relative.as_posix())
        if found and path.is_file() and not any(part.startswith(".") for part in relative.parts):
            names = found.groupdict()
            yield names["subject"], names.get("session", ""), path


def _tokens(pattern: str) -> list[str]:
    """Cut a pattern into literals, names and stars, checked."""
    tokens = [token for token in _TOKEN.split(pattern) if token]
    problem = None
    if "{subject}" not in tokens:
        problem = "has no {subject}"
    elif Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        problem = "is not relative to the root"
    elif any("{" in token or "}" in token for token in tokens if not _TOKEN.fullmatch(token)):
        problem = "has braces around something else than subject or session"
    elif any(_TOKEN.fullmatch(a) and _TOKEN.fullmatch(b) for a, b in pairwise(tokens)):
        problem = "joins names or stars with nothing between them"
    if problem:
        raise InputError(
            f"Pattern {pattern!r} {problem}. Write one such as '{{subject}}/{{session}}/*flair*.nii.gz'."
        )
    return tokens


def _expression(tokens: list[str]) -> re.Pattern[str]:
    """Regular expression of a whole relative path; a name that comes again must be the same."""
    parts, seen = [], set()
    for token in tokens:
        if token == "*":
            parts.append("[^/]*")
        elif token in ("{subject}", "{session}"):
            name = token[1:-1]
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
            seen.add(name)
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts))
