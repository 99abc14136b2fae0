"""The report's section on the domain shift between a run's source and its own scans: a hint beside the results."""
from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from mstl.errors import InputError
from mstl.files import read_json
from mstl.reporting.domain_words import RECORD, in_words
from mstl.reporting.folder import read_experiment


def domain_section(run: Path, experiment: Mapping, *, given: str | Path | None = None) -> dict | None:
    """What the report of `run` says about a domain shift; None where there is none and none is asked for.

    given: folder of `mstl domain-shift`, or its `domain_shift.json`; else the run's own folder is looked into. A run
    that began with another run's weights gets the command that measures the shift. Raises `InputError` where what is
    given is not there, or is not what `mstl domain-shift` writes.
    """
    path = _record(Path(given)) if given is not None else run / RECORD
    if path.is_file():
        record, remedy = read_json(path), "Write it again with 'mstl domain-shift'."
        try:
            return {"words": in_words(record), "notes": list(record["notes"])}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path} is no record of a domain shift ({error!r}). {remedy}") from None
    if given is not None:
        raise InputError(f"{path} does not exist. Write it with 'mstl domain-shift A B --out {path.parent}'.")
    command = _command(run, experiment)
    return {"command": command} if command else None


def _record(given: Path) -> Path:
    return given if given.suffix == ".json" else given / RECORD


def _command(run: Path, experiment: Mapping) -> str:
    """How to compare the scans of the run that this one began with to its own; "" where it began otherwise."""
    source = Path(str(experiment.get("init", "")))
    if not (source / "experiment.yaml").is_file():
        return ""
    folders = [one.get("prepared") for one in (read_experiment(source), experiment)]
    if not all(folders) or folders[0] == folders[1]:
        return ""
    return shlex.join(["mstl", "domain-shift", *map(str, folders), "--out", str(run)])
