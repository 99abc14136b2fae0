"""What each strategy of a study transferred and froze, in sentences, with the proof over all of its trainings."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from mstl.reporting.study_files import SOURCES, StudyFiles, StudyJob
from mstl.reporting.weights import weights_sentences
from mstl.reporting.weights_record import Origins, read_frozen, read_origins


def strategy_weights(files: StudyFiles) -> list[dict]:
    """A row a strategy with a finished training: its `sentences`, `transfers` (counts of tensors), and the `proof`.

    Sentences and counts are those of its first training with the most subjects; `changed` says whether anything frozen
    changed in any. Raises `InputError` where a record cannot be read.
    """
    rows = []
    for name in files.strategies:
        jobs = [job for job in files.jobs if job.name == name and job.done]
        if not jobs:
            continue
        first = max(jobs, key=lambda job: (job.size, -job.seed, -job.fold))
        origins, frozen = _named(read_origins(first.run)), read_frozen(first.run)
        rows.append({
            "strategy": name,
            "sentences": weights_sentences(origins, frozen),
            "transfers": [f"{one.source}: {one.summary}" for one in (origins.transfers if origins else ())],
            **_proof(jobs),
        })  # fmt: skip
    return rows


def _named(origins: Origins | None) -> Origins | None:
    """The same with sources of the study called by their names: their folders are all called "run"."""
    if origins is None:
        return None
    return replace(origins, transfers=tuple(replace(one, init=_source(one.init)) for one in origins.transfers))


def _source(init: str) -> str:
    parts = PurePath(init).parts
    return parts[-3] if len(parts) > 3 and parts[-4] == SOURCES and parts[-1] == "run" else init


def _proof(jobs: Sequence[StudyJob]) -> dict:
    """What all trainings of a strategy show about its frozen tensors."""
    records = [found for job in jobs if (found := read_frozen(job.run)) is not None]
    tensors = [tensor for one in records for tensor in one.tensors]
    changed = sum(tensor.unchanged is False for tensor in tensors)
    open_ = sum(tensor.unchanged is None for tensor in tensors)
    if not tensors:
        return {"proof": "", "changed": False}
    trainings = f"{len(records)} trainings" if len(records) != 1 else "1 training"
    whole = f"Over {trainings} {len(tensors):,} frozen tensors were hashed before and after"
    if changed:
        return {"proof": f"{whole}: {changed:,} changed, so that this is no proof.", "changed": True}
    rest = f", {open_:,} of them not compared yet" if open_ else ""
    return {"proof": f"{whole}: none changed{rest}.", "changed": False}
