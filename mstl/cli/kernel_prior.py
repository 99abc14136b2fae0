"""`mstl pretrain kernel-prior`: what the kernels of trained networks look like, for Bayesian networks of few scans."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.terminal import console, escaped

Experiment = Annotated[Path, typer.Argument(help="EXPERIMENT.yaml, as configs/kernel-prior.yaml", show_default=False)]


def kernel_prior(
    experiment: Experiment,
    changes: Annotated[list[str], typer.Option("--set", help="key=value; repeat it.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="New folder of the prior.")] = Path("kernel-prior"),
) -> None:
    """Learn a prior of 3x3x3 kernels from trained networks, one autoencoder for each group of their layers."""
    from mstl.config_kernel_prior import KernelPriorExperiment

    settings = KernelPriorExperiment.load(experiment, changes=changes)

    from mstl.training.pretrain_kernel_prior import pretrain_kernel_prior

    with _epochs(settings.epochs) as (collected, seen):
        run = pretrain_kernel_prior(
            settings.sources, out=out, model=settings.model, model_options=settings.model_options,
            collected=collected, progress=seen, **settings.training(),
        )  # fmt: skip
    print_groups(run.groups)
    console.print(f"Learned {out}: a training of a Bayesian model takes it as prior: {out}.", soft_wrap=True)
    console.print(f"Report: {mstl.write_report(out)}", soft_wrap=True)


@contextmanager
def _epochs(epochs: int) -> Iterator[tuple[Callable, Callable]]:
    """A bar over the epochs of all groups: functions for the table of kernels, which is printed, and for each epoch."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    text, seen_text = TextColumn("{task.description}"), TextColumn("{task.fields[seen]}")
    with Progress(text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), seen_text, console=console) as bar:
        names: list[str] = []

        def collected(table) -> None:
            print_kernels(table)
            names.extend(table["group"].unique())

        def seen(group: str, row: dict) -> None:
            if not bar.tasks or bar.tasks[-1].fields["group"] != group:
                title = f"{group} ({names.index(group) + 1}/{len(names)}) epoch"
                bar.add_task(title, total=epochs, group=group, seen="")
            held_out = f"held-out bound {row['held_out_elbo']:.2f}"
            bar.update(bar.tasks[-1].id, completed=row["epoch"], seen=held_out)

        yield collected, seen


def print_kernels(table) -> None:
    """A row a network: how many kernels it gives, and how many were dropped."""
    from rich.table import Table

    shown = Table("network", "kernels", "of tiny norm, dropped")
    for network, rows in table.groupby("network", sort=False):
        dropped = [f"{row['dropped']} of {row['group']}" for row in rows.to_dict("records") if row["dropped"]]
        shown.add_row(escaped(network), f"{rows['kernels'].sum():,}", ", ".join(dropped) or "0")
    console.print(shown)


def print_groups(groups) -> None:
    """A row a group: the held-out bound in nats a kernel, and what a Gaussian has."""
    from rich.table import Column, Table

    name = Column("group", min_width=max(map(len, groups["group"])))  # a terminal of 80 columns would cut it
    shown = Table(name, "kernels", "epoch", "held-out bound", "Gaussian", "above it")
    for row in groups.to_dict("records"):
        bound, gaussian = row["held_out_elbo"], row["gaussian"]
        numbers = (f"{row['kernels']:,}", f"{row['best_epoch']}", f"{bound:.2f}", f"{gaussian:.2f}")
        shown.add_row(row["group"], *numbers, f"{bound - gaussian:+.2f}")
    console.print(shown)
    below = [row["group"] for row in groups.to_dict("records") if row["held_out_elbo"] <= row["gaussian"]]
    if below:
        console.print(
            f"The prior of {', '.join(below)} says no more of held-out kernels than independent Gaussians do: give "
            "more networks, or train longer (epochs, stop_patience).", soft_wrap=True,
        )  # fmt: skip
