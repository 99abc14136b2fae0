"""When the learning rate falls and when a training ends: pure functions of the settings and what was seen.

`monitored` is one value per finished epoch, larger is better. That nothing else is remembered is what lets a
resumed training decide as one that never stopped.
"""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mstl.config import Training
from mstl.config_gan import GanTraining

POWER = 0.9  # of the polynomial decay, Chen et al. 2018, arXiv 1606.00915
ROUNDING = 1e-9  # 1e-3 times 0.1 three times is not below 1e-6
MONITORED = {"val_dice": 1, "val_hidden_mae": -1}  # what validation says of an epoch, and whether more is better


def learning_rate(settings: Training, *, epoch: int, monitored: Sequence[float]) -> float:
    """Learning rate of `epoch` (from 0): the decay's, times `plateau_factor` for every plateau so far."""
    return decayed(settings, epoch=epoch) * settings.plateau_factor ** plateaus(monitored, settings.plateau_patience)


def decayed(settings: Training | GanTraining, *, epoch: int) -> float:
    """Learning rate of `epoch` (from 0) by the decay alone, which starts anew with each cycle."""
    if settings.decay == "cosine":
        length = settings.epochs // cycles(settings)
        return settings.learning_rate * (1 + math.cos(math.pi * (epoch % length) / length)) / 2
    if settings.decay == "polynomial":
        return settings.learning_rate * (1 - epoch / settings.epochs) ** POWER
    return settings.learning_rate


def cycles(settings: Training | GanTraining) -> int:
    """How many times the learning rate falls: once, and once more for each of the `restarts`."""
    return 1 + (settings.restarts if isinstance(settings, Training) else 0)


def minimum(settings: Training | GanTraining, *, epoch: int) -> int | None:
    """Number (from 1) of the cycle that `epoch` (from 0) is the last of; None within one, and without `restarts`."""
    number, rest = divmod((epoch + 1) * cycles(settings), settings.epochs)
    return number if cycles(settings) > 1 and not rest else None


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
    """Whether every epoch is done, the last `stop_patience` brought no new best, or the rate is below `stop_rate`."""
    if len(monitored) >= settings.epochs or _rate_is_low(settings, monitored):
        return True
    if settings.stop_patience is None or not monitored:
        return False
    best = max(range(len(monitored)), key=monitored.__getitem__)
    return len(monitored) - 1 - best >= settings.stop_patience


def _rate_is_low(settings: Training | GanTraining, monitored: Sequence[float]) -> bool:
    if not isinstance(settings, Training) or not settings.stop_rate:
        return False
    rate = settings.learning_rate * settings.plateau_factor ** plateaus(monitored, settings.plateau_patience)
    return rate < settings.stop_rate * (1 - ROUNDING)


def monitored(history: Sequence[Mapping[str, float]]) -> list[float]:
    """The value by which epochs are compared, larger is better: one of `MONITORED`, else minus the loss."""
    return [_value(row) for row in history]


def _value(row: Mapping[str, float]) -> float:
    return next((sign * row[name] for name, sign in MONITORED.items() if name in row), -row["loss"])
