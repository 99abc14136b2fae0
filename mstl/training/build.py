"""The model of an experiment, of a run, or of a name."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from mstl._keras import keras
from mstl.config import Experiment, input_channels
from mstl.data.prepared import PREPARATION, PreparedCohort
from mstl.errors import InputError
from mstl.files import read_json
from mstl.models import build_model, takes

EXAMPLE_CHANNELS = 3  # of a model that is named without them


def build_for(experiment: Experiment, preparation: dict, *, seed: int | None = None) -> keras.Model:
    """Build `experiment.model` for cases with `preparation`'s modalities and labels, its weights drawn from `seed`.

    Raises `InputError` for a model or an option of it that does not exist.
    """
    channels = input_channels(len(preparation["modalities"]), context=experiment.context)
    options = {"channels": channels} | ({"stem": experiment.stem} if takes(experiment.model, "stem") else {})
    if (labels := preparation.get("labels")) and takes(experiment.model, "num_classes"):
        options["num_classes"] = len(labels) + 1
    return build_model(experiment.model, seed=seed, **(options | experiment.model_options))


def model_named(
    what: str, *, options: Iterable[str] = (), preparation: dict | None = None
) -> tuple[keras.Model, Experiment | None]:
    """Build what `mstl transfer --to` names: a model, the experiment in a YAML file, or the one of a run's folder.

    Also returns the experiment, where there is one. options: texts "key=value", arguments of the model's builder,
    or keys of the experiment. preparation: that of the cases which the model is for; None takes those of the experiment
    or the run, and three channels for a model that is named without `channels`. Raises `InputError` as `build_for`
    does, and for an option amiss.
    """
    path = Path(what)
    if path.is_dir():
        experiment = Experiment.load(path / "experiment.yaml", changes=options)
        return build_for(experiment, preparation or read_json(path / PREPARATION)), experiment
    if path.suffix in (".yaml", ".yml"):
        experiment = Experiment.load(path, changes=options)
        return build_for(experiment, preparation or PreparedCohort.open(experiment.prepared).preparation), experiment
    arguments = dict(map(_option, options))
    if preparation:
        return build_for(Experiment(model=what, model_options=arguments), preparation), None
    if takes(what, "channels"):
        arguments.setdefault("channels", EXAMPLE_CHANNELS)
    return build_model(what, **arguments), None


def _option(text: str) -> tuple[str, object]:
    key, separator, value = text.partition("=")
    if not separator:
        raise InputError(f"--set {text} is not of the form key=value, such as --set channels=1.")
    return key.strip(), yaml.safe_load(value)
