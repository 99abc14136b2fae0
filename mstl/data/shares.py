"""The part of every batch that one process reads, where the replicas of a training share the batches of a sampler."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from math import ceil

import numpy as np

from mstl.data.workers import Sampler


@dataclass(frozen=True)
class Share:
    """Rows of the batches of `sampler` for `count` of `replicas` replicas, from number `first` on; no other is read.

    Every replica has at least one image of every batch, as convolutions need. `full`, for training: each has the same
    number, the sampler's batch being a multiple of the replicas; an epoch's last batch is filled up with its first
    samples. Otherwise, for validation: numbers differ by one at most, and every sample comes once. Batches then are
    almost equal in size, and up to twice the sampler's where smaller ones would leave a replica without. Only where
    there are fewer samples than replicas each comes several times, all alike often: means and ratios stay what they
    are.
    """

    sampler: Sampler
    _: KW_ONLY
    replicas: int
    first: int = 0
    count: int = 1
    full: bool = True

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        size = self.sampler.batch_size
        steps = ceil(self._length / size)
        return steps if self.full or self._length // steps >= self.replicas else self._length // size

    @property
    def batch_bytes(self) -> int:
        """Bytes of the largest batch."""
        images = max(sum(self.sizes(index)) for index in range(self.steps))
        return ceil(self.sampler.batch_bytes * images / self.sampler.batch_size)

    def sizes(self, index: int) -> list[int]:
        """Images of batch `index` for each of its replicas."""
        return np.diff(self._cuts(index)).tolist()

    def batch(self, epoch: int, index: int, *, empty: Callable[..., np.ndarray] = np.empty) -> tuple[np.ndarray, ...]:
        """Its rows of batch `index` of `epoch`, those of its first replica first; see the sampler's own."""
        cuts = self._cuts(index)
        pieces = list(self._pieces(cuts[0], cuts[-1]))
        if len(pieces) == 1:
            ((number, rows),) = pieces
            return self.sampler.batch(epoch, number, rows=rows, empty=empty)
        parts = [self.sampler.batch(epoch, number, rows=rows, empty=np.empty) for number, rows in pieces]
        return tuple(_joined(arrays, empty) for arrays in zip(*parts, strict=True))

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch of all replicas, each once."""
        numbers = dict.fromkeys(number for number, _ in self._pieces(*self._ends(index)))
        return list(dict.fromkeys(name for number in numbers for name in self.sampler.batch_cases(epoch, number)))

    @property
    def _length(self) -> int:
        """Samples of an epoch, repeated ones counted."""
        samples = self.sampler.samples
        return samples if self.full else samples * ceil(self.replicas / samples)

    def _ends(self, index: int) -> tuple[int, int]:
        """Where a batch begins and ends in the row of samples."""
        if not 0 <= index < self.steps:
            raise IndexError(f"batch {index} of {self.steps}")
        if self.full:
            return index * self.sampler.batch_size, (index + 1) * self.sampler.batch_size
        return index * self._length // self.steps, (index + 1) * self._length // self.steps

    def _cuts(self, index: int) -> list[int]:
        """Where each of its replicas begins, and the last one ends."""
        start, stop = self._ends(index)
        numbers = range(self.first, self.first + self.count + 1)
        return [start + (stop - start) * number // self.replicas for number in numbers]

    def _pieces(self, start: int, stop: int) -> Iterator[tuple[int, slice]]:
        """Batches of the sampler, and the rows of them, that make up a part of the row of samples."""
        while start < stop:
            place = start % self.sampler.samples
            number, row = divmod(place, self.sampler.batch_size)
            length = min(stop - start, self.sampler.batch_size - row, self.sampler.samples - place)
            yield number, slice(row, row + length)
            start += length


def _joined(arrays: tuple[np.ndarray, ...], empty: Callable[..., np.ndarray]) -> np.ndarray:
    length = sum(len(array) for array in arrays)
    return np.concatenate(arrays, out=empty((length, *arrays[0].shape[1:]), arrays[0].dtype))
