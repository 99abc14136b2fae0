"""The jobs of a study: trainings of sources, then those of strategies; where each lies, and whether it is done."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mstl.compare.divisions import Division
from mstl.compare.leakage import learns_from_target
from mstl.compare.study import BEGINNINGS, COMMAND, KERNEL_PRIOR, SEEDS, SOURCES, TRAIN, Study
from mstl.errors import InputError
from mstl.files import read_json, sha256
from mstl.reporting.study_files import JOBS, RECORD

STRATEGY, SOURCE = "strategy", "source"
RUN, PREDICTIONS, SCORES = "run", "predictions", "scores.csv"
FOLDERS = {STRATEGY: JOBS, SOURCE: SOURCES}


@dataclass(frozen=True)
class Job:
    """One training of a strategy or a source. `fold` is None for a source that is the same in all, `size` for any."""

    kind: str
    name: str
    seed: int
    fold: int | None = None
    size: int | None = None

    @property
    def label(self) -> str:
        """Its folder within the study's: jobs/<strategy>/<size>/<fold>-<seed>, sources/<source>/[<fold>-]<seed>."""
        sizes = [] if self.size is None else [str(self.size)]
        number = str(self.seed) if self.fold is None else f"{self.fold}-{self.seed}"
        return "/".join([FOLDERS[self.kind], self.name, *sizes, number])

    def key(self) -> dict:
        """What tells its rows in the study's tables."""
        return {"strategy": self.name, "size": self.size, "fold": self.fold, "seed": self.seed}


def jobs_of(study: Study, divisions: Sequence[Division]) -> list[list[Job]]:
    """All jobs in stages: those of one need nothing but what those before it made; the last stage are strategies."""
    folds = sorted({one.fold for one in divisions})
    stages = [[job for name in names for job in _of_source(name, study, folds)] for names in source_stages(study)]
    cells = [(one.size, one.fold, seed) for one in divisions for seed in study.seeds]
    cells.sort(key=lambda cell: (cell[2], cell[1], -cell[0]))  # a whole comparison early: first seed, fold after fold
    trained = [Job(STRATEGY, name, seed, fold, size) for size, fold, seed in cells for name in study.strategies]
    return [*stages, trained]


def source_stages(study: Study) -> list[list[str]]:
    """Names of the sources in the order in which they can be trained; raises `InputError` for a circle."""
    waiting = {name: set(needed_sources(name, study)) for name in study.sources}
    stages: list[list[str]] = []
    while waiting:
        ready = [name for name, needed in waiting.items() if not needed & waiting.keys()]
        if not ready:
            raise InputError(f"Sources {', '.join(waiting)} begin with each other in a circle. Mend the study.")
        stages.append(ready)
        waiting = {name: needed for name, needed in waiting.items() if name not in ready}
    return stages


def needed_sources(name: str, study: Study) -> Iterator[str]:
    """The other sources that a source begins with, or learns a prior from."""
    settings = study.sources[name]
    words = [settings.get(key, "") for key in BEGINNINGS] + list(settings.get(SOURCES, ()))
    return (word for word in words if word in study.sources)


def depends_on_fold(name: str, study: Study) -> bool:
    """Whether a source learns from the target's scans, itself or by a source that it needs."""
    own = learns_from_target(study.sources[name], study)
    return own or any(depends_on_fold(other, study) for other in needed_sources(name, study))


def seeds_of(name: str, study: Study) -> list[int]:
    """The seeds that a source is trained with."""
    settings = study.sources[name]
    return list(settings.get(SEEDS, [settings.get("seed", 0)]))


def source_jobs(name: str, study: Study, *, fold: int | None) -> list[Job]:
    """The jobs of a source that one fold begins with, one a seed."""
    fold = fold if depends_on_fold(name, study) else None
    return [Job(SOURCE, name, seed, fold) for seed in seeds_of(name, study)]


def source_job(name: str, study: Study, *, fold: int | None, seed: int) -> Job:
    """The one that a training of `seed` begins with: sources of several seeds take turns."""
    jobs = source_jobs(name, study, fold=fold)
    return jobs[study.seeds.index(seed) % len(jobs)] if seed in study.seeds else jobs[0]


def needed_jobs(job: Job, study: Study) -> list[Job]:
    """The jobs whose weights a job begins with."""
    if job.kind == STRATEGY:
        name = study.source_of(job.name)
        return [] if name is None else [source_job(name, study, fold=job.fold, seed=job.seed)]
    if study.sources[job.name].get(COMMAND, TRAIN) == KERNEL_PRIOR:
        return [one for name in needed_sources(job.name, study) for one in source_jobs(name, study, fold=job.fold)]
    return [source_job(name, study, fold=job.fold, seed=job.seed) for name in needed_sources(job.name, study)]


def is_done(job: Job, folder: Path) -> bool:
    """Whether a job of the study in `folder` is finished and its result is what it was then."""
    place = folder / job.label
    try:
        record = read_json(place / RECORD)
        return all(sha256(place / name) == digest for name, digest in record["files"].items())
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return False


def _of_source(name: str, study: Study, folds: Sequence[int]) -> list[Job]:
    every = folds if depends_on_fold(name, study) else [None]
    return [job for fold in every for job in source_jobs(name, study, fold=fold)]
