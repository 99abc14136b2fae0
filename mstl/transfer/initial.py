"""Initial weights of a model by one word."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mstl._keras import keras
from mstl.transfer.checkpoint import Checkpoint
from mstl.transfer.plan import TransferReport, plan_transfer
from mstl.transfer.source import find_source

RANDOM = "random"


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

    init: "random", or what `mstl.transfer.source.find_source` finds: a Keras file, the folder of a run, a
    published name, "imagenet" for the encoder of the model `model_name`. options: those of `plan_transfer`; where
    they name no `include`, the scope of the registry's entry holds. modalities: those of the cases, so that the
    report can say where the weights know others. Raises as `find_source`, `plan_transfer` and
    `TransferPlan.apply` do.
    """
    if init == RANDOM:
        return None
    source = find_source(init, model_name=model_name)
    options["include"] = options.get("include") or source.include
    with Checkpoint.open(source.path) as checkpoint:
        plan = plan_transfer(checkpoint, model, **options)
        known = () if source.entry is None else source.entry.modalities
        if known and modalities and tuple(modalities) != known:
            plan = replace(plan, notes=(*plan.notes, _other_modalities(known, modalities)))
        return plan.apply(allow_partial=allow_partial, init=init)


def _other_modalities(theirs: Sequence[str], ours: Sequence[str]) -> str:
    return f"These weights know the channels {', '.join(theirs)}; the cases have {', '.join(ours)}."
