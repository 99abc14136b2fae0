"""Freezing parts of a model by policy, normalisation statistics included."""
from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from mstl._keras import keras
from mstl.config import FREEZE_NORMS, GRADUAL
from mstl.errors import InputError
from mstl.models.groups import groups_of, scope_layers
from mstl.models.resolution import NORMALISATIONS
from mstl.models.tree import layers_of
from mstl.transfer.freeze_report import FreezeReport, describe_frozen


def freeze(model: keras.Model, policy: str | Sequence[str] = "encoder", *, norm: str = "freeze") -> FreezeReport:
    """Freeze what `policy` says, let all else train, and return the account of both.

    policy: "none"; "encoder"; "decoder"; "all-but-head"; "middle" (only the first and last block train: stem and
    encoder1, the last decoder block and the head); "first:N" (the first N layers in the order of `layers_of`,
    inputs and activations counted, nested models entered); the name of a group (`mstl.models.groups`); a regex
    searched in layer paths; or a list of these, which freezes all that they mean. norm: "freeze" also freezes
    normalisation layers with their moving statistics; "train" leaves those of the frozen part training.

    A compiled model keeps its optimizer, loss and metrics and trains by the new flags from the next `fit` on; an
    optimizer that lacks a variable which trains now gives way to a new one of its configuration, as a note says.

    What matters beside (see `FreezeReport.notes`) is also warned of. Raises `InputError` for a policy that means no
    layer, and for a compiled model that cannot be told of it.

    Source of "middle": Kuzina et al. 2019, doi 10.3389/fnins.2019.00844.
    """
    if model._is_compiled and _compiles_itself(model):
        raise InputError(
            f"Model '{model.name}' is compiled by a method of its own, so that freezing might be without effect. "
            "Freeze it first, then compile it."
        )
    report = set_frozen(model, policy, norm=norm)
    if not model._is_compiled:
        return report
    notes = (*report.notes, *_renew_optimizer(model))
    model._reset_compile_cache()  # what compile does about flags: note them, drop the functions traced by the old ones
    return replace(report, notes=notes)


def set_frozen(model: keras.Model, policy: str | Sequence[str], *, norm: str = "freeze") -> FreezeReport:
    """Set every layer's flag as `freeze` does, for a model that is compiled afterwards."""
    policy = (policy,) if isinstance(policy, str) else tuple(policy)
    if norm not in FREEZE_NORMS:
        raise InputError(f"norm is '{norm}'; expected one of {', '.join(FREEZE_NORMS)}. Mend it.")
    freeze_layers(model, {path for one in policy for path in _meant(model, one)}, norm=norm)
    report = describe_frozen(model, policy=policy, norm=norm)
    for note in report.notes:
        warnings.warn(note, stacklevel=3)
    return report


def freeze_layers(model: keras.Model, paths: set[str], *, norm: str = "freeze") -> None:
    """Freeze the layers at `paths`, with norm "train" not their normalisations; let every other layer train."""
    model.trainable = True  # reaches every layer, and the nested models, whose own flag would hide their layers
    for path, layer in layers_of(model).items():
        if path in paths and not (norm == "train" and isinstance(layer, NORMALISATIONS)):
            layer.trainable = False


def knows_all(model: keras.Model) -> bool:
    """Whether a compiled model's optimizer takes all variables that train now: it has all, or none yet."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    known = getattr(optimizer, "_index_dict", None)  # absent before the first step
    return known is None or all(optimizer._var_key(value) in known for value in model.trainable_weights)


def _meant(model: keras.Model, policy: str) -> set[str]:
    """Paths of the layers that one policy freezes."""
    if policy == "none":
        return set()
    if policy == GRADUAL:
        raise InputError("Policy 'gradual' needs epochs. Use fit(freeze='gradual', unfreeze_epochs=...).")
    if policy.startswith("first:"):
        return _first(model, policy.removeprefix("first:"))
    if policy in ("all-but-head", "middle"):
        return _all_but(model, ends=policy == "middle")
    return scope_layers(model, policy)


def _first(model: keras.Model, number: str) -> set[str]:
    paths = list(layers_of(model))
    if not number.isdecimal() or int(number) > len(paths):
        raise InputError(
            f"Policy 'first:{number}' is not first:N with N from 0 to {len(paths)}, the layers of model "
            f"'{model.name}'. Mend it."
        )
    return set(paths[: int(number)])


def _all_but(model: keras.Model, *, ends: bool) -> set[str]:
    """All layers with weights but the head, or with `ends` but the blocks at input and output."""
    groups = groups_of(model)
    trained = ["head"]
    if ends:
        last = sum(name.startswith("decoder") for name in groups) - 1
        trained += ["stem", "encoder1", f"decoder{last}"]
    kept = {path for name in trained for path in groups.get(name, ())}
    frozen = {path for paths in groups.values() for path in paths} - kept
    if not frozen:
        raise InputError(f"Model '{model.name}' has only {', '.join(groups)}: nothing lies between. Freeze a layer.")
    return frozen


def _compiles_itself(model: keras.Model) -> bool:
    return type(model).compile is not keras.Model.compile


def _renew_optimizer(model: keras.Model) -> list[str]:
    """Replace an optimizer that would refuse a variable which trains now; says so."""
    if knows_all(model):
        return []
    try:
        model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    except Exception as error:  # an optimizer of the user's own raises what it likes
        raise InputError(
            f"Model '{model.name}' is frozen anew, but its optimizer was built without layers that train now and "
            f"cannot be copied ({error}). Compile the model again with a new optimizer."
        ) from error
    return ["The optimizer begins anew: it was built without layers that train now."]
