"""A tiny training that is exported: run, predictions and scores as the commands leave them."""
from pathlib import Path
from types import SimpleNamespace

from mstl.config import Experiment
from mstl.data.cohort import Cohort
from mstl.data.prepare import prepare
from mstl.evaluation.evaluate import evaluate
from mstl.evaluation.predict import predict
from mstl.training.experiment import train_experiment

TINY = {
    "model": "unet-small",
    "model_options": {"width": 2, "depth": 2},
    "train_subjects": ["anna", "ben"],
    "validation_subjects": ["cleo"],
    "test_subjects": ["dora"],
    "epochs": 1,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "validation_steps": 1,
}
SUBJECTS = ("anna", "ben", "cleo", "dora")


def train_tiny(home: Path, cases, *, preparation=None, scored=True, **settings) -> SimpleNamespace:
    """Prepare `cases` in `home`, train by `TINY` and `settings`; if `scored`, predict and score the test subjects."""
    cohort = Cohort(cases)
    cohort.to_csv(home / "cohort.csv")
    prepare(cohort, home / "prepared", **(preparation or {}))
    experiment = Experiment.from_dict(TINY | {"prepared": str(home / "prepared")} | settings)
    run = train_experiment(experiment, out=home / "run")
    test = cohort.select(experiment.test_subjects)
    if scored:
        predict(run, test, out=home / "predictions")
        evaluate(home / "predictions", test, out=home / "scores.csv")
    return SimpleNamespace(home=home, run=home / "run", cohort=cohort, test=test, scores=home / "scores.csv",
                           predictions=home / "predictions")  # fmt: skip


def texts_of(folder: Path) -> dict[str, str]:
    """Every file of text in a folder, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix != ".h5"}


def maps_of(folder: Path) -> dict[str, bytes]:
    """The bytes of every map in a folder of predictions."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}
