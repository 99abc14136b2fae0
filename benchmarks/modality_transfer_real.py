"""Transfer between modalities on real MS patients: t1 and t2 after flair and t1ce, against from scratch.

Usage: python benchmarks/modality_transfer_real.py COHORT.csv FOLDER [--seeds 2] [--first-steps 300] [--steps 150]
       [--out FILE.csv]

Each patient of COHORT.csv is held out once, the others are trained on. Phase one learns lesions from flair and t1ce,
phase two from t1 and t2 of the same patients, with the same batches, settings and steps: from scratch, from phase one,
and from phase one with its first 25 layers frozen. Dice on the scanner's grid at a threshold of 0.5, as no patient is
left to choose one on. Writes a row a patient to FILE.csv. FOLDER keeps everything; rows that FILE.csv holds are not
computed again.
"""
from __future__ import annotations

import argparse
from pathlib import Path

from _study import Table
from modality_transfer import BUDGET, SCRATCH, SOURCE, STRATEGIES, TARGET, Strategy

import mstl
from mstl.data.prepared import to_native
from mstl.data.volume import read_mask
from mstl.evaluation.predictor import LESION, Predictor
from mstl.evaluation.threshold import NEUTRAL, dice_by_threshold
from mstl.training.experiment import train_experiment

PREPARATION = {"spacing": 1.0}
SETTINGS = {**BUDGET, "loss": "bce_dice", "augment": "strong", "validation_steps": None}
KEYS = ("modalities", "strategy", "held_out", "seed", "steps")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("folder", type=Path, help="keeps prepared cases and runs")
    arguments.add_argument("--seeds", type=int, default=2)
    arguments.add_argument("--first-steps", type=int, default=300, help="of phase one")
    arguments.add_argument("--steps", type=int, default=150, help="of phase two")
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/modality_transfer_real.csv"))
    options = arguments.parse_args()
    cohort = mstl.Cohort.from_csv(options.cohort)
    table = Table(options.out, keys=KEYS)
    for seed in range(options.seeds):
        for held_out in dict.fromkeys(case.subject for case in cohort):
            begun = [(SOURCE, SCRATCH, options.first_steps), *((TARGET, way, options.steps) for way in STRATEGIES)]
            init = "random"
            for modalities, strategy, steps in begun:
                key = {"modalities": "+".join(modalities), "strategy": strategy.name, "held_out": held_out}
                key |= {"seed": seed, "steps": steps}
                run = trained(cohort, options.folder, modalities, strategy, init, key)
                init = str(run.folder) if modalities == SOURCE else init
                if not table.has(**key):
                    table.add([{**key, **scored(run, cohort)}])


def trained(
    cohort: mstl.Cohort, folder: Path, modalities: tuple[str, ...], strategy: Strategy, init: str, key: dict
) -> mstl.Run:
    """The training on all patients but the one held out."""
    prepared = mstl.prepare(cohort, folder / "-".join(["prepared", *modalities]), modalities=modalities, **PREPARATION)
    out = folder / "-".join(str(value).replace(" ", "-").replace(",", "") for value in key.values())
    experiment = mstl.Experiment(
        prepared=str(prepared.folder),
        train_subjects=tuple(subject for subject in prepared.subjects if subject != key["held_out"]),
        test_subjects=(key["held_out"],),
        init=init if strategy.transfers else "random",
        freeze=strategy.freeze,
        epochs=key["steps"] // SETTINGS["steps_per_epoch"],
        seed=key["seed"],
        **SETTINGS,
    )
    return train_experiment(experiment, out=out, resume=out.exists())


def scored(run: mstl.Run, cohort: mstl.Cohort) -> dict:
    """Dice of the patient held out, and of those trained on their mean."""
    predictor = Predictor.of_run(run)
    masks = {case.name: case.mask for case in cohort}
    dice = {}
    for side in ("test", "train"):
        scores = [
            dice_by_threshold(to_native(predictor(case)[..., LESION], case).data, read_mask(masks[case.name]).data,
                              [NEUTRAL])[0]
            for case in run.prepared(side)
        ]  # fmt: skip
        dice[side] = round(float(sum(scores) / len(scores)), 4)
    return {"dice": dice["test"], "dice_of_trained": dice["train"]}


if __name__ == "__main__":
    main()
