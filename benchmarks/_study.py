"""What the studies of GAN pre-training share: a cohort of several scanners, its sides, the budget, the scores.

Everything goes through the library's own functions and stays in one folder, so that what a study has made is used
again: by the same study when it is stopped and run again, and by the next one where both train the same.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import mstl
from mstl.data.heads.scanner import SCANNERS
from mstl.data.prepared import to_native
from mstl.data.volume import read_mask
from mstl.evaluation.predictor import BATCH_SIZE, LESION, Predictor
from mstl.evaluation.threshold import NEUTRAL, dice_by_threshold, set_threshold
from mstl.files import write_text
from mstl.training.experiment import train_experiment

SIZES = {"labelled": 5, "validation": 5, "test": 10, "unlabelled": 25}  # multiples of the five scanners
SUBJECTS_OF = {"train": "labelled", "validation": "validation", "test": "test"}  # sides of a labelled training
COHORT_SEED = 2021
PREPARATION = {"modalities": ("flair",), "spacing": (2.0, 1.6, 1.6), "shape": (96, 128, 128), "normalise": "max"}
SIDE = 128  # whole slices
BATCH = 8
STEPS, STEPS_PER_EPOCH = 300, 25
BUDGET = {
    "loss": "bce_dice",
    "learning_rate": 1e-3,
    "decay": "cosine",
    "batch_norm_momentum": 0.9,
    "batch_size": BATCH,
    "crop": SIDE,
    "keep": "lesion",
    "augment": "thesis",
    "steps_per_epoch": STEPS_PER_EPOCH,
    "validation_steps": 8,
}
GAN_STEPS = 1000
GAN_BUDGET = {
    "batch_size": BATCH,
    "crop": SIDE,
    "learning_rate": 2e-3,  # this and the next two: what 2e-4 of every pixel alike cannot reach within so few steps
    "decay": "cosine",
    "hidden_weight": 10.0,
    "tile": 10,  # 16 mm, as published
    "steps_per_epoch": 50,
    "validation_steps": 8,
    "sample_every": 10,
}
SEGMENTER = "pix2pix-segmenter"
WIDTH = 16


@dataclass(frozen=True)
class Data:
    """The scans, the same prepared, and the subjects of each side."""

    cohort: mstl.Cohort
    prepared: mstl.PreparedCohort
    sides: dict[str, tuple[str, ...]]

    def select(self, *sides: str) -> mstl.PreparedCohort:
        """The prepared cases of some sides."""
        return self.prepared.select([subject for side in sides for subject in self.sides[side]])

    def scanner(self, subject: str) -> str:
        """The profile that a subject was scanned with."""
        return list(SCANNERS)[self.prepared.subjects.index(subject) % len(SCANNERS)]


def phantoms(folder: Path) -> Data:
    """The cohort of the studies in `folder`, made where it is not there; every side has all scanners equally often."""
    scans, modalities = folder / "scans", PREPARATION["modalities"]
    if (scans / "cohort.csv").exists():
        cohort = mstl.Cohort.from_csv(scans / "cohort.csv")
    else:
        drawn = {"subjects": sum(SIZES.values()), "scanner": "mixed", "seed": COHORT_SEED}
        cohort = mstl.write_phantoms(scans, modalities=modalities, jobs=2, **drawn)
    prepared = mstl.prepare(cohort, folder / "prepared", jobs=2, **PREPARATION)
    names = iter(prepared.subjects)
    return Data(cohort, prepared, {side: tuple(next(names) for _ in range(size)) for side, size in SIZES.items()})


def pretrain(data: Data, folder: Path, *, seed: int, norm_mode: str, steps: int = GAN_STEPS) -> Path:
    """The folder of a GAN that saw the scans of all training subjects, labelled or not, and no mask."""
    from mstl.training.pretrain_gan import pretrain_gan

    out = folder / f"gan-{norm_mode}-{steps}-{seed}"
    train, validation = data.select("labelled", "unlabelled"), data.select("validation")
    epochs = steps // GAN_BUDGET["steps_per_epoch"]
    settings = {**GAN_BUDGET, "width": WIDTH, "norm_mode": norm_mode, "epochs": epochs, "seed": seed}
    return pretrain_gan(train, validation, out=out, resume=out.exists(), **settings).folder


def train(
    data: Data, folder: Path, *, model: str, options: dict, label: str, seed: int, steps: int, **settings
) -> mstl.Run:
    """A run of the budget on the labelled subjects, its threshold chosen on those of validation.

    Its folder below `folder` is named by the model, the `label` (what is left to tell), steps and seed.
    """
    norm = [options["norm_mode"]] if "norm_mode" in options else []
    out = folder / "-".join([model, *norm, label, str(steps), str(seed)])
    sides = {f"{to}_subjects": data.sides[of] for to, of in SUBJECTS_OF.items()}
    described = {**BUDGET, **sides, **settings, "model": model, "model_options": options, "seed": seed}
    experiment = mstl.Experiment(prepared=str(data.prepared.folder), epochs=steps // STEPS_PER_EPOCH, **described)
    run = train_experiment(experiment, out=out, resume=out.exists())
    set_threshold(run)
    return run


def segmenter(norm_mode: str) -> dict:
    """Model and options of the segmenter whose encoder the GAN of that `norm_mode` has."""
    return {"model": SEGMENTER, "options": {"width": WIDTH, "norm_mode": norm_mode, "rescale": True}}


def scores(data: Data, run: mstl.Run, *, batch_size: int = BATCH_SIZE) -> Iterator[dict]:
    """A row a test subject: its Dice on the scanner's grid at 0.5 and at the run's threshold."""
    predictor, threshold = Predictor(run.model(), batch_size=batch_size), run.threshold
    masks = {case.name: case.mask for case in data.cohort}
    cuts = sorted({NEUTRAL, threshold})
    for case in run.prepared("test"):
        native, mask = to_native(predictor(case)[..., LESION], case), read_mask(masks[case.name])
        dice = dict(zip(cuts, dice_by_threshold(native.data, mask.data, cuts).round(4).tolist(), strict=True))
        about = {"subject": case.subject, "scanner": data.scanner(case.subject), "lesion_ml": round(case.lesion_ml, 2)}
        yield {**about, "threshold": threshold, "dice_at_half": dice[NEUTRAL], "dice": dice[threshold]}


class Table:
    """Rows of a CSV that grows: what it holds need not be computed again."""

    def __init__(self, path: Path, *, keys: tuple[str, ...]) -> None:
        self.path = path
        self.keys = keys
        self.rows = pd.read_csv(path, comment="#", keep_default_na=False).to_dict("records") if path.exists() else []

    def has(self, **key) -> bool:
        """Whether there are rows of that key."""
        return any(all(row[name] == key[name] for name in self.keys) for row in self.rows)

    def add(self, rows: list[dict]) -> None:
        """Append rows and write the file; they are also printed."""
        self.rows += rows
        text = pd.DataFrame(self.rows).to_csv(index=False, lineterminator="\n")
        write_text(self.path, f"# Written by benchmarks/{Path(sys.argv[0]).name}.\n{text}")
        for row in rows:
            print(*row.values(), flush=True)

    @property
    def frame(self) -> pd.DataFrame:
        """All rows."""
        return pd.DataFrame(self.rows)


def over_patients(rows: pd.DataFrame, column: str = "dice") -> str:
    """Mean over patients of their mean over seeds ± the standard deviation between seeds of the patients' mean."""
    mean = rows.groupby("subject")[column].mean().mean()
    return f"{mean:.3f} ± {rows.groupby('seed')[column].mean().std():.3f}"


def compared(rows: pd.DataFrame, twin: pd.DataFrame, column: str = "dice") -> str:
    """The difference to the twin: mean over patients, of how many patients it is above 0, and of each seed."""
    patients = rows.groupby("subject")[column].mean() - twin.groupby("subject")[column].mean()
    seeds = rows.groupby("seed")[column].mean() - twin.groupby("seed")[column].mean()
    listed = ", ".join(f"{difference:+.3f}" for difference in seeds)
    return f"{patients.mean():+.3f}, better in {(patients > 0).sum()} of {len(patients)} patients (seeds: {listed})"


def arguments(description: str, *, out: str) -> argparse.ArgumentParser:
    """The options that both studies have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path, help="keeps phantoms, prepared cases and runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS, help="of a training on labelled subjects")
    parser.add_argument("--gan-steps", type=int, default=GAN_STEPS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results") / out)
    return parser
