"""The CSV of a cohort: a line a case, paths relative to the CSV's folder, an empty cell for none."""
from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mstl.data.case import FILES, Case, columns_of, nearest
from mstl.data.selector import file_of
from mstl.errors import InputError
from mstl.files import write_text

_NAMES = ("subject", "session", "dataset")
COLUMNS = (*_NAMES, *FILES)


def read_cases(path: str | Path, *, files_exist: bool = True) -> list[Case]:
    """Cases of a CSV whose columns are `subject` and any of session, dataset, flair, t1, t1ce, t2, oct, mask,
    brain_mask. A cell may name one volume of a 4D file, counted from 0: `x.nii.gz#2`.

    Raises `InputError` naming file, line and column for whatever is wrong: an unknown column, a cell without
    subject, a case without image or named twice, and, with `files_exist`, a file that does not exist.
    """
    path = Path(path)
    cases: dict[str, Case] = {}
    lines: dict[str, int] = {}
    for line, row in _read_rows(path):
        try:
            case = _case_of_row(row, _real_folder(path), files_exist)
        except InputError as error:
            raise InputError(f"{path}, line {line}: {error}") from None
        if case.name in cases:
            raise InputError(
                f"{path}: lines {lines[case.name]} and {line} both name case {case.name}. Remove one, or "
                "give them different sessions."
            )
        cases[case.name], lines[case.name] = case, line
    if not cases:
        raise InputError(f"{path} lists no case. Add a line for each case below the header.")
    return list(cases.values())


def write_cases(path: str | Path, cases: Iterable[Case]) -> None:
    """Write a CSV that `read_cases` reads, whole or not at all."""
    cases = list(cases)
    columns = (*_NAMES, *columns_of(cases))
    folder = _real_folder(Path(path))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for case in cases:
        files = {column: _relative(file, folder) for column, file in case.files.items()}
        writer.writerow(
            {"subject": case.subject, "session": case.session, "dataset": case.dataset, **files}
        )
    write_text(path, text.getvalue())


def _real_folder(path: Path) -> Path:
    """The folder of `path` without symbolic links, so that `..` means the same when written and when read."""
    return Path(os.path.realpath(path.parent))


def _relative(path: Path, folder: Path) -> str:
    """`path` as seen from `folder`; absolute where the two share no root (drives of Windows)."""
    absolute = _real_folder(path) / path.name
    try:
        return Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:
        return absolute.as_posix()


def _read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows that are not empty, with their line numbers; columns checked, cells stripped of blanks."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="", strict=True)
            _check_columns(path, reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Check the path, or make it with 'mstl index'.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder; a CSV is expected. List its scans in one with 'mstl index'.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path} cannot be read as CSV ({error}). Save it as comma-separated UTF-8 text."
        ) from error
    for line, row in rows:
        if None in row:
            raise InputError(
                f"{path}, line {line}: more cells than columns. Put quotes around a cell that holds a comma."
            )
    stripped = ((line, {column: cell.strip() for column, cell in row.items()}) for line, row in rows)
    return [(line, row) for line, row in stripped if any(row.values())]


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in COLUMNS:
            raise InputError(
                f"{path}: unknown column {column!r}{nearest(column, COLUMNS)}. Rename or remove it; columns "
                f"are {', '.join(COLUMNS)}, separated by commas."
            )
        if columns.count(column) > 1:
            raise InputError(f"{path}: column {column!r} is there twice. Remove one.")
    if "subject" not in columns:
        raise InputError(f"{path}: column 'subject' is missing. Add it, with a subject's name in every line.")


def _case_of_row(row: Mapping[str, str], folder: Path, files_exist: bool) -> Case:
    if not row["subject"]:
        raise InputError("column 'subject' is empty. Fill in the subject's name.")
    files = {}
    for column in FILES:
        if row.get(column):
            files[column] = Path(os.path.normpath(folder / row[column]))
            if files_exist and not file_of(files[column]).is_file():
                raise InputError(
                    f"{column} file {files[column]} does not exist. Correct the path, or empty the cell."
                )
    texts = {column: row.get(column, "") for column in _NAMES}
    return Case.of_files(files, **texts)
