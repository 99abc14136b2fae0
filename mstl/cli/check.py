"""`mstl check`: the doctor's findings as a table, as JSON and as a page, and a mended copy on request."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.terminal import console, escaped, progress
from mstl.data.checks.finding import Finding, by_case, count_levels
from mstl.data.checks.labels import RULE, labels_told
from mstl.data.labels import shown
from mstl.data.mend import COHORT, mend_cohort
from mstl.errors import InputError
from mstl.files import new_folder, write_json

COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def check(
    cohorts: Annotated[
        list[Path], typer.Argument(help="cohort.csv; several are the sides of a split.", show_default=False)
    ],
    experiment: Annotated[
        Path | None, typer.Option(help="EXPERIMENT.yaml whose subjects by name are the sides of a split.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of check.json and check.html; default: check, beside the CSV.")
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="List the notes too, which check.html has.")] = False,
    fix: Annotated[
        Path | None, typer.Option(help="New folder for a mended copy of the cohort; the originals stay.")
    ] = None,
    binarise_masks: Annotated[bool, typer.Option("--binarise-masks", help="Let soft masks pass.")] = False,
    jobs: Annotated[int, typer.Option(help="Cases at a time.")] = 1,
) -> None:
    """Read every file of a cohort and say what is wrong with it; exit code 1 where an error is among it."""
    sides = _sides(cohorts, experiment)
    if fix is not None:
        if len(cohorts) > 1:
            raise InputError("--fix mends one cohort at a time. Give one cohort.csv with it.")
        new_folder(fix)
    options = {"binarise_masks": binarise_masks, "jobs": jobs, "notes": notes}
    names = ", ".join(map(str, cohorts))
    findings = _examine(sides, out or cohorts[0].parent / "check", names, **options)
    if fix is not None:
        findings = _mend(mstl.Cohort.from_csv(cohorts[0], files_exist=False), findings, fix, **options)
        names = str(fix / COHORT)
    if errors := count_levels(findings)["error"]:
        raise InputError(f"Errors in {names}: {errors}, listed above. Mend the files, or leave their cases out.")


def _examine(sides: Mapping[str, mstl.Cohort], out: Path, title: str, *, notes: bool, **options) -> list[Finding]:
    """Check, print and write what is found, as JSON and as a page."""
    from mstl.reporting.check_page import write_check_page

    cases = [case for side in sides.values() for case in side]
    with progress("Checking", len(cases)) as step:
        findings = mstl.check_cohort(cases, sides=sides if len(sides) > 1 else None, progress=step, **options)
    counts = count_levels(findings)
    _print(findings if notes else [one for one in findings if one.level != "note"])
    _print_verdict(counts, f"{len(cases)} cases of {len({case.subject for case in cases})} subjects")
    _print_labels(findings)
    write_json(out / "check.json", {"cases": len(cases), "counts": counts, "findings": [f.to_dict() for f in findings]})
    page = write_check_page(cases, findings, out=out / "check.html", title=title)
    console.print(f"Wrote {page}.", soft_wrap=True)
    return findings


def _mend(cohort: mstl.Cohort, findings: list[Finding], fix: Path, **options) -> list[Finding]:
    """Mend, say what was done, and check again."""
    mended, fixes = mend_cohort(cohort, findings, fix)
    for one in fixes:
        done = f"Mended [bold]{escaped(one.case)}[/] {one.role}: {escaped(one.done)}"
        console.print(done, soft_wrap=True, highlight=False)
    console.print(f"Wrote {fix / COHORT}: {len(fixes)} files mended. Checking it again.", soft_wrap=True)
    return _examine({"": mended}, fix / "check", str(fix / COHORT), **options)


def _sides(cohorts: list[Path], experiment: Path | None) -> dict[str, mstl.Cohort]:
    """One cohort by name, or the sides of a split: several CSVs, or the subjects that an experiment names."""
    read = {str(path): mstl.Cohort.from_csv(path, files_exist=False) for path in cohorts}
    if experiment is None:
        return read
    if len(read) > 1:
        raise InputError("Several cohorts and --experiment both name the sides of a split. Give one cohort with it.")
    from mstl.settings import SIDES

    settings, (cohort,) = mstl.Experiment.load(experiment), read.values()
    named = {side: getattr(settings, side) for side in SIDES if getattr(settings, side)}
    if not named:
        raise InputError(f"{experiment} names no subjects: they are drawn by seed, as whole subjects. Leave it out.")
    rest = set(cohort.subjects).difference(*named.values())
    sides = {side.removesuffix("_subjects"): cohort.select(subjects) for side, subjects in named.items()}
    return {**sides, "none": cohort.select(rest)} if rest else sides


def _print(findings: list[Finding]) -> None:
    """A block of rows a case, worst first."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("case", "file", "level", "finding"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "level")
    for name, found in by_case(findings).items():
        for number, finding in enumerate(found):
            style = COLOURS[finding.level]
            message = escaped(finding.message) + (" [green](--fix mends it)[/]" if finding.fixable else "")
            table.add_row(escaped(name) if number == 0 else "", finding.role, f"[{style}]{finding.level}[/]", message)
    if findings:
        console.print(table)


def _print_verdict(counts: Mapping[str, int], what: str) -> None:
    found = ", ".join(f"{count} {level}{'s' * (count != 1)}" for level, count in counts.items() if count)
    verdict = "" if counts["error"] or counts["warning"] else "nothing is wrong" + (", " if found else "")
    console.print(f"{what}: {verdict}{found}.", highlight=False)


def _print_labels(findings: list[Finding]) -> None:
    """The labels of the cohort's masks, where they hold several: voxels of each, in how many masks, and what to do."""
    from rich.table import Table

    held = [finding.details["labels"] for finding in findings if finding.rule == RULE]
    names = labels_told(findings)
    if not held:
        return
    table = Table("label", "masks", "voxels", box=None, pad_edge=False)
    for name in names:
        voxels = [labels[str(name)] for labels in held if str(name) in labels]
        table.add_row(str(name), f"{len(voxels)} of {len(held)}", f"{sum(voxels):,}")
    console.print(table)
    options = f"'mstl prepare --labels {shown(names)}' keeps the classes, --binarise-masks makes one of all."
    console.print(options, soft_wrap=True, highlight=False)
