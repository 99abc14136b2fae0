"""The state of a training between two epochs, in one file: weights, optimizer, what was seen."""
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from mstl._keras import keras
from mstl.errors import InputError
from mstl.files import whole_h5
from mstl.models.tree import finalize
from mstl.training.gan import Pix2Pix


@contextmanager
def all_trainable(model: keras.Model) -> Iterator[None]:
    """Raise every layer's flag for the block: the order of weights, in Keras' files too, depends on the flags.

    A nested model is written with the arrays that train first, so that a file of one partly frozen would go into
    other layers of its unfrozen twin, without an error where shapes agree.
    """
    flags = model._get_trainable_state()
    model.trainable = True
    try:
        yield
    finally:
        model._set_trainable_state(flags)


def save_weights(path: str | Path, model: keras.Model) -> None:
    """Write a model's weights as Keras 2 `.h5`, whole or not at all, in the order of a model that is not frozen."""
    with whole_h5(path) as temporary, all_trainable(model):
        model.save_weights(temporary)


def save_state(path: str | Path, model: keras.Model, history: list[dict]) -> None:
    """Write weights, optimizer variables (steps, moments) and `history` of a compiled model, whole or not at all."""
    with whole_h5(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["history"] = json.dumps(history)
        for name, variables in _groups(model).items():
            for index, variable in enumerate(variables):
                file[f"{name}/{index}"] = variable.numpy()


def load_state(path: str | Path, model: keras.Model) -> list[dict]:
    """Put a saved state into a compiled model of the same architecture; returns the history.

    Raises `InputError` where the file is damaged or belongs to another model.
    """
    try:
        with h5py.File(path, "r") as file:
            history = json.loads(file.attrs["history"])
            for name, variables in _groups(model).items():
                for index, variable in enumerate(variables):
                    variable.assign(file[f"{name}/{index}"][()])
        finalize(model)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(
            f"State {path} is damaged or of another model ({error}). Train into a new folder instead."
        ) from error
    return history


def reseed(model: keras.Model, *, seed: int, epoch: int) -> None:
    """Set every layer's random generator (dropout and its kin) as a function of seed, epoch and layer."""
    for index, layer in enumerate(model._flatten_layers(include_self=False, recursive=True)):
        generator = getattr(getattr(layer, "_random_generator", None), "_generator", None)
        if generator is not None:
            generator.reset_from_seed(int(np.random.SeedSequence([seed, epoch, index]).generate_state(1)[0]))


def _groups(model: keras.Model) -> dict[str, list]:
    if isinstance(model, Pix2Pix):
        optimizers = model.optimizers
    else:
        optimizers = (model.optimizer,)
        model.optimizer.build(model.trainable_variables)
    states = [getattr(one, "_loss_scale", None) for one in optimizers]  # of mixed_float16; Keras lists them nowhere
    scales = [value for state in states if state is not None for value in (state.current_loss_scale, state.counter)]
    with all_trainable(model):
        values = [value for one in optimizers for value in one.variables]
        return {"weights": model.weights, "optimizer": values, "loss_scale": scales}
