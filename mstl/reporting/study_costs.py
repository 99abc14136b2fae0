"""What each strategy of a study cost: hours, memory and parameters, with its share of the sources it begins with."""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from mstl.reporting.folder import as_rows

HOUR = 3600.0


def cost_rows(costs: pd.DataFrame) -> list[dict]:
    """A row a strategy with a finished training; empty where there is none.

    costs: a row a finished job, as in `costs.csv`: kind ("strategy" or "source"), strategy (its name), size, fold,
    seed, seconds, memory_mb, parameters, trained_parameters, begins_with (folders of other jobs, after commas).
    Rows have: strategy, trainings, `minutes` (median of one training), `hours` of its trainings, `source_hours`, its
    share of the sources (the hours of one are divided evenly among the strategies that begin with it), `total`,
    `gigabytes` (the most), `parameters`, `trained` and `sources`, their names.
    """
    if costs.empty:
        return []
    strategies = costs[costs["kind"] == "strategy"]
    needed = _needed(costs)
    users = {label: {name for name, labels in needed.items() if label in labels} for label in _labels(costs)}
    seconds = dict(zip(_labels(costs), costs["seconds"], strict=True))
    rows = []
    for name, group in strategies.groupby("strategy", sort=False):
        shares = [seconds[label] / len(users[label]) for label in needed[name] if label in seconds]
        own, shared = group["seconds"].sum() / HOUR, sum(shares) / HOUR
        rows.append({
            "strategy": name,
            "trainings": len(group),
            "minutes": group["seconds"].median() / 60,
            "hours": own,
            "source_hours": shared,
            "total": own + shared,
            "gigabytes": group["memory_mb"].max() / 1024 if "memory_mb" in group else None,
            "parameters": _most(group, "parameters"),
            "trained": _most(group, "trained_parameters"),
            "sources": ", ".join(sorted({label.split("/")[1] for label in needed[name]})),
        })  # fmt: skip
    return as_rows(pd.DataFrame(rows)) if rows else []


def _labels(costs: pd.DataFrame) -> list[str]:
    """The folder of each job within the study's."""
    return [_label(row) for row in costs.itertuples()]


def _label(row) -> str:
    number = f"{row.seed:.0f}" if pd.isna(row.fold) else f"{row.fold:.0f}-{row.seed:.0f}"
    if row.kind == "source":
        return f"sources/{row.strategy}/{number}"
    return f"jobs/{row.strategy}/{row.size:.0f}/{number}"


def _needed(costs: pd.DataFrame) -> dict[str, set[str]]:
    """By strategy the sources' jobs that its trainings began with, and those that these began with."""
    begun = dict(zip(_labels(costs), map(_split, costs.get("begins_with", [""] * len(costs))), strict=True))
    rows = costs[costs["kind"] == "strategy"]
    found: dict[str, set[str]] = {name: set() for name in rows["strategy"]}
    for name, label in zip(rows["strategy"], _labels(rows), strict=True):
        found[name] |= _behind(begun[label], begun)
    return found


def _behind(labels: Sequence[str], begun: dict[str, list[str]]) -> set[str]:
    """These jobs and all that they began with."""
    seen: set[str] = set()
    waiting = list(labels)
    while waiting:
        label = waiting.pop()
        if label not in seen:
            seen.add(label)
            waiting += begun.get(label, [])
    return seen


def _split(text: object) -> list[str]:
    return [label.strip() for label in text.split(",") if label.strip()] if isinstance(text, str) else []


def _most(group: pd.DataFrame, column: str) -> float | None:
    values: Iterable = group[column].dropna() if column in group else []
    return max(values, default=None)
