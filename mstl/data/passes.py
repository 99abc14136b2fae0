"""Where the samples of a batch stand in an endless row of passes, each of which shows every sample once."""
from __future__ import annotations

from math import ceil


def steps_of_epoch(length: int, *, batch_size: int, steps_per_epoch: int | None) -> int:
    """Batches of an epoch: `steps_per_epoch`, or without it those of one pass of `length` samples."""
    return steps_per_epoch or ceil(length / batch_size)


def samples_of_epoch(length: int, *, batch_size: int, steps_per_epoch: int | None) -> int:
    """Samples of an epoch: those of `steps_per_epoch` full batches, or without it of one pass of `length`."""
    return steps_per_epoch * batch_size if steps_per_epoch else length


def batch_places(
    epoch: int, index: int, *, length: int, batch_size: int, steps_per_epoch: int | None
) -> list[tuple[int, int]]:
    """Places (pass, position in its order) of the samples of batch `index` of `epoch`.

    `steps_per_epoch` cuts the row into epochs of that many batches; without it an epoch is one pass, its last batch
    maybe smaller. Raises `IndexError` beyond the last batch.
    """
    steps = steps_of_epoch(length, batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    if not 0 <= index < steps:
        raise IndexError(f"batch {index} of {steps}")
    if steps_per_epoch:
        start = (epoch * steps + index) * batch_size
        return [divmod(place, length) for place in range(start, start + batch_size)]
    start = index * batch_size
    return [(epoch, place) for place in range(start, min(start + batch_size, length))]
