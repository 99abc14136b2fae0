"""Initial weights by one word: random, imagenet, a name of the registry, a file, a run's folder."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mstl._keras import keras
from mstl.errors import InputError
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.plan import TransferReport, plan_transfer
from mstl.transfer.registry import Weights, fetch, registry, weights_named

RANDOM, IMAGENET = "random", "imagenet"
IMAGENET_ENCODERS = {"unet-resnet34": "imagenet-resnet34"}  # model -> weights of its encoder
BEST = "best.h5"  # of a run


def initialise(
    model: keras.Model,
    init: str,
    *,
    model_name: str = "",
    modalities: Sequence[str] = (),
    allow_partial: bool = False,
    **options,
) -> TransferReport | None:
    """Put the weights that `init` means into `model`; None for "random", which leaves them as they were drawn.

    init: "random"; "imagenet", the encoder that belongs to the model `model_name`; a name of the registry,
    fetched if need be; a Keras file; the folder of a run, whose best weights are meant. options: those of
    `plan_transfer`; where they name no `include`, the scope of the registry's entry holds. modalities: those of
    the cases, so that the report can say where the weights know others. Raises `InputError` where `init` means
    nothing, and as `fetch`, `plan_transfer` and `TransferPlan.apply` do.
    """
    if init == RANDOM:
        return None
    entry = registry_entry(init, model_name=model_name)
    path = fetch(entry.name) if entry else _file_of(init)
    if entry:
        options["include"] = options.get("include") or entry.include or None
    with Checkpoint.open(path) as checkpoint:
        plan = plan_transfer(checkpoint, model, **options)
        if entry and entry.modalities and modalities and tuple(modalities) != entry.modalities:
            plan = replace(plan, notes=(*plan.notes, _other_modalities(entry.modalities, modalities)))
        return plan.apply(allow_partial=allow_partial, init=init)


def registry_entry(init: str, *, model_name: str = "") -> Weights | None:
    """The registry's entry that `init` means, None for what is a file, a folder or random.

    Raises `InputError` for "imagenet" where no such weights belong to the model, and where `init` is nothing known.
    """
    if init == RANDOM or Path(init).exists():
        return None
    if init == IMAGENET:
        if model_name not in IMAGENET_ENCODERS:
            known = ", ".join(IMAGENET_ENCODERS)
            raise InputError(f"No ImageNet weights belong to model '{model_name}', only to {known}. Choose others.")
        return weights_named(IMAGENET_ENCODERS[model_name])
    if init not in registry():
        known = ", ".join([RANDOM, IMAGENET, *registry()])
        raise InputError(f"init is '{init}', which is no file, no run and none of {known}. Check the path.")
    return weights_named(init)


def _file_of(init: str) -> Path:
    path = Path(init)
    if path.is_dir() and not (path / BEST).is_file():
        raise InputError(f"Folder {path} holds no {BEST}; a run has one. Give a run's folder or a file of weights.")
    return path / BEST if path.is_dir() else path


def _other_modalities(theirs: Sequence[str], ours: Sequence[str]) -> str:
    return f"These weights know the channels {', '.join(theirs)}; the cases have {', '.join(ours)}."
