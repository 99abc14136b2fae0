"""Peak memory of preparing and of training, with 4 cases and with 40.

Usage: python benchmarks/memory.py

Each measurement is a process of its own; the figure is its largest resident set. The cases are copies (links) of one
1 mm phantom, which as arrays hold some 30 MB each. Target: growth below 10%.
"""
from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import mstl

FEW, MANY = 4, 40


def prepare(folder: Path, cases: int) -> None:
    mstl.prepare(mstl.Cohort.from_csv(folder / f"cohort{cases}.csv"), folder / f"prepared{cases}")


def train(folder: Path, cases: int) -> None:
    prepared = mstl.PreparedCohort.open(folder / f"prepared{cases}")
    model = mstl.models.build_model("unet-resnet34", seed=0, channels=3, stem="direct")
    settings = {"epochs": 2, "steps_per_epoch": 20, "batch_size": 4, "crop": 64, "augment": "thesis"}
    mstl.fit(model, prepared, out=folder / f"run{cases}", **settings)


def peak(stage: str, folder: Path, cases: int) -> float:
    """Peak memory in MB of one stage, run in a new process."""
    command = [sys.executable, __file__, stage, str(folder), str(cases)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        case = mstl.write_phantoms(folder / "scans", subjects=1)[0]
        for count in (FEW, MANY):
            copies = mstl.Cohort(replace(case, subject=f"copy-{number:02d}") for number in range(count))
            copies.to_csv(folder / f"cohort{count}.csv")
        for stage in ("prepare", "train"):
            few, many = (peak(stage, folder, count) for count in (FEW, MANY))
            print(f"{stage}: {few:.0f} MB with {FEW} cases, {many:.0f} MB with {MANY}: growth {many / few - 1:+.1%}")
            shutil.rmtree(folder / f"run{MANY}", ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        {"prepare": prepare, "train": train}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    else:
        main()
