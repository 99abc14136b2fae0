"""Models by name, and the recipe from which a model of ours can be built again."""
from __future__ import annotations

import functools
from collections.abc import Callable
from weakref import WeakKeyDictionary

from mstl._keras import keras
from mstl.errors import InputError

BUILDERS: dict[str, Callable[..., keras.Model]] = {}

_RECIPES: WeakKeyDictionary[keras.Model, dict] = WeakKeyDictionary()


def buildable(name: str) -> Callable:
    """Decorate a builder: `name` builds its models, and each remembers the arguments that it was built with."""

    def decorate(builder: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
        """Register `builder` and wrap it."""

        @functools.wraps(builder)
        def build(**arguments) -> keras.Model:
            model = builder(**arguments)
            _RECIPES[model] = {"model": name, **arguments}
            return model

        BUILDERS[name] = build
        return build

    return decorate


def build_model(name: str, *, seed: int | None = None, **arguments) -> keras.Model:
    """Build the model `name` with its builder's keyword arguments, its weights drawn from `seed`.

    Raises `InputError` for an unknown name, and what the builder raises.
    """
    if name not in BUILDERS:
        raise InputError(f"Model '{name}' is unknown. Choose one of {', '.join(BUILDERS)}.")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    return BUILDERS[name](**arguments)


def recipe_of(model: keras.Model) -> dict | None:
    """Name and arguments of a model that one of our builders made, as `{"model": name, ...}`; else None."""
    return _RECIPES.get(model)
