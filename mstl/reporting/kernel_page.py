"""The report of a prior of kernels: how well it describes held-out kernels, how they look, what it was learned from."""
from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml
from markupsafe import Markup

from mstl.errors import InputError
from mstl.files import write_text
from mstl.models.kernel_prior import KernelPrior
from mstl.reporting.figures import to_svg
from mstl.reporting.folder import (
    as_rows,
    environment_groups,
    experiment_groups,
    read_csv,
    read_experiment,
    read_history,
)
from mstl.reporting.kernel_figure import bound_curves, kernel_sheet
from mstl.reporting.template import render

COMMAND = "mstl pretrain kernel-prior"
TABLES = {  # name of the table: columns that the page needs
    "groups.csv": ("group", "layers", "kernels", "trained_on", "held_out", "held_out_are", "scale", "epochs",
                   "best_epoch", "held_out_elbo", "gaussian"),
    "kernels.csv": ("network", "group", "kernels", "dropped"),
}  # fmt: skip


def write_kernel_report(run: str | Path, *, out: str | Path | None = None) -> Path:
    """Write the report of a folder of `mstl pretrain kernel-prior` as one self-contained HTML file; returns its path.

    `out` is `run/report.html` by default. Raises `InputError` where a file of the folder is absent or cannot be read.
    """
    run = Path(run)
    experiment = read_experiment(run, command=COMMAND)
    history = read_history(run, needed=("group", "epoch", "elbo", "held_out_elbo"), command=COMMAND)
    groups, kernels = (_read_table(run / name, columns) for name, columns in TABLES.items())
    prior = KernelPrior.load(run)
    context = {
        "run": run.resolve().name,
        "folder": str(run),
        "command": COMMAND,
        "answer": _answer(groups, kernels),
        "groups": [row | {"paths": _layers(prior, row["group"])} for row in as_rows(groups)],
        "sheet": Markup(to_svg(kernel_sheet(prior))),
        "curves": Markup(to_svg(bound_curves(history, groups))),
        "networks": _networks(kernels),
        "next": _next(run, experiment),
        "experiment": experiment_groups(run, experiment),
        "environment": environment_groups(run),
    }
    out = run / "report.html" if out is None else Path(out)
    write_text(out, render("kernels.html.j2", context))
    return out


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    remedy = f"Give a folder that '{COMMAND}' wrote."
    table, _ = read_csv(path, remedy)
    missing = [column for column in columns if column not in table]
    if missing or table.empty:
        raise InputError(f"{path} has {'no column ' + ', '.join(missing) if missing else 'no row'}. {remedy}")
    return table


def _answer(groups: pd.DataFrame, kernels: pd.DataFrame) -> dict:
    """What the head of the page says."""
    above = groups["held_out_elbo"] - groups["gaussian"]
    return {
        "groups": len(groups),
        "better": int((above > 0).sum()),
        "least": float(above.min()),
        "most": float(above.max()),
        "worst": groups.loc[above.idxmin(), "group"],
        "best": groups.loc[above.idxmax(), "group"],
        "networks": int(kernels["network"].nunique()),
        "kernels": int(groups["kernels"].sum()),
        "dropped": int(kernels["dropped"].sum()),
        "held_out": groups["held_out_are"].iloc[0],
    }


def _layers(prior: KernelPrior, group: str) -> tuple[str, ...]:
    return prior.groups[group].layers if group in prior.groups else ()


def _networks(kernels: pd.DataFrame) -> list[dict]:
    """A row a network: kernels that were kept, and those dropped by group."""
    rows = []
    for network, table in kernels.groupby("network", sort=False):
        dropped = {row["group"]: row["dropped"] for row in table.to_dict("records") if row["dropped"]}
        rows.append({"network": network, "kernels": int(table["kernels"].sum()), "dropped": dropped})
    return rows


def _next(run: Path, experiment: Mapping) -> dict:
    """An experiment of `mstl train` with this prior, and its command."""
    settings = {"prepared": "target", "model": "unet3d-bayesian",
                "model_options": {"num_classes": 2} | dict(experiment.get("model_options") or {}), "prior": str(run)}
    out = shlex.quote(str(run.parent / "dwp"))
    return {
        "experiment": yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100).strip(),
        "commands": [f"mstl train dwp.yaml --out {out}", f"mstl predict {out} cohort.csv --samples 20 --out masks"],
    }
