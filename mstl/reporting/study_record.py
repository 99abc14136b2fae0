"""How a study can be repeated and checked: command, versions, seeds, hashes, sides, and the trainings that failed."""
from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping

from mstl.files import read_json, sha256
from mstl.reporting.folder import flatten
from mstl.reporting.study_files import SPLITS, STUDY, TABLE, StudyFiles, StudyJob

SIDES = ("test", "validation", "train")


def study_record(files: StudyFiles) -> dict:
    """What the page says on how the study was done. Raises `InputError` where a record cannot be read."""
    done = [job for job in [*files.sources, *files.jobs] if job.done]
    return {
        "command": f"mstl compare {shlex.quote(str(files.folder / STUDY))} --out NEW",
        "resume": f"mstl compare {shlex.quote(str(files.folder / STUDY))} --out {shlex.quote(str(files.folder))} "
                  "--resume",
        "settings": [{"title": "Study", "items": flatten(files.study)}],
        "versions": _versions(done),
        "files": [(name, sha256(files.folder / name)) for name in (STUDY, SPLITS, TABLE)
                  if (files.folder / name).exists()],
        "hashes": [(job.label, name, digest) for job in done for name, digest in job.record.get("files", {}).items()],
        "failed": [(job.label, job.failure) for job in [*files.sources, *files.jobs] if job.failure is not None],
        "splits": _splits(files),
    }  # fmt: skip


def _versions(jobs: Iterable[StudyJob]) -> list[tuple[str, str]]:
    """Names and versions over all trainings; where they differ each with how many have it."""
    found: dict[str, Counter] = {}
    for job in jobs:
        path = job.run / "environment.json"
        if path.exists():
            for name, value in _facts(read_json(path)):
                found.setdefault(name, Counter())[value] += 1
    return [(name, _one_or_all(values)) for name, values in found.items()]


def _facts(environment: Mapping) -> list[tuple[str, str]]:
    known = {key: environment.get(key) for key in ("python", "platform", "git_revision")}
    known |= dict(environment.get("packages") or {})
    return [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in known.items() if value]


def _one_or_all(values: Counter) -> str:
    if len(values) == 1:
        return next(iter(values))
    return ", ".join(f"{value} (in {count})" for value, count in values.most_common())


def _splits(files: StudyFiles) -> list[dict]:
    """A row a fold: test and validation subjects, and by size those trained on."""
    rows = []
    for fold, group in files.splits.groupby("fold"):
        largest = group[group["size"] == group["size"].max()]
        names = {side: sorted(largest.loc[largest["side"] == side, "subject"]) for side in SIDES}
        trained = group[group["side"] == "train"].groupby("size")["subject"].apply(sorted).to_dict()
        rows.append({"fold": int(fold), **names, "sizes": {int(size): who for size, who in trained.items()}})
    return rows
