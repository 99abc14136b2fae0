"""The page of a profile: how long a step takes, what of that is waiting for input, and which operations take it."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mstl.errors import InputError
from mstl.files import read_json, write_text
from mstl.reporting.template import render

PROFILE, SUMMARY = "profile", "summary.json"
MUCH = 0.1  # share of a step from which waiting for input is worth a change


def write_profile_page(run: str | Path, *, out: str | Path | None = None) -> Path:
    """Write the profile of a run as one self-contained HTML file; returns its path.

    `out` is `run/profile/summary.html` by default. Raises `InputError` where the run has no profile.
    """
    folder, summary = Path(run) / PROFILE, read_profile(run)
    if summary is None:
        raise InputError(f"{folder} holds no profile. Write one: mstl train EXPERIMENT.yaml --profile STEPS.")
    context = {"run": Path(run).resolve().name, "folder": str(folder), "summary": summary, "starved": starved(summary)}
    out = folder / "summary.html" if out is None else Path(out)
    write_text(out, render("profile.html.j2", context))
    return out


def starved(summary: Mapping) -> bool:
    """Whether the steps wait for their batches so long that faster input would make the training faster."""
    return summary["input_share"] >= MUCH


def read_profile(run: str | Path) -> dict | None:
    """The summary that `mstl.training.profile.Profiler` wrote into the folder of a run; None where it has none."""
    path = Path(run) / PROFILE / SUMMARY
    return read_json(path) if path.exists() else None
