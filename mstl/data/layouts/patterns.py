"""Patterns of paths that people write themselves, with `{subject}`, `{session}`, `{modality}` and `*`."""
from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from mstl.data.formats.pictures import PICTURES
from mstl.data.layouts.found import CONSENSUS, SUFFIXES, Findings, Found, LeftOut, scan_files
from mstl.data.layouts.words import COLUMN_OF, best_word, expression_of
from mstl.errors import InputError

_TOKEN = re.compile(r"(\{subject\}|\{session\}|\{modality\}|\*)")


def find_by_patterns(root: str | Path, patterns: str | Mapping[str, str]) -> Findings:
    """Files below `root` by one pattern that holds `{modality}`, or by one pattern a column.

    `{modality}` stands for a usual name of a modality or mask (`words`), in upper or lower case, with no letter or
    digit beside it. Raises `InputError` for a pattern that cannot work, and where one of several finds nothing.
    """
    findings = Findings()
    if isinstance(patterns, str):
        findings.files.extend(_find_by_words(Path(root), patterns))
    else:
        for column, pattern in patterns.items():
            if "{modality}" in pattern:
                raise InputError(f"Pattern {pattern!r} of {column} has {{modality}}. Give it alone, without {column}=.")
            found = [Found(path, column, name, session) for name, session, path in find_files(root, pattern)]
            if not found:
                raise InputError(f"No file below {root} matches {column} pattern {pattern!r}. {one_file_of(root)}")
            findings.files.extend(found)
    used = {file.path for file in findings.files}
    findings.left_out.extend(LeftOut(path, "matches no pattern") for path in _scans(root, patterns) if path not in used)
    return findings


def _scans(root: str | Path, patterns: str | Mapping[str, str]) -> list[Path]:
    """Scans below `root`; pictures are some where a pattern ends as one: beside other scans they are previews."""
    texts = [patterns] if isinstance(patterns, str) else patterns.values()
    wanted = tuple(suffix for suffix in PICTURES if any(text.lower().endswith(suffix) for text in texts))
    return scan_files(root, (*SUFFIXES, *wanted))


def one_file_of(root: str | Path) -> str:
    """A sentence that shows how the files below `root` lie, for patterns that fit none of them."""
    path = next(iter(scan_files(Path(root), (*SUFFIXES, *PICTURES))), None)
    return f"A file there is {path.relative_to(root).as_posix()!r}." if path else "There is no scan below it."


def _find_by_words(root: Path, pattern: str) -> Iterator[Found]:
    """The files of a pattern with `{modality}`, each by the word that says most (`words.best_word`)."""
    tokens = _tokens(pattern)
    if tokens.count("{modality}") != 1:
        raise InputError(
            f"Pattern {pattern!r} has {{modality}} {tokens.count('{modality}')} times; once is expected. Write one "
            "such as '{subject}/{session}/*{modality}*.nii.gz', or one a column, 'flair={subject}/*flair*.nii.gz'."
        )
    expressions = {word: _expression(tokens, word=word) for word in COLUMN_OF}
    for path in _scans(root, pattern):
        relative = path.relative_to(root).as_posix()
        matches = {word: match for word, regex in expressions.items() if (match := regex.fullmatch(relative))}
        if matches:
            word, column = best_word({word: match.start("modality") for word, match in matches.items()})
            names = matches[word].groupdict()
            rater = names.get("rater") or (CONSENSUS if CONSENSUS in word else "1")
            yield Found(path, column, names["subject"], names.get("session") or "", rater)


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
    """Cut a pattern into literals, names and stars, checked; only a star may touch `{modality}`."""
    tokens = [token for token in _TOKEN.split(pattern) if token]
    problem = None
    if "{subject}" not in tokens:
        problem = "has no {subject}"
    elif Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        problem = "is not relative to the root"
    elif any("{" in token or "}" in token for token in tokens if not _TOKEN.fullmatch(token)):
        problem = "has braces around something else than subject, session or modality"
    elif any(_TOKEN.fullmatch(a) and _TOKEN.fullmatch(b) for a, b in pairwise(tokens) if {a, b} != {"*", "{modality}"}):
        problem = "joins names or stars with nothing between them"
    if problem:
        raise InputError(
            f"Pattern {pattern!r} {problem}. Write one such as '{{subject}}/{{session}}/*flair*.nii.gz'."
        )
    return tokens


def _expression(tokens: list[str], *, word: str = "") -> re.Pattern[str]:
    """Regular expression of a whole relative path; a name that comes again must be the same.

    `word` is what `{modality}` stands for, then at its first place.
    """
    parts, seen = [], set()
    for token in tokens:
        if token == "*":
            parts.append("[^/]*?" if word else "[^/]*")
        elif token == "{modality}":
            parts.append(f"(?<![A-Za-z0-9])(?i:(?P<modality>{expression_of(word)}))(?![A-Za-z0-9])")
        elif token in ("{subject}", "{session}"):
            name = token[1:-1]
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+)")
            seen.add(name)
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts))
