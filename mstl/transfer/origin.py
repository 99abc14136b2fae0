"""Where a model's weights came from: noted with the model, so that its run can tell."""
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mstl._keras import keras
from mstl.files import sha256
from mstl.models.groups import blocks_of
from mstl.models.tree import tensors_of
from mstl.transfer.table import KEPT, LOADED

if TYPE_CHECKING:
    from mstl.transfer.plan import TransferReport


@dataclass(frozen=True)
class Origin:
    """One transfer into a model: `init` is a path or a name of the registry, `options` those of `plan_transfer`."""

    init: str
    options: Mapping[str, object]
    report: TransferReport

    def to_dict(self) -> dict:
        """Plain values for JSON, with the SHA-256 of the file where it is still there."""
        path = self.report.path
        digest = sha256(path) if path.is_file() else None
        account = self.report.to_dict()
        return {"init": self.init, "file": str(path), "sha256": digest, "options": dict(self.options), **account}


_ORIGINS: WeakKeyDictionary[keras.Model, tuple[Origin, ...]] = WeakKeyDictionary()


def add_origin(model: keras.Model, origin: Origin) -> None:
    """Note that weights of `origin` were put into `model`, beside earlier ones or, if it filled all, in their place."""
    filled = [row for row in origin.report.rows if row.status in (*LOADED, KEPT)]
    complete = len(filled) == len(tensors_of(model))
    _ORIGINS[model] = (origin,) if complete else (*origins_of(model), origin)


def origins_of(model: keras.Model) -> tuple[Origin, ...]:
    """Every transfer into `model`, in order; empty for weights as they were drawn."""
    return _ORIGINS.get(model, ())


def describe_origins(model: keras.Model) -> dict:
    """Every transfer into `model`, and how many parameters of each block were loaded, adapted, or drawn at random.

    Variances of Bayesian layers are not drawn, and count where they came from a file.
    """
    origins = origins_of(model)
    kinds = {"load": "loaded", "renamed": "loaded", "adapted": "adapted"}
    rows = [row for origin in origins for row in origin.report.rows]
    filled = {row.target: kinds[row.status] for row in rows if row.status in kinds}
    blocks = []
    for block, layers in blocks_of(model).items():
        sizes = Counter({"loaded": 0, "adapted": 0, "random": 0})
        for path, tensor in tensors_of(model).items():
            if tensor.layer in layers and (path in filled or not tensor.own):
                sizes[filled.get(path, "random")] += math.prod(tensor.shape)
        blocks.append({"group": block, **sizes})
    return {"transfers": [origin.to_dict() for origin in origins], "groups": blocks}


def adapted_layers(model: keras.Model) -> set[str]:
    """Paths of the layers of `model` that hold weights adapted to fit."""
    rows = [row for origin in origins_of(model) for row in origin.report.rows]
    adapted = {row.target for row in rows if row.status == "adapted"}
    return {tensor.layer for path, tensor in tensors_of(model).items() if path in adapted}
