"""Transfer between modalities on tumour phantoms: t1 and t2 after flair and t1ce, against from scratch.

Usage: python benchmarks/modality_transfer.py FOLDER [--seeds 3] [--sizes 5 12] [--first-steps N] [--steps N]
       [--out FILE.csv]

Gliomas of five scanners at 2 mm: twelve subjects to train on, three for validation, ten held out. Phase one learns the
classes from flair and t1ce of all twelve, once a seed. Phase two learns them from t1 and t2 of five or of twelve, with
the same batches, settings and steps each: from scratch, from phase one, and from phase one with its first 25 layers
frozen. Dice of each patient and region on the scanner's grid. Writes a row a patient and region to
FILE.csv, and the table beside it as .md. FOLDER keeps everything; rows that FILE.csv holds are not computed again.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from _study import Table, compared, over_patients

import mstl
from mstl.data.labels import to_labels
from mstl.data.prepared import to_native
from mstl.data.volume import read_volume
from mstl.evaluation.predictor import Predictor
from mstl.evaluation.regions import regions_of
from mstl.files import write_text
from mstl.training.experiment import train_experiment

SUBJECTS = {"train": 12, "validation": 3, "test": 10}
COHORT = {"disease": "tumour", "scanner": "mixed", "randomise": 0.3, "seed": 6}
LABELS = (1, 2, 4)
PREPARATION = {"spacing": 2.0, "labels": LABELS}
SOURCE, TARGET = ("flair", "t1ce"), ("t1", "t2")
BUDGET = {
    "model": "unet3d-residual",
    "model_options": {"filters": [8, 16, 16, 32]},
    "loss": "ce_dice",
    "learning_rate": 2e-3,
    "decay": "cosine",
    "patch": 48,
    "lesion_patches": 0.7,
    "batch_size": 2,
    "augment": "flips",
    "steps_per_epoch": 20,
    "validation_steps": 4,
    "plateau_patience": None,
}
KEYS = ("modalities", "subjects", "strategy", "seed", "steps")


@dataclass(frozen=True)
class Strategy:
    """A way to begin phase two: from phase one's weights or from random ones, and what of them stays."""

    name: str
    transfers: bool = True
    freeze: str = "none"


SCRATCH = Strategy("from scratch", transfers=False)
STRATEGIES = (
    SCRATCH,
    Strategy("from phase one"),
    Strategy("from phase one, first 25 layers frozen", freeze="first:25"),
)


def main() -> None:
    options = parse()
    study = Study(options.folder)
    table = Table(options.out, keys=KEYS)
    for seed in range(options.seeds):
        first = study.run(SOURCE, SUBJECTS["train"], SCRATCH, seed=seed, steps=options.first_steps)
        add(table, study, first, SOURCE, SUBJECTS["train"], SCRATCH, seed=seed, steps=options.first_steps)
        for size, strategy in product(options.sizes, STRATEGIES):
            about = {"seed": seed, "steps": options.steps}
            if not table.has(**identity(TARGET, size, strategy), **about):
                run = study.run(TARGET, size, strategy, init=first.folder, **about)
                add(table, study, run, TARGET, size, strategy, **about)
    write_text(options.out.with_suffix(".md"), "\n".join(page(table.frame, options)) + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps phantoms, prepared cases and runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 12], help="training subjects of phase two")
    parser.add_argument("--first-steps", type=int, default=300, help="of phase one")
    parser.add_argument("--steps", type=int, default=120, help="of phase two")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/modality_transfer.csv"))
    return parser.parse_args()


class Study:
    """The cohort in a folder, prepared with both pairs of modalities, and the trainings on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        scans = folder / "scans"
        if (scans / "cohort.csv").exists():
            self.cohort = mstl.Cohort.from_csv(scans / "cohort.csv")
        else:
            subjects = sum(SUBJECTS.values())
            self.cohort = mstl.write_phantoms(scans, subjects=subjects, jobs=2, modalities=SOURCE + TARGET, **COHORT)
        names = iter(case.subject for case in self.cohort)
        self.sides = {side: [next(names) for _ in range(size)] for side, size in SUBJECTS.items()}

    def prepared(self, modalities: tuple[str, ...]) -> mstl.PreparedCohort:
        """All cases with two of their modalities."""
        out = self.folder / f"prepared-{'-'.join(modalities)}"
        return mstl.prepare(self.cohort, out, modalities=modalities, jobs=2, **PREPARATION)

    def run(
        self,
        modalities: tuple[str, ...],
        size: int,
        strategy: Strategy,
        *,
        seed: int,
        steps: int,
        init: Path | None = None,
    ) -> mstl.Run:
        """The training of one row of the table."""
        words = [*modalities, str(size), strategy.name.replace(" ", "-").replace(",", ""), str(steps), str(seed)]
        out = self.folder / "-".join(words)
        experiment = mstl.Experiment(
            prepared=str(self.prepared(modalities).folder),
            train_subjects=tuple(self.sides["train"][:size]),
            validation_subjects=tuple(self.sides["validation"]),
            test_subjects=tuple(self.sides["test"]),
            init=str(init) if strategy.transfers else "random",
            freeze=strategy.freeze,
            epochs=steps // BUDGET["steps_per_epoch"],
            seed=seed,
            **BUDGET,
        )
        return train_experiment(experiment, out=out, resume=out.exists())

    def scores(self, run: mstl.Run) -> Iterator[dict]:
        """A row a held-out subject and region: its Dice on the scanner's grid; 1 where neither mask has the region."""
        predictor = Predictor.of_run(run)
        masks = {case.name: case.mask for case in self.cohort}
        for case in run.prepared("test"):
            probability = predictor(case)
            native = np.stack([to_native(one, case).data for one in np.moveaxis(probability, -1, 0)], axis=-1)
            predicted, mask = to_labels(native.argmax(-1).astype(np.uint8), LABELS), read_volume(masks[case.name]).data
            for region, labels in regions_of(LABELS).items():
                ours, theirs = np.isin(predicted, labels), np.isin(mask, labels)
                total = ours.sum() + theirs.sum()
                dice = 2 * (ours & theirs).sum() / total if total else 1.0
                yield {"subject": case.subject, "region": region, "dice": round(float(dice), 4)}


def identity(modalities: tuple[str, ...], size: int, strategy: Strategy) -> dict:
    """What tells rows of the CSV apart, beside seed and steps."""
    return {"modalities": "+".join(modalities), "subjects": size, "strategy": strategy.name}


def add(table: Table, study: Study, run: mstl.Run, *which, **about) -> None:
    """Score a run into the table, where it is not there."""
    key = {**identity(*which), **about}
    if not table.has(**key):
        table.add([{**key, **row} for row in study.scores(run)])


def page(rows: pd.DataFrame, options: argparse.Namespace) -> Iterable[str]:
    """Lines of the .md file."""
    yield "# Transfer between modalities, on tumour phantoms\n"
    yield "Written by `benchmarks/modality_transfer.py`. Mean Dice over ten held-out patients of each one's mean over"
    yield "seeds; sd between seeds behind ±.\n"
    regions = list(regions_of(LABELS))
    yield f"| trained on | subjects | begins | {' | '.join(regions)} |"
    yield "|---|---|---|" + "---|" * len(regions)
    steps = {"+".join(SOURCE): options.first_steps, "+".join(TARGET): options.steps}
    rows = rows[rows.steps == rows.modalities.map(steps)]
    for (modalities, size, strategy), group in rows.groupby(["modalities", "subjects", "strategy"], sort=False):
        cells = [over_patients(group[group.region == region]) for region in regions]
        yield f"| {modalities}, {steps[modalities]} steps | {size} | {strategy} | {' | '.join(cells)} |"
    yield "\nWhole tumour, patient by patient, against from scratch on the same subjects:\n"
    target = rows[(rows.modalities == "+".join(TARGET)) & (rows.region == "whole")]
    for (size, strategy), group in target.groupby(["subjects", "strategy"], sort=False):
        twin = target[(target.subjects == size) & (target.strategy == SCRATCH.name)]
        if strategy != SCRATCH.name and not twin.empty:
            yield f"- {size} subjects, {strategy}: {compared(group, twin)}."


if __name__ == "__main__":
    main()
