"""Cases that are prepared in a minute: one job, two jobs, and a Dask cluster of two workers.

Usage: python benchmarks/scale.py [--cases 6] [--repetitions 3]

The cases are 1 mm phantoms of three modalities; every run prepares all of them into a new folder. One repetition
measures all three in turn, so that what else the machine does falls on all alike; medians are printed as ratios to
one job. The processes of this machine and of the cluster are started before. With one job a case has all cores, with
two jobs or workers each case has its share.
"""
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from distributed import LocalCluster

import mstl

WAYS = ("jobs=1", "jobs=2", "dask, 2 workers")


def minutes(cohort: mstl.Cohort, out: Path, **way) -> float:
    start = time.perf_counter()
    mstl.prepare(cohort, out, **way)
    return (time.perf_counter() - start) / 60


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cases", type=int, default=6)
    arguments.add_argument("--repetitions", type=int, default=3)
    options = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
    ):
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=options.cases, jobs=2)
        settings = ({"jobs": 1}, {"jobs": 2}, {"backend": "dask", "scheduler": cluster.scheduler_address})
        ways = dict(zip(WAYS, settings, strict=True))
        seen = {name: [] for name in ways}
        for number in range(options.repetitions + 1):  # the first one starts processes and imports
            for name, way in ways.items():
                seen[name].append(minutes(cohort, Path(folder) / f"{name}-{number}", **way))
    medians = {name: statistics.median(times[1:]) for name, times in seen.items()}
    for name, median in medians.items():
        print(f"{name}: {options.cases / median:.1f} cases a minute, {medians[WAYS[0]] / median:.2f} times one job")


if __name__ == "__main__":
    main()
