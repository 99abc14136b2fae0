"""The main job from each kind of initial weights, at one small budget, on synthetic patients.

Usage: python benchmarks/inits.py [--epochs 4] [--steps 25] [--out benchmarks/results/inits.csv]

Prepares ten quick phantoms, trains `unet-small` from random weights, from the shipped weights by name, from a file, and
from the folder of a run with the encoder frozen; `unet-resnet34` from random weights and from ImageNet where these are
here or can be fetched. Prints and writes the Dice of held-out subjects at threshold 0.5.
"""
from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

import mstl
from mstl.files import read_json, whole_file
from mstl.training.experiment import train_experiment

SHIPPED = "unet-small-phantoms"
BUDGET = {"batch_size": 8, "crop": 96, "learning_rate": 1e-3, "decay": "cosine", "batch_norm_momentum": 0.9,
          "augment": "thesis", "validation_steps": 8}  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--epochs", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=25)
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/inits.csv"))
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cohort = mstl.write_phantoms(folder / "scans", subjects=10, scanner="quick", seed=7, jobs=2)
        mstl.prepare(cohort, folder / "prepared", modalities=("flair", "t1", "t2"), jobs=2)
        small = mstl.Experiment(prepared=str(folder / "prepared"), model="unet-small", epochs=options.epochs,
                                steps_per_epoch=options.steps, **BUDGET)  # fmt: skip
        large = replace(small, model="unet-resnet34", stem="direct")
        rows = [result("random", small, cohort, folder / "random")]
        shutil.copy(folder / "random" / "best.h5", folder / "old.h5")
        kinds = {
            SHIPPED: replace(small, init=SHIPPED),
            "file.h5": replace(small, init=str(folder / "old.h5")),
            "run, encoder frozen": replace(
                small, init=str(folder / "random"), init_include=("encoder",), freeze=("encoder",)
            ),
            "random (ResNet-34)": large,
            "imagenet (ResNet-34)": replace(large, init="imagenet"),
        }
        for number, (name, kind) in enumerate(kinds.items()):
            rows.append(result(name, kind, cohort, folder / f"run-{number}"))
    table = pd.DataFrame(rows)
    with whole_file(options.out) as temporary:
        table.to_csv(temporary, index=False)
    print(table.to_string(index=False))


def result(name: str, experiment: mstl.Experiment, cohort: mstl.Cohort, out: Path) -> dict:
    """One training and its scores; an `init` that cannot be had is said instead."""
    try:
        run = train_experiment(experiment, out=out)
    except mstl.InputError as error:
        return {"init": name, "note": str(error).split(". ")[0]}
    predictions = mstl.predict(run, run.prepared("test"), out=out / "predictions")
    scores = mstl.evaluate(predictions, cohort.select(run.experiment.test_subjects), out=out / "scores.csv")
    transfers = read_json(out / "transfer.json")["transfers"]
    loaded = sum(transfers[0]["counts"][status] for status in ("load", "renamed", "adapted")) if transfers else 0
    frozen = read_json(out / "freeze.json")["frozen"]
    return {"init": name, "tensors_loaded": loaded, "parameters_frozen": frozen,
            "dice": round(float(scores["dice"].mean()), 3), "note": ""}  # fmt: skip


if __name__ == "__main__":
    main()
