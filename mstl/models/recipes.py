"""Models by name, and the recipe from which a model of ours can be built again."""
from __future__ import annotations

import functools
import inspect
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

    Raises `InputError` for an unknown name or argument, and what the builder raises.
    """
    known = _parameters(name)
    unknown = [argument for argument in arguments if argument not in known]
    if unknown:
        raise InputError(f"Model '{name}' has no option '{unknown[0]}'. Its options are {', '.join(known)}.")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    try:
        return BUILDERS[name](**arguments)
    except TypeError as error:
        given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise InputError(f"Model '{name}' cannot be built with {given} ({error}). Mend its options.") from error


def takes(name: str, argument: str) -> bool:
    """Whether the builder of the model `name` has that argument; raises `InputError` for an unknown name."""
    return argument in _parameters(name)


def _parameters(name: str) -> tuple[str, ...]:
    if name not in BUILDERS:
        raise InputError(f"Model '{name}' is unknown. Choose one of {', '.join(BUILDERS)}.")
    return tuple(inspect.signature(BUILDERS[name]).parameters)


def recipe_of(model: keras.Model) -> dict | None:
    """Name and arguments of a model that one of our builders made, as `{"model": name, ...}`; else None."""
    return _RECIPES.get(model)
