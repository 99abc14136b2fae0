"""When the learning rate falls and when a training ends: pure functions of the settings and what was seen.

`monitored` is one value per finished epoch, larger is better. That nothing else is remembered is what lets a
resumed training decide as one that never stopped.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mstl.config import Training
from mstl.config_gan import GanTraining

MONITORED = {"val_dice": 1, "val_hidden_mae": -1}  # what validation says of an epoch, and whether more is better


def learning_rate(settings: Training, *, epoch: int, monitored: Sequence[float]) -> float:
    """Learning rate of `epoch` (from 0): the decay's, times `plateau_factor` for every plateau so far."""
    return decayed(settings, epoch=epoch) * settings.plateau_factor ** plateaus(monitored, settings.plateau_patience)


def decayed(settings: Training | GanTraining, *, epoch: int) -> float:
    """Learning rate of `epoch` (from 0) by the decay alone."""
    if settings.decay == "cosine":
        return settings.learning_rate * (1 + math.cos(math.pi * epoch / settings.epochs)) / 2
    return settings.learning_rate


def plateaus(monitored: Sequence[float], patience: int | None) -> int:
    """How many times `patience` epochs in a row brought no new best; counting starts anew after each."""
    count, waited, best = 0, 0, -math.inf
    for value in monitored:
        waited = 0 if value > best else waited + 1
        best = max(best, value)
        if patience is not None and waited == patience:
            count, waited = count + 1, 0
    return count


def is_best(monitored: Sequence[float]) -> bool:
    """Whether the last epoch is better than all before it."""
    return len(monitored) > 0 and monitored[-1] > max(monitored[:-1], default=-math.inf)


def has_ended(settings: Training | GanTraining, monitored: Sequence[float]) -> bool:
    """Whether every epoch is done, or the last `stop_patience` epochs brought no new best."""
    if len(monitored) >= settings.epochs:
        return True
    if settings.stop_patience is None or not monitored:
        return False
    best = max(range(len(monitored)), key=monitored.__getitem__)
    return len(monitored) - 1 - best >= settings.stop_patience


def monitored(history: Sequence[Mapping[str, float]]) -> list[float]:
    """The value by which epochs are compared, larger is better: one of `MONITORED`, else minus the loss."""
    return [_value(row) for row in history]


def _value(row: Mapping[str, float]) -> float:
    return next((sign * row[name] for name, sign in MONITORED.items() if name in row), -row["loss"])
