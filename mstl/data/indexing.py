"""From a folder of scans to cases: by a layout's name, one variant of its images, one rater's masks."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from mstl.data.case import FILES, MODALITIES, Case, nearest
from mstl.data.layouts import GLOB, LAYOUTS, find_layout
from mstl.data.layouts.found import CONSENSUS, UNKNOWN_NAME, Findings, Found, LeftOut, check_folder, has_image
from mstl.data.layouts.patterns import find_by_patterns, one_file_of
from mstl.data.layouts.variants import Key, key_of, of_one_variant
from mstl.errors import InputError

COMPUTED = ("majority", "staple")  # masks made of those of all raters, by the rules of `mstl.data.raters`


@dataclass(frozen=True)
class Index:
    """The cases below a folder, with the masks of each rater by case, what was left out, and what is to be said."""

    cases: tuple[Case, ...]
    raters: Mapping[str, Mapping[str, Path]]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


def index_scans(
    root: str | Path,
    *,
    layout: str,
    variant: str = "",
    rater: str = "",
    patterns: str | Mapping[str, str] | None = None,
) -> Index:
    """Find the cases below `root` by a layout's name: one of `LAYOUTS`, or "glob" for the user's own `patterns`.

    `variant` is one of the trees that a set comes in (default: the layout's first that has images). `rater` is a
    number, "consensus", or one of `COMPUTED`, which leaves masks to `write_consensus`; default: the published
    consensus, else the first rater. `patterns`: with "glob" one text with `{modality}`, or one a column
    (`layouts.patterns`); with others, by column, what the path below `root` looks like where several files match it,
    such as `*acq-3D*`. Raises `InputError` for unknown names, where nothing is found, and where two files remain for
    one column.
    """
    root = Path(root)
    check_folder(root)
    if layout == GLOB:
        findings, order, narrowing = _by_patterns(root, patterns), (), None
    else:
        known = find_layout(layout)
        narrowing = _narrowing(patterns)
        findings, order = known.find(root), known.variants
        if not has_image(findings.files):
            raise InputError(_nothing_found(root, layout, known.example, findings.left_out))
        if known.remark and any(file.column == "mask" for file in findings.files):
            findings.notes.append(known.remark)
    files, left_out, notes = of_one_variant(findings, order, variant)
    if narrowing is not None and variant.lower() in known.warnings:
        notes = [*notes, known.warnings[variant.lower()]]
    unique = _without_doubles(files, root, narrowing)
    dataset = "" if layout == GLOB else layout
    return _assemble(unique, dataset, rater, left_out=findings.left_out + left_out, notes=findings.notes + notes)


def _by_patterns(root: Path, patterns: str | Mapping[str, str] | None) -> Findings:
    if patterns is None or patterns == "":
        raise InputError("Layout glob needs a pattern, such as '{subject}/{session}/*{modality}*.nii.gz'.")
    if not isinstance(patterns, str):
        check_patterns(patterns)
    findings = find_by_patterns(root, patterns)
    if not has_image(findings.files):
        raise InputError(f"No image below {root} matches pattern {patterns!r}. {one_file_of(root)}")
    return findings


def check_patterns(patterns: Mapping[str, str]) -> None:
    """Raise `InputError` unless patterns are of known columns, one of an image, and all or none have `{session}`."""
    _check_columns(patterns)
    if not set(patterns).intersection(MODALITIES):
        raise InputError(f"No pattern of an image given. Give at least one of {', '.join(MODALITIES)}.")
    if len({"{session}" in pattern for pattern in patterns.values()}) > 1:
        raise InputError("Some patterns have {session}, some have not. Put it into all, or into none.")


def _check_columns(patterns: Iterable[str]) -> None:
    for column in patterns:
        if column not in FILES:
            raise InputError(f"{column!r} takes no pattern{nearest(column, FILES)}. Use {', '.join(FILES)}.")


def _narrowing(patterns: str | Mapping[str, str] | None) -> Mapping[str, str]:
    if isinstance(patterns, str):
        raise InputError(f"Pattern {patterns!r} names no column. Write 't1=*acq-3D*', or choose layout glob.")
    _check_columns(patterns or {})
    return patterns or {}


def _nothing_found(root: Path, layout: str, example: str, left_out: Iterable[LeftOut]) -> str:
    """What to say where a tree is not of the layout: what was sought, what was left out, which layouts it may be of."""
    fitting = []
    for name, other in LAYOUTS.items():
        with suppress(InputError):
            if has_image(other.find(root).files):
                fitting.append(name)
    known = next((item for item in left_out if item.reason != UNKNOWN_NAME), None)
    seen = f"{known.path.name} for one was left out: {known.reason}. " if known else ""
    hint = f"It looks like {' or '.join(fitting)}." if fitting else f"{seen}Check root and layout."
    return f"Nothing below {root} is laid out as {layout} (such as {example}). {hint}"


def _without_doubles(files: list[Found], root: Path, narrowing: Mapping[str, str] | None) -> list[Found]:
    """One file a case, column and rater, by the patterns of `narrowing` where there are several; None: no choice."""
    groups: dict[Key, list[Found]] = {}
    for file in files:
        groups.setdefault(key_of(file), []).append(file)
    unique = []
    for (subject, session, column, _), found in groups.items():
        if len(found) > 1 and narrowing and column in narrowing:
            fitting = [file for file in found if fnmatchcase(file.path.relative_to(root).as_posix(), narrowing[column])]
            found = fitting or found
        if len(found) > 1:
            case = f"subject {subject}" + (f", session {session}" if session else "")
            first, second = (file.path.relative_to(root).as_posix() for file in found[:2])
            raise InputError(
                f"Two files match {column} for {case}: {found[0].path} and {found[1].path}. "
                + (
                    "Write more of the name into your pattern, so that it fits one of them."
                    if narrowing is None
                    else f"Choose by a pattern, such as --pattern '{column}={_difference(first, second)}', "
                    "give a sub-folder as root, or remove one."
                )
            )
        unique.extend(found)
    return unique


def _difference(path: str, other: str) -> str:
    """A pattern that `path` matches and `other` does not."""
    ends = re.compile("(?<=[/_])|(?=[/_])")
    known = ends.split(other)
    parts = [part for part in ends.split(path)]
    new = next((part for part in parts[:-1] if part not in known), "")
    return f"*{new}*" if new and new not in other else f"*{path.rpartition('/')[2]}"


def _assemble(files: list[Found], dataset: str, rater: str, *, left_out: list[LeftOut], notes: list[str]) -> Index:
    """Cases of files that are unique, each with the mask that `rater` asks for."""
    columns: dict[tuple[str, str], dict[str, Path]] = {}
    raters: dict[tuple[str, str], dict[str, Path]] = {}
    for file in _on_every_session(files):
        place = (file.subject, file.session or "")
        case = columns.setdefault(place, {})
        if file.column == "mask":
            raters.setdefault(place, {})[file.rater] = file.path
        else:
            case[file.column] = file.path
    chosen, rater_notes = _chosen_masks(raters, rater)
    cases, by_name = [], {}
    for place, found in sorted(columns.items()):
        masks = raters.get(place, {})
        if not set(found).intersection(MODALITIES):
            paths = [*found.values(), *masks.values()]
            left_out = left_out + [LeftOut(path, "no image of its case is here") for path in paths]
            continue
        mask = {"mask": chosen[place]} if place in chosen else {}
        case = Case.of_files({**found, **mask}, subject=place[0], session=place[1], dataset=dataset)
        cases.append(case)
        by_name[case.name] = masks
        other = [path for path in masks.values() if path != case.mask and rater not in COMPUTED]
        left_out = left_out + [LeftOut(path, "a mask by another rater") for path in other]
    return Index(tuple(cases), by_name, tuple(left_out), tuple(notes + rater_notes))


def _on_every_session(files: Iterable[Found]) -> list[Found]:
    """The files, those that stand for every session once for each."""
    files = list(files)
    sessions: dict[str, list[str]] = {}
    for file in files:
        if file.session is not None and file.session not in sessions.setdefault(file.subject, []):
            sessions[file.subject].append(file.session)
    spread = []
    for file in files:
        names = [file.session] if file.session is not None else sessions.get(file.subject, [""])
        spread += [Found(file.path, file.column, file.subject, name, file.rater, file.variants) for name in names]
    return spread


def _chosen_masks(
    raters: Mapping[tuple[str, str], Mapping[str, Path]], wanted: str
) -> tuple[dict[tuple[str, str], Path], list[str]]:
    """The mask of each case by the rater wanted, or the consensus, else the first; and what is to be said of it."""
    there = Counter(name for masks in raters.values() for name in masks)
    names = sorted(there, key=_rater_order)
    if wanted in COMPUTED:
        return {}, []
    if wanted and wanted not in there:
        have = f"There are {', '.join(names)}" if names else "There are no masks"
        raise InputError(f"No mask by rater {wanted!r} is here. {have}; computed are {' and '.join(COMPUTED)}.")
    if wanted:
        chosen = {place: masks[wanted] for place, masks in raters.items() if wanted in masks}
        lacking = len(raters) - len(chosen)
        note = f"Cases whose masks are by others than rater {wanted}, left without: {lacking}."
        return chosen, [note] if lacking else []
    chosen = {place: masks[min(masks, key=_rater_order)] for place, masks in raters.items()}
    return chosen, _notes_on_raters(names, len(raters) - there[names[0]]) if len(names) > 1 else []


def _notes_on_raters(names: list[str], lacking: int) -> list[str]:
    """What is to be said where the first of several raters was taken, whom `lacking` cases have no mask by."""
    what = "The published consensus is taken for mask" if names[0] == CONSENSUS else f"Rater {names[0]}'s mask is taken"
    notes = [f"{what}; there are also masks by rater {', '.join(names[1:])} (choose with --rater)."]
    return notes + [f"Cases without a mask by {names[0]}, whose first other is taken: {lacking}."] * bool(lacking)


def _rater_order(name: str) -> tuple[bool, int, str]:
    return name != CONSENSUS, int(name) if name.isdigit() else 0, name
