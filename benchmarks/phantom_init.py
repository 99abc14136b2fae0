"""What weights trained on phantoms are worth on real patients: as they are, and as initial weights.

Usage: python benchmarks/phantom_init.py COHORT.csv FOLDER [--weights FILE.h5] [--steps 100 300] [--rates 1e-3 1e-4]
       [--seeds 3] [--inits random phantoms] [--out FILE.csv]

The small U-Net is trained on each subject alone, from random weights and from the file, with equal batches, settings
and steps; the other subjects are predicted at a threshold of 0.5 and scored on the scanner's grid. Rows of 0 steps
are the file's weights without any training on real scans. FOLDER keeps the prepared cases; rows that FILE.csv holds
are not computed again.
"""
from __future__ import annotations

import argparse
import tempfile
from itertools import product
from pathlib import Path

import pandas as pd

import mstl
from mstl.data.prepared import to_native
from mstl.data.volume import read_mask
from mstl.evaluation.predictor import LESION, Predictor
from mstl.evaluation.scores import score_case
from mstl.evaluation.threshold import apply_threshold
from mstl.files import write_text
from mstl.transfer.plan import transfer_weights

HEADER = "# Written by benchmarks/phantom_init.py; Dice and lesion F1 at threshold 0.5 on the scanner's grid.\n"
KEYS = ["init", "train", "seed", "steps", "learning_rate"]
COLUMNS = ["init", "train", "test", "seed", "steps", "learning_rate", "dice", "precision", "sensitivity", "lesion_f1"]
PREPARATION = {"modalities": ("flair", "t1", "t2"), "spacing": 1.0, "normalise": "zscore"}
INITS = ("random", "phantoms")
THRESHOLD = 0.5
STEPS_PER_EPOCH = 20
SETTINGS = {
    "loss": "bce_dice",
    "decay": "cosine",
    "batch_norm_momentum": 0.9,
    "batch_size": 8,
    "keep": "balanced",
    "crop": 128,
    "augment": "strong",
    "steps_per_epoch": STEPS_PER_EPOCH,
}


def main() -> None:
    options = parse()
    cohort = mstl.Cohort.from_csv(options.cohort)
    prepared = mstl.prepare(cohort, options.folder, **PREPARATION)
    masks = {case.name: case.mask for case in cohort}
    rows = pd.read_csv(options.out, comment="#").to_dict("records") if options.out.exists() else []
    done = {tuple(row[key] for key in KEYS) for row in rows}
    for init, side, seed, steps, rate in plan(prepared.subjects, options):
        train = "+".join(side) or "none"
        if (init, train, seed, steps, rate) in done:
            continue
        test = [subject for subject in prepared.subjects if subject not in side]
        trainable = prepared.select(side or test)
        model = trained(trainable, init=init, seed=seed, steps=steps, rate=rate, weights=options.weights)
        for case in prepared.select(test):
            scores = score(model, case, masks[case.name])
            row = {"init": init, "train": train, "test": case.subject, "seed": seed, "steps": steps}
            row["learning_rate"] = rate
            rows.append(row | {name: round(scores[name], 4) for name in COLUMNS[len(row) :]})
            print(*rows[-1].values(), flush=True)
        write_text(options.out, HEADER + pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
    table = pd.read_csv(options.out, comment="#")
    grouped = table.groupby(["test", "train", "steps", "learning_rate", "init"])[["dice", "lesion_f1"]]
    print(grouped.agg(["count", "mean", "std"]).round(3).to_string())


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--weights", type=Path, default=Path("weights/unet-small-phantoms.h5"))
    arguments.add_argument("--steps", type=int, nargs="+", default=[100, 300])
    arguments.add_argument("--rates", type=float, nargs="+", default=[1e-3, 1e-4])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--inits", nargs="+", choices=INITS, default=INITS)
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/phantom_init.csv"))
    return arguments.parse_args()


def plan(subjects: tuple[str, ...], options: argparse.Namespace) -> list[tuple]:
    """Each training as (initial weights, subjects trained on, seed, steps, learning rate); no subjects: none."""
    sides = [(subject,) for subject in subjects]
    trainings = product(options.rates, options.steps, range(options.seeds), sides, options.inits)
    untrained = [("phantoms", (), 0, 0, 0.0)] if "phantoms" in options.inits else []
    return [*untrained, *((init, side, seed, steps, rate) for rate, steps, seed, side, init in trainings)]


def trained(prepared: mstl.PreparedCohort, *, init: str, seed: int, steps: int, rate: float, weights: Path):
    """The small U-Net from `init`, trained on `prepared` for `steps`."""
    model = mstl.models.build_model("unet-small", seed=seed, channels=len(prepared.preparation["modalities"]))
    if init == "phantoms":
        transfer_weights(weights, model)
    if steps:
        with tempfile.TemporaryDirectory() as folder:
            settings = {**SETTINGS, "learning_rate": rate, "epochs": steps // STEPS_PER_EPOCH, "seed": seed}
            mstl.fit(model, prepared, out=Path(folder) / "run", **settings)
    return model


def score(model, case, mask: Path) -> dict:
    """Scores of one case on the grid of its scan."""
    native = to_native(Predictor(model)(case)[..., LESION], case)
    reference = read_mask(mask)
    return score_case(apply_threshold(native.data, THRESHOLD), reference.data, spacing=reference.spacing)


if __name__ == "__main__":
    main()
