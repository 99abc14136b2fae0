"""`mstl screen`: inference first, then fine-tune the best."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import mstl
from mstl.cli.terminal import console, escaped, progress, split
from mstl.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

FEW = 10  # subjects; below, a bootstrap's interval is too narrow


def screen(
    checkpoints: Annotated[
        list[str],
        typer.Argument(help="Runs, Keras files for --model, or names of 'mstl weights list'.", show_default=False),
    ],
    cases: Annotated[Path, typer.Option(help="Prepared folder of labelled cases.", show_default=False)],
    subjects: Annotated[str, typer.Option(help="Comma-separated; default: all.")] = "",
    model: Annotated[
        str | None,
        typer.Option(help="Network of the files: its name, EXPERIMENT.yaml, or a run's folder.", show_default=False),
    ] = None,
    options: Annotated[
        list[str], typer.Option("--set", help="Of that network or experiment: key=value; repeat it.")
    ] = [],  # noqa: B006
    threshold: Annotated[float, typer.Option(help="From which a voxel is lesion, for all.")] = 0.5,
    by: Annotated[str, typer.Option(help="What ranks: dice (a case's, mean) or mdice (all pooled).")] = "dice",
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("screen.csv"),
) -> None:
    """Score given weights on labelled cases without training, and rank them: fine-tune the best."""
    prepared = mstl.PreparedCohort.open(cases)
    prepared = prepared.select(split(subjects)) if subjects else prepared

    from mstl.evaluation.screen import screen as screen_weights

    with progress("Screening", len(checkpoints) * len(prepared)) as step:
        table = screen_weights(
            checkpoints, prepared, model=model, options=options, threshold=threshold, by=by, out=out, progress=step
        )
    usable = table[table["rank"].notna()]
    _print(usable)
    for row in table.to_dict("records"):
        if text := row["reason"] or row["note"]:
            kind = "[red]Not used,[/]" if row["reason"] else "[yellow]Note on[/]"
            console.print(f"{kind} {escaped(row['checkpoint'])}: {escaped(text)}", soft_wrap=True, highlight=False)
    if usable.empty:
        raise InputError(f"None of {len(table)} checkpoints could be used; the reasons stand above and in {out}.")
    console.print(escaped(_told(usable, by)), soft_wrap=True, highlight=False)
    console.print(escaped(f"Wrote {out}."), soft_wrap=True)


def _print(usable: pd.DataFrame) -> None:
    from rich.table import Table

    table = Table("", "checkpoint", "Dice", "mDice", "95 %", "first", "best cut", "s/case")
    table.columns[1].overflow = "fold"
    for row in usable.to_dict("records"):
        scores = [f"{row[column]:.3f}" for column in ("dice", "mdice")]
        sure = [f"{row['low']:.3f}-{row['high']:.3f}", f"{row['first']:.0%}"]
        rest = [f"{row[column]:.3g}" for column in ("best_dice", "seconds")]
        table.add_row(str(row["rank"]), escaped(row["checkpoint"]), *scores, *sure, *rest)
    console.print(table)


def _told(usable: pd.DataFrame, by: str) -> str:
    """What the ranking rests on, and how little it proves where subjects are few."""
    best, what = usable.iloc[0], {"dice": "mean Dice", "mdice": "pooled mDice"}[by]
    told = (
        f"Ranked by {what} over {best['cases']} cases of {best['subjects']} subjects, {best['empty_reference']} "
        "without lesion; 95 % is its interval, 'first' the share of cohorts drawn from these subjects in which a "
        "checkpoint is the best. 'best cut' is the Dice at the threshold that suits these masks best: optimistic."
    )
    if best["subjects"] < FEW:
        told += " Of so few subjects, interval and share look surer than they are."
    return told
