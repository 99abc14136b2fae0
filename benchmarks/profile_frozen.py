"""The step of the classic 3D network with its first 25 layers frozen against all free, as their profiles show it.

Usage: python benchmarks/profile_frozen.py [--patch 64] [--steps 5] [--rounds 3] [--freeze first:25] [--out FILE.csv]

Each round trains both for a few steps on the same patches of a synthetic cohort, by `mstl.training`'s experiment with
`profile`, and reads the run's summary: step, wait for input, the longest kind of operation, frozen parameters. The
ratio is that of the medians over rounds. Target: at least 1.25 times faster.
"""
from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

import mstl
from mstl.files import read_json, whole_file
from mstl.training.experiment import train_experiment
from mstl.training.profile import PROFILE, SUMMARY, WARM_UP


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--patch", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=5)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--freeze", default="first:25")
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/profile_frozen.csv"))
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=2, scanner="quick", modalities=("flair", "t1"))
        prepared = mstl.prepare(cohort, Path(folder) / "prepared", modalities=("flair", "t1"))
        rows = [
            profiled(prepared, Path(folder) / f"{number}-{name}", freeze, patch=options.patch, steps=options.steps)
            for number in range(options.rounds)
            for name, freeze in (("free", "none"), ("frozen", options.freeze))
        ]
    table = pd.DataFrame(rows)
    medians = table.groupby("freeze")["step_ms"].median()
    table["times_faster"] = (medians["none"] / table["freeze"].map(medians)).round(3)
    with whole_file(options.out) as temporary:
        table.to_csv(temporary, index=False)
    print(table.to_string(index=False))
    print(f"{options.freeze}: {medians['none'] / medians[options.freeze]:.2f} times faster than all free")


def profiled(prepared: mstl.PreparedCohort, out: Path, freeze: str, *, patch: int, steps: int) -> dict:
    """A row of what the summary of a short training says."""
    first, second = prepared.subjects
    experiment = mstl.Experiment(
        prepared=str(prepared.folder), model="unet3d-classic", freeze=freeze, patch=(patch,) * 3, batch_size=1,
        train_subjects=(first, second), epochs=1, steps_per_epoch=WARM_UP + steps, augment="none",
    )  # fmt: skip
    summary = read_json(train_experiment(experiment, out=out, profile=steps).folder / PROFILE / SUMMARY)
    longest = summary["kinds"][0]
    return {
        "freeze": freeze,
        "patch": patch,
        "steps": summary["steps"],
        "step_ms": round(summary["step_ms"], 1),
        "input_share": round(summary["input_share"], 4),
        "trainable": summary["trainable"],
        "frozen": summary["frozen"],
        "longest": f"{longest['kind']} {longest['share']:.2f}",
    }


if __name__ == "__main__":
    main()
