"""The whole journey on a synthetic cohort: what `mstl demo` does, and what a newcomer reads to learn the steps."""
from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console

from mstl.config import Experiment
from mstl.data.check import check_cohort
from mstl.data.phantom import write_phantoms
from mstl.data.prepare import prepare
from mstl.errors import InputError
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.predict import predict
from mstl.evaluation.threshold import set_threshold
from mstl.files import new_folder
from mstl.reporting.page import write_report
from mstl.training.experiment import train_experiment
from mstl.training.progress import TrainingProgress

SUBJECTS = 10
MODALITIES = ("flair", "t1", "t2")
SETTINGS = {
    "ratios": (0.6, 0.2, 0.2),
    "stem": "direct",
    "loss": "bce_dice",
    "learning_rate": 1e-3,
    "decay": "cosine",
    "epochs": 5,
    "steps_per_epoch": 50,
    "validation_steps": 10,
    "batch_norm_momentum": 0.9,
    "batch_size": 8,
    "crop": 96,
    "augment": "thesis",
}
JOBS = 2  # processes that make and prepare cases



def run_demo(out: str | Path, *, seed: int = 0, console: Console | None = None) -> pd.DataFrame:
    """Make phantoms, check, prepare, train, choose a threshold, predict the held-out, score, report.

    Everything goes into the new folder `out`: `scans/`, `prepared/`, `run/`, `predictions/`, `scores.csv`.
    Returns the scores, a row a held-out case. Raises `InputError` where `out` is not empty or the disk is full.
    """
    out, console = new_folder(out), console or Console(quiet=True)
    console.print(f"1/6 Making {SUBJECTS} synthetic subjects with MS lesions")
    cohort = write_phantoms(out / "scans", subjects=SUBJECTS, modalities=MODALITIES, seed=seed, jobs=JOBS)
    console.print("2/6 Checking every file")
    wrong = [finding for finding in check_cohort(cohort, jobs=JOBS) if finding.level == "error"]
    if wrong:
        raise InputError(f"The synthetic cohort is damaged: {wrong[0].message}")
    console.print("3/6 Preparing: one orientation, the brain in the middle, intensities normalised")
    prepare(cohort, out / "prepared", modalities=MODALITIES, jobs=JOBS)
    console.print("4/6 Training a U-Net with a ResNet-34 encoder from random weights")
    experiment = Experiment(prepared=str(out / "prepared"), seed=seed, **SETTINGS)
    with TrainingProgress(console) as bar:
        run = train_experiment(experiment, out=out / "run", callbacks=[bar])
    console.print("5/6 Choosing the threshold on validation subjects, then predicting the held-out ones")
    set_threshold(run)
    held_out = cohort.select(run.experiment.test_subjects)
    predictions = predict(run, run.prepared("test"), out=out / "predictions")
    scores = evaluate(predictions, held_out, out=out / "scores.csv")
    console.print("6/6 Writing the report")
    write_report(run.folder, predictions=predictions, cohort=held_out, scores=out / "scores.csv")
    return scores
