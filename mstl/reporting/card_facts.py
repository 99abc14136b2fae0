"""Facts of a model card that a run's folder and its model hold: task, network, weights, budget."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mstl._keras import keras
from mstl.config import AUTO, GAUSSIAN_PRIOR, NO_PRIOR, Experiment
from mstl.data.preparation import Preparation
from mstl.errors import InputError
from mstl.evaluation.predictor import window_for
from mstl.models.bayesian_conv3d import bayesian_layers
from mstl.models.sides import is_volumetric
from mstl.reporting.anonymous import LEARNED
from mstl.reporting.curves import best_epoch
from mstl.reporting.preparation_words import MODALITIES, modality_words
from mstl.reporting.weights import weights_section
from mstl.reporting.weights_record import read_origins
from mstl.training.run import Run
from mstl.training.schedule import has_ended, monitored

PRIORS = {
    LEARNED: ("In training the weights had a prior, learned from other networks (its hash: `environment.json`).",),
    GAUSSIAN_PRIOR: ("In training the weights had a Gaussian prior.",),
}
SETTINGS = ("epochs", "steps_per_epoch", "batch_size", "learning_rate", "decay", "optimizer", "loss", "augment",
            "precision", "seed")  # fmt: skip


def task_of(preparation: Preparation, *, classes: int, pictures: bool) -> dict:
    """What goes in and what comes out."""
    labels = preparation.labels
    several = f"a mask of the labels {', '.join(map(str, labels or range(1, classes)))}"
    ending = "png" if pictures else "nii.gz"
    each = "*" if classes > 2 and pictures else ""  # of a picture one file a label
    soft = "each label's probability" if classes > 2 else "the probability of lesion"
    return {
        "modalities": list(preparation.modalities),
        "labels": list(labels),
        "classes": classes,
        "pictures": pictures,
        "brain": preparation.brain if "brain" in preparation.steps else "",
        "words": modality_words(preparation.modalities),
        "pictured": "pictures" if pictures else "brain MRI scans",
        "reference": "picture" if pictures else f"{MODALITIES[preparation.modalities[0]]} scan",
        "output": several if classes > 2 else "a lesion mask",
        "files": (
            f"Of each case `<case>_prediction.{ending}` is the mask, `<case>_probability{each}.{ending}` {soft}, "
            "`<case>.json` says how they were made."
        ),
    }


def network_of(model: keras.Model, experiment: Experiment, *, pictures: bool = False) -> dict:
    """What the network is and what of a case it sees at a time."""
    flat = "pictures" if pictures else "axial slices"
    window = window_for(model, experiment)
    sides = " x ".join(map(str, window or ()))
    if is_volumetric(model):
        sees = f"windows of {sides} voxels" if window else "whole volumes where memory allows, else large windows"
    else:
        near = f" with {experiment.context} neighbours at each side" if experiment.context else ""
        sees = (f"windows of {sides} pixels of {flat}" if window else f"whole {flat}") + near
    return {
        "model": experiment.model,
        "options": ", ".join(f"{name} {value}" for name, value in experiment.model_options.items()),
        "parameters": model.count_params(),
        "dimensions": 3 if is_volumetric(model) else 2,
        "bayesian": bool(bayesian_layers(model)),
        "sees": sees,
    }


def weights_of(folder: Path, *, prior: str = NO_PRIOR) -> dict:
    """Sentences on where the weights came from, their prior and what stayed frozen; the files that they came from."""
    section = weights_section(folder) or {"sentences": [], "notes": []}
    origins = read_origins(folder)
    transfers = origins.transfers if origins else ()
    return {
        "sentences": [*section["sentences"], *PRIORS.get(prior, ())],
        "notes": section["notes"],
        "sources": [{"name": one.source, "sha256": one.sha256} for one in transfers],
    }


def budget_of(run: Run, model: keras.Model, *, devices: Mapping) -> dict:
    """How long the run was trained and with what settings, "auto" resolved for its `model`."""
    experiment = run.experiment
    try:
        history = run.history
    except InputError:
        raise InputError(f"Run {run.folder} has weights but no history.csv. Train it further with --resume.") from None
    best = best_epoch(history)
    return {
        "epochs": len(history),
        "finished": has_ended(experiment, monitored(history.to_dict("records"))),
        "best_epoch": best[0] if best else None,
        "best_dice": best[1] if best else None,
        "seconds": float(history["seconds"].sum()) if "seconds" in history else None,
        "settings": {name: getattr(experiment, name) for name in SETTINGS} | _resolved(experiment, model),
        "devices": dict(devices),
    }


def _resolved(experiment: Experiment, model: keras.Model) -> dict:
    """Loss and augmentation that "auto" meant for the model."""
    loss = ("bce" if model.output_shape[-1] == 1 else "ce") + ("" if experiment.prior != NO_PRIOR else "_dice")
    meant = {"loss": loss, "augment": "flips" if is_volumetric(model) else "thesis"}
    return {name: meant[name] if getattr(experiment, name) == AUTO else getattr(experiment, name) for name in meant}
