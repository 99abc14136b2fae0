"""The report of a generator's pre-training: does it restore what is hidden, and how to go on with its encoder."""
from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from markupsafe import Markup

from mstl.config_gan import GanTraining
from mstl.errors import InputError
from mstl.files import read_json, write_text
from mstl.reporting.figures import to_svg
from mstl.reporting.folder import (
    as_rows,
    environment_groups,
    experiment_groups,
    read_csv,
    read_experiment,
    read_history,
)
from mstl.reporting.gan_answer import SCORED, restoration_answer
from mstl.reporting.gan_figure import BASELINES, restoration_curves
from mstl.reporting.template import render
from mstl.settings import SIDES
from mstl.training.schedule import has_ended, monitored

COMMAND = "mstl pretrain gan"
NEEDED = ("epoch", "loss", "l1_loss")
SHEETS = 6
SIDE_ORDER = ("test", "validation")  # which held-out subjects answer: those that chose nothing first


def write_gan_report(run: str | Path, *, out: str | Path | None = None) -> Path:
    """Write the report of a folder of `mstl pretrain gan` as one self-contained HTML file; returns its path.

    The answer is that of restoration.csv (test subjects, else validation subjects), before the training's end that of
    the best epoch's validation. What the folder does not hold yet is left out, and said. `out` is `run/report.html`
    by default. Raises `InputError` where experiment.yaml or history.csv is absent, or a file cannot be read.
    """
    run = Path(run)
    experiment = read_experiment(run, command=COMMAND)
    history = read_history(run, needed=NEEDED, command=COMMAND)
    baselines = read_json(run / "baselines.json") if (run / "baselines.json").exists() else {}
    subjects = _read_subjects(run)
    figure = restoration_curves(
        history,
        baselines,
        l1_weight=_number(experiment, "l1_weight", 100.0),
        discriminator_weight=_number(experiment, "discriminator_weight", 0.5),
        adversarial_weight=_number(experiment, "adversarial_weight", 1.0),
    )
    context = {
        "run": run.resolve().name,
        "folder": str(run),
        "command": COMMAND,
        "progress": _progress(history, experiment),
        "answer": restoration_answer(history, baselines, subjects),
        "sheets": _sheets(run),
        "held_out": bool(experiment.get("validation_subjects")),
        "curves": Markup(to_svg(figure)),
        "opponents": "discriminator_loss" in history,
        "subjects": None if subjects is None else as_rows(subjects),
        "baselines": BASELINES,
        "next": _next(run, experiment),
        "experiment": experiment_groups(run, experiment),
        "environment": environment_groups(run),
    }
    out = run / "report.html" if out is None else Path(out)
    write_text(out, render("gan.html.j2", context))
    return out


def _number(experiment: Mapping, key: str, default: float) -> float:
    value = experiment.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def _read_subjects(run: Path) -> pd.DataFrame | None:
    """A row a held-out subject, those of the side that answers first, the largest error first; None where absent."""
    path = run / "restoration.csv"
    if not path.exists():
        return None
    remedy = f"Remove it, and run '{COMMAND}' with --resume."
    table, _ = read_csv(path, remedy)
    missing = {"subject", "side", *SCORED} - set(table.columns)
    if missing:
        raise InputError(f"{path} has no column {', '.join(sorted(missing))}. {remedy}")
    if table.empty:
        return None
    order = table["side"].map({side: place for place, side in enumerate(SIDE_ORDER)}).fillna(len(SIDE_ORDER))
    return table.assign(order=order).sort_values(["order", "mae"], ascending=[True, False], ignore_index=True)


def _progress(history: pd.DataFrame, experiment: Mapping) -> dict:
    """How far the training went; one that `stop_patience` ended is finished."""
    done, wanted = int(history["epoch"].max()), experiment.get("epochs")
    seconds = float(history["seconds"].sum()) if "seconds" in history else 0.0
    settings = GanTraining(epochs=wanted or done, stop_patience=experiment.get("stop_patience"))
    finished = has_ended(settings, monitored(history.to_dict("records")))
    return {"done": done, "wanted": wanted, "finished": finished, "time": _duration(seconds)}


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds > 0 else ""


def _sheets(run: Path) -> dict:
    """The sheets of the first, some middle and the last epoch, and how many there are."""
    found = [(int(match[1]), path) for path in (run / "samples").glob("epoch-*.png")
             if (match := re.fullmatch(r"epoch-(\d+)\.png", path.name))]
    found.sort()
    picked = sorted(set(np.linspace(0, len(found) - 1, SHEETS).round().astype(int).tolist())) if found else []
    shown = [{"epoch": epoch, "picture": "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")}
             for epoch, path in (found[place] for place in picked)]
    return {"shown": shown, "count": len(found)}


def _next(run: Path, experiment: Mapping) -> dict:
    """An experiment of `mstl train` that begins with these weights, on the same split, and its commands."""
    model, options, given = "pix2pix-segmenter", {"width": experiment.get("width", 64)}, "encoder"
    if experiment.get("generator", "pix2pix") == "pix2pix":
        options |= {"norm_mode": experiment.get("norm_mode", "batch"),
                    "rescale": experiment.get("activation", "tanh") == "tanh"}
    else:
        model, given = experiment["generator"], "encoder and decoder"
    settings = {"prepared": experiment.get("prepared", "prepared"), "model": model,
                "model_options": options, "init": str(run), "twin": True}
    settings |= {"crop": experiment["crop"]} if experiment.get("crop") else {}
    settings |= {side: list(experiment[side]) for side in SIDES if experiment.get(side)}
    out = shlex.quote(str(run.parent / "segment"))
    locked = shlex.quote(str(run.parent / "segment-locked"))
    return {
        "given": given,
        "experiment": yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100).strip(),
        "commands": [f"mstl train segment.yaml --out {out}",
                     f"mstl train segment.yaml --set freeze=encoder --set twin=false --out {locked}"],
        "resume": f"{COMMAND} EXPERIMENT.yaml --out {shlex.quote(str(run))} --resume",
    }
