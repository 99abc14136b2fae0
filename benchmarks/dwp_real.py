"""The methods of benchmarks/dwp_table.py on real MS patients: sources, and the prior, from synthetic MS patients.

Usage: python benchmarks/dwp_real.py COHORT.csv FOLDER [--seeds 3] [--steps N] [--source-steps N] [--out FILE.csv]

Each patient of COHORT.csv is held out once, the others are trained on, in FLAIR and on the grid of the table's study.
Dice on the scanner's grid of the patient held out and, as mean, of those trained on; also that of the source network as
it is. Writes a row a training to FILE.csv. FOLDER is that of benchmarks/dwp_table.py: what it holds is used again.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _study import Table
from dwp_table import GRID, METHODS, SOURCE, Study, dice_and_iou

import mstl
from mstl.evaluation.predictor import Predictor

KEYS = ("held_out", "seed", "method", "steps")
UNCHANGED = "source network as it is"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("folder", type=Path, help="that of benchmarks/dwp_table.py")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--steps", type=int, default=60)
    arguments.add_argument("--source-steps", type=int, default=600)
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/dwp_real.csv"))
    options = arguments.parse_args()
    study, table = Study(options.folder, options.source_steps), Table(options.out, keys=KEYS)
    cohort = mstl.Cohort.from_csv(options.cohort)
    prepared = mstl.prepare(cohort, options.folder / "prepared-real", modalities=SOURCE["modalities"], **GRID)
    for held_out in prepared.subjects:
        for seed in range(options.seeds):
            for method in (UNCHANGED, *METHODS):
                key = {"held_out": held_out, "seed": seed, "method": method, "steps": options.steps}
                if not table.has(**key):
                    table.add([{**key, **scored(trained(study, prepared, key), prepared, cohort, held_out)}])


def trained(study: Study, prepared: mstl.PreparedCohort, key: dict) -> mstl.Run:
    """The training on all patients but the one held out."""
    if key["method"] == UNCHANGED:
        return study.source(key["seed"])
    about = {"train_subjects": tuple(subject for subject in prepared.subjects if subject != key["held_out"]),
             "test_subjects": (key["held_out"],)}  # fmt: skip
    name = "-".join(["real", *map(str, key.values())])
    return study.trained(key["method"], prepared, name, steps=key["steps"], seed=key["seed"], **about)


def scored(run: mstl.Run, prepared: mstl.PreparedCohort, cohort: mstl.Cohort, held_out: str) -> dict:
    """Dice of the patient held out, and the mean of the others."""
    predictor, masks = Predictor.of_run(run), {case.name: case.mask for case in cohort}
    dice = {case.subject: dice_and_iou(predictor(case), case, masks[case.name])[0] for case in prepared}
    others = [value for subject, value in dice.items() if subject != held_out]
    return {"dice": round(dice[held_out], 4), "dice_of_trained": round(float(np.mean(others)), 4)}


if __name__ == "__main__":
    main()
