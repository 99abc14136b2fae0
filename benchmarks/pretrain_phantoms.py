"""Train the small U-Net on randomised phantoms: the weights that ship as `weights/unet-small-phantoms.h5`.

Usage: python benchmarks/pretrain_phantoms.py FOLDER [--subjects N] [--epochs 40] [--steps 80] [--jobs 2]
       [--out FILE.h5] [--real COHORT.csv]

Phantoms of two kinds are mixed, see `KINDS`; FOLDER keeps them, the prepared cases and the run: what is there is used
again, a stopped training resumes. Of each kind the last tenth is scored at the end, the tenth before it chooses the
best epoch; neither is trained on. `--real` also scores real cases, with all modalities and with FLAIR alone; they are
not trained on.
"""
from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

import mstl
from mstl.files import sha256, whole_file

KINDS = (  # what write_phantoms is asked for
    {"scanner": "mixed", "randomise": 1.0, "subjects": 50, "seed": 2026},
    {"scanner": "research", "randomise": 0.5, "subjects": 60, "seed": 2027},
)
MODALITIES = ("flair", "t1", "t2")
PREPARATION = {"modalities": MODALITIES, "spacing": 1.0, "normalise": "zscore"}
SETTINGS = {
    "loss": "bce_dice",
    "learning_rate": 2e-3,
    "decay": "cosine",
    "batch_norm_momentum": 0.95,
    "batch_size": 8,
    "validation_steps": 16,
    "keep": "balanced",
    "crop": 128,
    "augment": "wide",
    "seed": 0,
}


def main() -> None:
    options = parse()
    cohort = mstl.Cohort([case for kind in KINDS for case in phantoms(kind, options)])
    prepared = mstl.prepare(cohort, options.folder / "prepared", jobs=options.jobs, **PREPARATION)
    train, validation, test = (prepared.select(side) for side in sides(prepared.subjects))
    started = time.perf_counter()
    model = mstl.models.build_model("unet-small", seed=SETTINGS["seed"], channels=len(MODALITIES))
    settings = {**SETTINGS, "epochs": options.epochs, "steps_per_epoch": options.steps, "workers": options.jobs}
    out = options.folder / "run"
    run = mstl.fit(model, train, validation, test=test, out=out, resume=out.exists(), **settings)
    minutes = (time.perf_counter() - started) / 60
    print(f"trained in {minutes:.1f} minutes; best validation Dice {run.history.val_dice.max():.3f}")
    with whole_file(options.out) as temporary:
        run.model("best").save_weights(temporary)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB, sha256 {sha256(options.out)}")
    report("held-out phantoms", run, test, cohort)
    if options.real is not None:
        real = mstl.Cohort.from_csv(options.real)
        for kept in (MODALITIES, MODALITIES[:1]):
            with tempfile.TemporaryDirectory() as folder:
                cases = mstl.prepare(real, folder, **PREPARATION)
                blank(cases, kept)
                report(f"real cases, {' '.join(kept)}", run, cases, real)


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--subjects", type=int, help="of each kind")
    arguments.add_argument("--epochs", type=int, default=40)
    arguments.add_argument("--steps", type=int, default=80, help="of an epoch")
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--out", type=Path, default=Path("weights/unet-small-phantoms.h5"))
    arguments.add_argument("--real", type=Path)
    return arguments.parse_args()


def phantoms(kind: dict, options: argparse.Namespace) -> list[mstl.Case]:
    """The cases of one kind, whose names begin with their scanner."""
    scans = options.folder / kind["scanner"]
    count = options.subjects or kind["subjects"]
    if (scans / "cohort.csv").exists():
        cohort = mstl.Cohort.from_csv(scans / "cohort.csv")[:count]
    else:
        drawn = {**kind, "subjects": count}
        cohort = mstl.write_phantoms(scans, modalities=MODALITIES, jobs=options.jobs, **drawn)
    return [replace(case, subject=f"{kind['scanner']}-{case.subject}") for case in cohort]


def sides(subjects: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Subjects to train on, to validate with, to test on: of each kind 80, 10 and 10%."""
    parts = ([], [], [])
    for kind in KINDS:
        names = [name for name in subjects if name.startswith(kind["scanner"])]
        tenth = max(len(names) // 10, 1)
        for part, chosen in zip(parts, (names[: -2 * tenth], names[-2 * tenth : -tenth], names[-tenth:]), strict=True):
            part.extend(chosen)
    return parts


def blank(cases: mstl.PreparedCohort, kept: tuple[str, ...]) -> None:
    """Set the modalities of prepared cases that are not `kept` to 0, on disk."""
    for case in cases:
        image = np.array(case.image)
        image[..., [name not in kept for name in case.modalities]] = 0
        np.save(case.folder / "image.npy", image)


def report(title: str, run: mstl.Run, prepared: mstl.PreparedCohort, cohort: mstl.Cohort) -> None:
    with tempfile.TemporaryDirectory() as folder:
        predictions = mstl.predict(run, prepared, out=Path(folder) / "predictions", threshold=0.5)
        scores = mstl.evaluate(predictions, [case for case in cohort if case.subject in prepared.subjects])
    print(f"\n{title}: median Dice {scores.dice.median():.3f}, lesion F1 {scores.lesion_f1.median():.3f}")
    columns = ["case", "reference_ml", "prediction_ml", "dice", "lesion_f1"]
    print(scores[columns].round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
