"""The account of a model's flags: which parameters training may change, and which stay, group by group."""
from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass, fields

from mstl._keras import keras
from mstl.models.batch_norm import called_in_training
from mstl.models.groups import blocks_of
from mstl.models.tree import ModelTensor, layers_of, tensors_of
from mstl.transfer.origin import adapted_layers


@dataclass(frozen=True)
class GroupParameters:
    """Parameters of a group's `layers` layers: `trainable` may change in training, `frozen` stay to the bit."""

    group: str
    layers: int
    trainable: int
    frozen: int


@dataclass(frozen=True)
class FreezeReport:
    """What trains in a model and what does not, by group in the order of the data; `str` gives a table.

    `policy` as it was asked for, () where a model is described as it is. Moving statistics count as trainable
    where their layer is, because training moves them. `notes`: sentences on what else to know.
    """

    policy: tuple[str, ...]
    norm: str
    groups: tuple[GroupParameters, ...]
    notes: tuple[str, ...] = ()

    @property
    def trainable(self) -> int:
        """Parameters that may change in training."""
        return sum(group.trainable for group in self.groups)

    @property
    def frozen(self) -> int:
        """Parameters that stay to the bit."""
        return sum(group.frozen for group in self.groups)

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return {
            "policy": list(self.policy),
            "norm": self.norm,
            "trainable": self.trainable,
            "frozen": self.frozen,
            "groups": [asdict(group) for group in self.groups],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        total = GroupParameters("total", sum(group.layers for group in self.groups), self.trainable, self.frozen)
        numbers = [(row.group, *(f"{x:,}" for x in astuple(row)[1:])) for row in (*self.groups, total)]
        rows = [tuple(field.name for field in fields(GroupParameters)), *numbers]
        name, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
        lines = [
            "  ".join([first.ljust(name), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])
            for first, *cells in rows
        ]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def frozen_tensors(model: keras.Model) -> dict[str, ModelTensor]:
    """Tensors that training does not change, by path: those of frozen layers, and what a frozen model hides."""
    layers, trained = layers_of(model), {id(value) for value in model.trainable_weights}
    tensors = tensors_of(model).items()
    return {path: tensor for path, tensor in tensors if _is_frozen(tensor, layers[tensor.layer], trained)}


def describe_frozen(model: keras.Model, *, policy: tuple[str, ...] = (), norm: str = "freeze") -> FreezeReport:
    """The account of a model as its flags are."""
    frozen = frozen_tensors(model)
    rows = []
    for group, members in blocks_of(model).items():
        sizes = {path: _size(tensor) for path, tensor in tensors_of(model).items() if tensor.layer in members}
        stays = sum(size for path, size in sizes.items() if path in frozen)
        rows.append(GroupParameters(group, len(members), sum(sizes.values()) - stays, stays))
    return FreezeReport(policy, norm, tuple(rows), tuple(_notes(model, frozen)))


def _size(tensor: ModelTensor) -> int:
    return math.prod(tensor.shape)


def _is_frozen(tensor: ModelTensor, layer: keras.layers.Layer, trained: set[int]) -> bool:
    learned = any(value is tensor.value for value in layer.trainable_weights)
    return not layer.trainable or (learned and id(tensor.value) not in trained)


def _notes(model: keras.Model, frozen: dict[str, ModelTensor]) -> list[str]:
    notes = [] if model.trainable_weights else ["Nothing is left to train."]
    layers = {tensor.layer for tensor in frozen.values()}
    lost = [path for path in called_in_training(model) if path in layers]
    if lost:
        notes.append(
            f"{len(lost)} frozen batch norm layers are called with training=True (such as {lost[0]}): frozen, "
            "they normalise with their moving statistics instead of the batch's, so the model's output changes."
        )
    if model._inbound_nodes:
        notes.append(
            f"Model '{model.name}' is called by another. If that one was compiled, it goes on as before: freeze that "
            "one, or compile it again."
        )
    adapted = sorted(layers & adapted_layers(model))
    if adapted:
        notes.append(
            f"Frozen layers hold adapted weights ({', '.join(adapted[:3])}): what was changed to fit this model "
            "stays as it is. Let them train, or keep the shape."
        )
    return notes
