"""What a run folder holds, read for its page: experiment, history and other tables, parameters as text."""
from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mstl.errors import InputError
from mstl.evaluation.cleanup import NO_CLEAN_UP, CleanUp
from mstl.files import read_json


def read_experiment(run: Path, *, command: str = "mstl train") -> dict:
    """Parameters of a run; raises `InputError` where its experiment.yaml, which `command` writes, cannot be read."""
    path = run / "experiment.yaml"
    try:
        experiment = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Give the folder that '{command}' wrote.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read as YAML ({one_line(error)}). Restore it.") from error
    if not isinstance(experiment, dict):
        raise InputError(f"{path} holds no parameters (key: value). Restore it.")
    return experiment


def read_history(run: Path, *, needed: Collection[str], command: str = "mstl train") -> pd.DataFrame:
    """A row an epoch; raises `InputError` where there is none, or a column of `needed` is missing."""
    history, _ = read_csv(run / "history.csv", f"Train first: '{command}' writes it into the run folder.")
    missing = set(needed) - set(history.columns)
    if missing or history.empty:
        lack = f"no column {', '.join(sorted(missing))}" if missing else "no epoch"
        raise InputError(f"{run / 'history.csv'} has {lack}. Give a run that finished an epoch.")
    return history


def read_csv(path: Path, remedy: str) -> tuple[pd.DataFrame, str]:
    """A CSV, and the text of the lines above its header that start with #; names of cases and subjects are text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        notes = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
        table = pd.read_csv(path, skiprows=len(notes), dtype={"case": str, "subject": str})
        return table, " ".join(note.lstrip("# ") for note in notes)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. {remedy}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as CSV ({one_line(error)}). {remedy}") from error


def one_line(error: Exception) -> str:
    """The message of an error in one line."""
    return " ".join(str(error).split())


def as_rows(table: pd.DataFrame) -> list[dict]:
    """Rows as dictionaries; what is not finite becomes None, which a page shows as a dash."""
    finite = table.replace([np.inf, -np.inf], np.nan).astype(object)
    return finite.where(finite.notna(), None).to_dict("records")


def experiment_groups(run: Path, experiment: Mapping) -> list[dict]:
    """Parameters of the training and, where they are known, of the preparation."""
    groups = [{"title": "Training", "items": flatten(experiment)}]
    if (run / "preparation.json").exists():
        groups.append({"title": "Preparation", "items": flatten(read_json(run / "preparation.json"))})
    return groups


def environment_groups(run: Path) -> list[dict]:
    """Versions, seed and hashes of the training, where it recorded them."""
    path = run / "environment.json"
    return [{"title": "Training", "items": flatten(read_json(path))}] if path.exists() else []


def chosen_cut(record: Mapping) -> tuple[float | None, str]:
    """Threshold (None: of several classes the most probable one) and clean-up in words ("" for none) of a record.

    The record is a run's `threshold.json` or the .json beside a prediction.
    """
    clean_up = CleanUp(record.get("minimum_ml", 0.0), record.get("largest_only", False))
    return record["threshold"], "" if clean_up == NO_CLEAN_UP else str(clean_up)


def flatten(values: Mapping, *, prefix: str = "") -> list[tuple[str, str]]:
    """Nested parameters as (dotted key, text) rows, in their order."""
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, prefix=f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _as_text(value)))
    return rows


def _as_text(value: object) -> str:
    if value is None or value == {} or value == []:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_as_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
