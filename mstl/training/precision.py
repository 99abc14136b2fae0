"""The precision of a model's computations, which Keras takes from a global policy while it is built."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mstl._keras import keras
from mstl.errors import InputError
from mstl.settings import check_precision


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Build models in the block with that policy: "float32", "mixed_bfloat16" or "mixed_float16".

    Weights are float32 in each, and so are the probabilities of models that mstl builds. Raises `InputError` for
    another name.
    """
    check_precision(name)
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def check_built(model: keras.Model, *, precision: str) -> None:
    """Raise `InputError` where the model was built with another policy than `precision`."""
    built = model.dtype_policy.name
    if built != precision:
        raise InputError(
            f"precision is {precision}, but model '{model.name}' was built in {built}. Build it within 'with "
            f"mstl.training.precision.precision(\"{precision}\"):', or give precision={built}."
        )
