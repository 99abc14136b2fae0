"""`mstl inspect` and `mstl transfer`: what a weights file holds, and what of it would go where."""
from __future__ import annotations

import json
from typing import Annotated

import typer

from mstl.cli.terminal import console, escaped

WeightsWord = Annotated[
    str, typer.Argument(help="A Keras file, a run's folder, or a name of 'mstl weights list'.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
COLOURS = {"load": "green", "renamed": "green", "adapted": "yellow", "kept": "dim", "unused": "dim"}  # others are red


def inspect(
    weights: WeightsWord,
    values: Annotated[bool, typer.Option("--values", help="Read the numbers too: norm and SHA-256 of each.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the layers and tensors of WEIGHTS; nothing in the file is run."""
    from rich.table import Table

    from mstl.transfer.checkpoint import Checkpoint
    from mstl.transfer.source import find_source
    from mstl.transfer.table import shape_text

    with Checkpoint.open(find_source(weights).path) as checkpoint:
        if as_json:
            typer.echo(json.dumps(checkpoint.to_dict(values=values), indent=2))
            return
        table = Table(box=None, pad_edge=False)
        for heading, overflow in (("tensor", "fold"), ("class", "ellipsis"), ("shape", "fold"), ("type", "fold")):
            table.add_column(heading, overflow=overflow)
        for heading in ("norm", "sha256") if values else ():
            table.add_column(heading, no_wrap=True)
        for row in checkpoint.rows(values=values):
            texts = [row["path"], row["class_name"] or "", shape_text(row["shape"]), row["dtype"]]
            texts += [f"{row['norm']:.4g}", row["sha256"][:12]] if values else []
            table.add_row(*map(escaped, texts))
        console.print(table)
        trained = [f"Trained with {checkpoint.training}."] if checkpoint.training else []
        for line in (checkpoint.summary, *trained):
            console.print(line, soft_wrap=True, highlight=False, markup=False)
        for note in checkpoint.notes:
            console.print(f"Note: {note}", soft_wrap=True, highlight=False, markup=False)


def transfer(
    weights: WeightsWord,
    to: Annotated[str, typer.Option(help="Name of a model, EXPERIMENT.yaml, or a run's folder.", show_default=False)],
    options: Annotated[
        list[str], typer.Option("--set", help="Of the model or experiment: key=value; repeat it.")
    ] = [],  # noqa: B006
    include: Annotated[list[str], typer.Option(help="Group such as encoder, or a regex; repeat it.")] = [],  # noqa: B006
    exclude: Annotated[list[str], typer.Option(help="As --include.")] = [],  # noqa: B006
    rename: Annotated[list[str], typer.Option(help="'regex => replacement' for the file's names.")] = [],  # noqa: B006
    adapt: Annotated[list[str], typer.Option(help="sum, mean, repeat, truncate, inflate:centre, inflate:mean.")] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Show what of WEIGHTS would go where in a model, tensor by tensor; changes nothing.

    The init_* keys of an experiment hold where no option is given here. Exit code 1 where a training would refuse
    to begin so.
    """
    from mstl.config import Experiment, rename_rules
    from mstl.training.build import model_named
    from mstl.transfer.checkpoint import Checkpoint
    from mstl.transfer.plan import plan_transfer
    from mstl.transfer.source import find_source

    model, experiment = model_named(to, options=options)
    experiment = experiment or Experiment(model=to)
    source = find_source(weights, model_name=experiment.model)
    given = {"include": include, "exclude": exclude, "rename": rename_rules(rename), "adapt": adapt}
    wanted = experiment.init_options() | {name: value for name, value in given.items() if value}
    with Checkpoint.open(source.path) as checkpoint:
        plan = plan_transfer(checkpoint, model, **source.completed(wanted))
        if as_json:
            typer.echo(json.dumps(plan.to_dict(), indent=2))
        else:
            _print_plan(plan)
        plan.check(allow_partial=experiment.init_partial)


def _print_plan(plan) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("status", "model", "file", "tensors", "reason"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "status")
    for status, target, source, tensors, reason in plan.by_layer():
        texts = (target, "" if source == target else source, tensors, reason)
        table.add_row(status, *map(escaped, texts), style=COLOURS.get(status, "red"))
    console.print(table)
    console.print(plan.summary, highlight=False)
    for note in plan.notes:
        console.print(f"Note: {note}", soft_wrap=True, highlight=False, markup=False)
