"""The command that finds scans on disk: `mstl index`."""
from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mstl
from mstl.cli.terminal import console, escaped, pairs, progress
from mstl.data.layouts import GLOB, LAYOUTS
from mstl.errors import InputError

if TYPE_CHECKING:
    from mstl.data.cohort import Cohort
    from mstl.data.indexing import Index

LAYOUT_NAMES = ", ".join((*LAYOUTS, GLOB))


def index(
    root: Annotated[Path, typer.Argument(help="Folder of the scans.", show_default=False)],
    layout: Annotated[str, typer.Option(help=f"How they lie in it: {LAYOUT_NAMES}.")] = "",
    variant: Annotated[
        str, typer.Option(help="Which tree of a set that has several: raw, preprocessed, MNI, fmriprep, ...")
    ] = "",
    rater: Annotated[
        str,
        typer.Option(help="1, 2, ..., consensus, majority or staple; default: the published consensus, else 1."),
    ] = "",
    pattern: Annotated[
        list[str],
        typer.Option(
            help="Layout glob: '{subject}/{session}/*{modality}*.nii.gz', or a column's 'flair={subject}/*flair*.nii'. "
            "Others: which of several files of a column to take, 't1=*acq-3D*'. Repeat it."
        ),
    ] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("cohort.csv"),
) -> None:
    """List the scans below ROOT in a cohort.csv: by the layout of a public set, BIDS, or patterns of your own."""
    from mstl.data.indexing import COMPUTED, index_scans

    if not (layout or pattern):
        raise InputError(f"Give --layout ({LAYOUT_NAMES}) or --pattern: how the scans lie in the folder must be known.")
    found = index_scans(root, layout=layout or GLOB, variant=variant, rater=rater, patterns=read_patterns(pattern))
    for note in found.notes:
        warnings.warn(note, stacklevel=1)
    cohort = _with_masks(found, out, rater) if rater in COMPUTED else mstl.Cohort(found.cases)
    cohort.to_csv(out)
    _print_table(cohort)
    _print_left_out(found, root)
    shared = f", each with {', '.join(cohort.modalities)}" if cohort.modalities else ""
    size = f"{len(cohort)} cases of {len(cohort.subjects)} subjects"
    console.print(f"Wrote {escaped(str(out))}: {size}{shared}.", soft_wrap=True)


def read_patterns(texts: list[str]) -> str | dict[str, str] | None:
    """One pattern with `{modality}` as it is, others by column."""
    if len(texts) == 1 and "{modality}" in texts[0]:
        return texts[0]
    return pairs(texts) if texts else None


def _with_masks(found: Index, out: Path, rule: str) -> Cohort:
    from mstl.data.consensus import write_consensus

    folder = out.with_name(f"{out.stem}_masks")
    with progress(f"Masks by {rule}", len(found.cases)) as step:
        return write_consensus(found, folder, rule=rule, progress=step)


def _print_table(cohort: Cohort) -> None:
    """How many cases have each file."""
    from rich.table import Table

    from mstl.data.case import columns_of

    counts = Counter(column for case in cohort for column in case.files)
    columns = columns_of(cohort)
    table = Table("cases", "subjects", *columns)
    table.add_row(*map(str, (len(cohort), len(cohort.subjects), *(counts[column] for column in columns))))
    console.print(table)


def _print_left_out(found: Index, root: Path) -> None:
    """A line a reason: how many files were left out, and one of them."""
    by_reason: dict[str, list[Path]] = {}
    for item in found.left_out:
        by_reason.setdefault(item.reason, []).append(item.path)
    for reason, paths in by_reason.items():
        example = paths[0].relative_to(root) if paths[0].is_relative_to(root) else paths[0]
        text = f"Left out {len(paths)}: {reason} ({example})."
        console.print(escaped(text), soft_wrap=True, highlight=False)
