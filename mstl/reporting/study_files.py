"""What the folder of a study holds, read for its page: settings, sides, scores, costs, and how far its jobs are."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from mstl.errors import InputError
from mstl.evaluation.scores import SCORES, read_table
from mstl.evaluation.study_scores import KEYS
from mstl.files import read_json
from mstl.reporting.folder import read_csv
from mstl.settings import read_yaml

STUDY, SPLITS, TABLE, COSTS = "study.yaml", "splits.csv", "study.csv", "costs.csv"
RECORD, FAILURE, JOBS, SOURCES = "job.json", "failure.txt", "jobs", "sources"
TEXT = ("strategy", "subject", "case", "session")
REMEDY = "Give the folder that 'mstl compare' wrote."


@dataclass(frozen=True)
class StudyJob:
    """A training of a strategy, or of a source (whose `size`, and maybe `fold`, is None), and where it lies."""

    name: str
    size: int | None
    fold: int | None
    seed: int
    folder: Path

    @property
    def run(self) -> Path:
        """The folder of its training."""
        return self.folder / "run"

    @property
    def predictions(self) -> Path:
        """The folder of its predictions of the tested cases."""
        return self.folder / "predictions"

    @property
    def scores(self) -> Path:
        """The scores of the tested cases."""
        return self.folder / "scores.csv"

    @property
    def done(self) -> bool:
        """Whether it is finished."""
        return (self.folder / RECORD).exists()

    @property
    def failure(self) -> str | None:
        """Why it failed when it was last tried; None where it is done, or did not."""
        path = self.folder / FAILURE
        return path.read_text(encoding="utf-8").strip() if path.exists() and not self.done else None

    @property
    def record(self) -> dict:
        """Its `job.json`."""
        return read_json(self.folder / RECORD)

    @property
    def label(self) -> str:
        """Its folder within the study's."""
        return "/".join(self.folder.parts[-4 if self.size is not None else -3 :])


@dataclass(frozen=True)
class StudyFiles:
    """The folder of a study. Raises `InputError` where a file that every study has cannot be read."""

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> StudyFiles:
        """Of a folder that 'mstl compare' wrote; raises `InputError` for another one."""
        folder = Path(folder)
        for name in (STUDY, SPLITS):
            if not (folder / name).is_file():
                raise InputError(f"{folder} is no study (no {name}). {REMEDY}")
        return cls(folder)

    @cached_property
    def study(self) -> dict:
        """The settings."""
        return read_yaml(self.folder / STUDY)

    @property
    def strategies(self) -> list[str]:
        """Names of the strategies, in the order of the study."""
        return [str(name) for name in self.study.get("strategies", {})]

    @cached_property
    def splits(self) -> pd.DataFrame:
        """A row a fold, size and subject: the side."""
        return read_table(self.folder / SPLITS, columns=("fold", "size", "subject", "side"), text=("subject", "side"))

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row a tested case of each finished training; empty where none is finished."""
        path = self.folder / TABLE
        if not path.exists() or not path.read_text(encoding="utf-8").strip():
            return pd.DataFrame(columns=[*KEYS, *SCORES])
        columns = ("strategy", "size", "fold", "seed", "case", "subject", *SCORES)
        known = [name for name in columns if name in pd.read_csv(path, nrows=0).columns or name in KEYS]
        return read_table(path, columns=known, text=TEXT)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """A row a finished job; empty where none is."""
        path = self.folder / COSTS
        if not path.exists() or not path.read_text(encoding="utf-8").strip():
            return pd.DataFrame()
        return read_csv(path, REMEDY)[0].astype({"strategy": str})

    @cached_property
    def jobs(self) -> list[StudyJob]:
        """All trainings of strategies that the study consists of."""
        cells = self.splits[["fold", "size"]].drop_duplicates().itertuples(index=False)
        return [
            StudyJob(name, int(size), int(fold), int(seed), self.folder / JOBS / name / str(size) / f"{fold}-{seed}")
            for fold, size in cells
            for seed in self.study.get("seeds", [0])
            for name in self.strategies
        ]

    @cached_property
    def sources(self) -> list[StudyJob]:
        """The trainings of sources that have begun."""
        return list(self._sources())

    def _sources(self) -> Iterator[StudyJob]:
        for path in sorted((self.folder / SOURCES).glob("*/*")):
            *fold, seed = path.name.split("-")
            if path.is_dir() and seed.isdigit():
                yield StudyJob(path.parent.name, None, int(fold[0]) if fold else None, int(seed), path)

    @property
    def conventions(self) -> str:
        """What the head of a table of scores says; "" where there is none."""
        path = next((job.scores for job in self.jobs if job.scores.exists()), None)
        return "" if path is None else read_csv(path, REMEDY)[1]

    @property
    def progress(self) -> dict[str, int]:
        """How many trainings of strategies there are to do, are done and failed."""
        return {
            "jobs": len(self.jobs),
            "done": sum(job.done for job in self.jobs),
            "failed": sum(job.failure is not None for job in self.jobs),
        }
