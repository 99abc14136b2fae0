"""The ten trainings of the OCT fluid study, from random weights and from self-supervised ones, beside its table.

Usage: python benchmarks/oct_table.py OCT_FOLDER FOLDER [--rows NAME ...] [--splits published fold0 ...]
       [--inits random restored] [--out FILE.csv] [--set KEY=VALUE ...]

OCT_FOLDER holds the 110 published images (layout oct-dme). A row is a strategy of configs/oct-fluid.yaml: its head,
crop, loss and, as a multiple, its steps. What all rows share is our budget (BUDGET): images at their stored 256 x 256
with crops and windows of half the published sides, which show as much of the eye; a narrower network; Adam along a
cosine; augmentation; crops around fluid instead of by class shares; bfloat16. The published split has images of one eye
on both sides; fold0 to fold4 hold out two eyes each. "restored" starts at a network that learned to restore hidden
blocks in the training images of the split, without masks. The last weights are scored, the test images are used once,
windows as published (a stride of 2/3), cut at 0.5.

Writes a row a training to FILE.csv, and the table beside it as .md. FOLDER keeps everything; trainings that FILE.csv
holds are not repeated.
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from _study import Table

import mstl
from mstl.data.layouts.oct import A_SUBJECT, published_split
from mstl.evaluation.pairs import read_pairs
from mstl.evaluation.pooled import Areas, pooled_scores, read_pooled
from mstl.files import write_text
from mstl.strategies import named_strategies
from mstl.training.experiment import train_experiment
from mstl.training.pretrain_gan import pretrain_gan

CONFIG = Path("configs/oct-fluid.yaml")
PUBLISHED, FOLDS = "published", 5
RANDOM, RESTORED = "random", "restored"
SIDE, PUBLISHED_SIDE = 256, 512
FACTOR = 3  # our steps for each published one
WIDTH, STEPS_PER_EPOCH = 16, 50
BUDGET = {
    "optimizer": "adam",
    "learning_rate": 2e-3,
    "decay": "cosine",
    "weight_decay": 0.0,
    "batch_norm_momentum": 0.9,
    "batch_size": 8,
    "class_share": None,
    "augment": "strong",
    "precision": "mixed_bfloat16",
}
RESTORATION = {
    "generator": "unet-s5",
    "adversarial_weight": 0.0,
    "activation": "sigmoid",
    "corruption": "blocks",
    "hidden_weight": 10.0,
    "width": WIDTH,
    "crop": 128,
    "batch_size": 8,
    "augment": "strong",
    "learning_rate": 2e-3,
    "decay": "cosine",
    "precision": "mixed_bfloat16",
    "epochs": 12,
    "steps_per_epoch": 50,
    "sample_every": 12,
}
KEYS = ("row", "split", "init", "changes")
SCORES = ("mdice", "macc", "miou", "mfscore", "dice_1")
PAPER = {  # mDice, mAcc, mIoU
    "fcn-256": (73.82, 68.77, 65.44),
    "psp-256": (72.27, 67.08, 64.11),
    "aspp-256": (73.63, 67.53, 65.28),
    "fcn-320": (77.44, 75.37, 68.72),
    "fcn-288": (77.37, 78.26, 68.32),
    "fcn-256-short": (71.38, 65.40, 63.39),
    "fcn-256-long": (65.70, 60.04, 59.07),
    "fcn-320-focal": (77.44, 78.74, 68.70),
    "fcn-320-dice": (77.63, 76.22, 68.90),
    "aspp-320-dice": (79.38, 77.44, 70.64),
}
EXPERTS = 0.58  # Dice of the fluid between the two experts, as published


def main() -> None:
    options = parse()
    study, changes = Study(options.images, options.folder, options.changes), " ".join(options.changes)
    table = Table(options.out, keys=KEYS)
    for split, init, row in product(options.splits, options.inits, options.rows):
        key = {"row": row, "split": split, "init": init, "changes": changes}
        if not table.has(**key):
            table.add([{**key, **study.scores(row, split, init)}])
    write_text(options.out.with_suffix(".md"), "\n".join(page(table.frame)) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="the published images, layout oct-dme")
    parser.add_argument("folder", type=Path, help="keeps prepared images and runs")
    parser.add_argument("--rows", nargs="+", default=list(PAPER), choices=PAPER)
    parser.add_argument("--splits", nargs="+", default=[PUBLISHED, *(f"fold{number}" for number in range(FOLDS))])
    parser.add_argument("--inits", nargs="+", default=[RANDOM, RESTORED], choices=[RANDOM, RESTORED])
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/oct_table.csv"))
    return parser.parse_args()


class Study:
    """The images prepared once for each kind of split, and the trainings on them."""

    def __init__(self, images: Path, folder: Path, changes: list[str]) -> None:
        self.images, self.folder, self.changes = images, folder, changes
        self._prepared: dict[str, tuple[mstl.Cohort, mstl.PreparedCohort]] = {}

    def cases(self, split: str) -> tuple[mstl.Cohort, mstl.PreparedCohort]:
        """Images as subjects of their own for the published split, else images of ten eyes."""
        variant = "by-image" if split == PUBLISHED else "by-subject"
        if variant not in self._prepared:
            cohort = mstl.Cohort.from_layout(self.images, layout="oct-dme", variant=variant)
            self._prepared[variant] = cohort, mstl.prepare(cohort, self.folder / variant, normalise="minmax", jobs=2)
        return self._prepared[variant]

    def sides(self, split: str) -> tuple[mstl.PreparedCohort, mstl.PreparedCohort]:
        """Training and test cases."""
        prepared = self.cases(split)[1]
        if split == PUBLISHED:
            train, test = (prepared.select(names) for names in published_split(self.images))
            return train, test
        return prepared.folds(FOLDS)[int(split.removeprefix("fold"))]

    def restored(self, split: str) -> Path:
        """The folder of the self-supervised pre-training on the training images of a split."""
        train, test = self.sides(split)
        out = self.folder / f"restored-{split}"
        return pretrain_gan(train, test=test, out=out, resume=out.exists(), **RESTORATION).folder

    def trained(self, row: str, split: str, init: str) -> mstl.Run:
        """One training of the table."""
        train, test = self.sides(split)
        settings = mstl.Experiment.load(CONFIG, strategy=row).to_dict()
        strategy = named_strategies(yaml.safe_load(CONFIG.read_text()), source=str(CONFIG))[row]
        half = {name: settings[name] * SIDE // PUBLISHED_SIDE for name in ("crop", "window")}
        steps = FACTOR * settings["epochs"] * settings["steps_per_epoch"]
        known = {
            "epochs": steps // STEPS_PER_EPOCH,
            "steps_per_epoch": STEPS_PER_EPOCH,
            "model_options": settings["model_options"] | strategy.get("model_options", {}) | {"width": WIDTH},
            "prepared": str(train.folder),
            "train_subjects": list(train.subjects),
            "test_subjects": list(test.subjects),
        }
        begun = {} if init == RANDOM else {"init": str(self.restored(split))}
        changed = {key: yaml.safe_load(value) for key, value in (change.split("=", 1) for change in self.changes)}
        experiment = mstl.Experiment.from_dict({**settings, **half, **known, **BUDGET, **begun, **changed})
        out = self.folder / "-".join([row, split, init, *self.changes])
        return train_experiment(experiment, out=out, resume=out.exists())

    def scores(self, row: str, split: str, init: str) -> dict:
        """Scores in percent: pooled over the test images, then means over images with fluid and over eyes."""
        began, used = time.monotonic(), time.process_time()
        run = self.trained(row, split, init)
        seconds, processor = time.monotonic() - began, time.process_time() - used
        cohort, cases = self.cases(split)[0].select(run.experiment.test_subjects), run.prepared("test")
        out = run.folder / "predictions"
        if not out.exists():
            mstl.predict(run, cases, out=out)
        images = mstl.evaluate(out, cohort, out=run.folder / "scores.csv")
        pooled = read_pooled(run.folder / "scores_pooled.csv")
        filled = images[images.empty_reference == 0]
        return {
            **{name: round(100 * float(pooled[name].iloc[0]), 2) for name in SCORES},
            "dice_of_images": round(100 * float(filled.dice.mean()), 2),
            "dice_of_eyes": round(100 * dice_of_eyes(out, cohort), 2),
            "images": len(images),
            "steps": run.experiment.epochs * run.experiment.steps_per_epoch,
            "seconds": round(seconds),
            "processor_seconds": round(processor),
        }


def dice_of_eyes(predictions: Path, cohort: mstl.Cohort) -> float:
    """Mean over eyes of the fluid's Dice, pooled over the B-scans of each; eleven images of the tree are one eye's."""
    areas: dict[int, Areas] = {}
    for pair in read_pairs(predictions, list(cohort)):
        eye = int(pair.case.images["oct"].stem.rpartition("_")[2]) // A_SUBJECT
        found = Areas.of(pair.prediction, pair.reference, num_classes=2)
        areas[eye] = areas[eye] + found if eye in areas else found
    return float(np.nanmean([pooled_scores(found)["dice_1"] for found in areas.values()]))


def page(rows: pd.DataFrame) -> Iterable[str]:
    """Lines of the .md file."""
    yield "# Fluid in OCT: the ten published trainings, and ours\n"
    yield f"Written by `benchmarks/oct_table.py`, whose text states our budget: width {WIDTH}, {FACTOR} times the"
    yield "published steps, crops at half size. Percent; pooled over the test images, means of fluid and background.\n"
    for (split, changes), group in rows.groupby([rows.split.str.rstrip("01234"), "changes"], sort=False):
        where = "The published split: images of one eye on both sides" if split == PUBLISHED else "Eyes held out"
        yield f"## {where}{f' ({changes})' if changes else ''}\n"
        inits = [init for init in (RANDOM, RESTORED) if init in group.init.unique()]
        names = (f"{init}: mDice, mAcc, mIoU" for init in inits)
        yield f"| training | published mDice, mAcc, mIoU | {' | '.join(names)} |"
        yield "|---|---|" + "---|" * len(inits)
        for row in group.row.unique():
            ours = [_cell(group[(group.row == row) & (group.init == init)]) for init in inits]
            yield f"| {row} | {', '.join(f'{score:.2f}' for score in PAPER[row])} | {' | '.join(ours)} |"
        means = group.groupby(["row", "init"])[["mdice", "dice_1", "dice_of_images", "dice_of_eyes"]].mean()
        (row, init), best = means.mdice.idxmax(), means.loc[means.mdice.idxmax()]
        yield (
            f"\nBest: {row}, {init}: Dice of the fluid {best.dice_1:.1f} pooled, {best.dice_of_images:.1f} a mean "
            f"image, {best.dice_of_eyes:.1f} a mean eye. The two experts agree at {100 * EXPERTS:.0f}.\n"
        )


def _cell(group: pd.DataFrame) -> str:
    if group.empty:
        return ""
    means = ", ".join(f"{group[name].mean():.2f}" for name in ("mdice", "macc", "miou"))
    return means if len(group) == 1 else f"{means} ({len(group)} folds, mDice ± {group.mdice.std():.2f})"


if __name__ == "__main__":
    main()
