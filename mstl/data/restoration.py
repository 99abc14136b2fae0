"""Batches for a network that restores what was hidden: slices of prepared cases, corrupted; no masks."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np

from mstl.data.corruption import Corruption
from mstl.data.prepared import PreparedCase
from mstl.data.slice_file import SliceFile
from mstl.data.slices import SliceSampler
from mstl.errors import InputError

UNIT = ("max", "minmax", "percentile")  # normalisations that end in [0, 1]
RANGE_TOLERANCE = 0.05  # beyond [0, 1]: interpolation leaves small negative voxels; these are cut
CORRUPTION = 3  # which random stream of a seed; those before belong to the slices
REMEDY = "Run 'mstl prepare --normalise percentile' (or max, minmax) into a new folder."


@dataclass(eq=False, repr=False)
class RestorationSampler:
    """Corrupted slices, what they were, and where they are hidden: a pure function of (epoch, index).

    slices: a `SliceSampler` without labels; its seed, the epoch, the index and the row choose what is hidden.
    corruption: how; it acts on the scale of the batch. signed: batches in [-1, 1] with background -1, as tanh
    gives them; else [0, 1] with background 0, as prepared.

    Raises `InputError` that names the case where a preparation does not end in [0, 1], or an image leaves it by
    more than `RANGE_TOLERANCE`; for this every image is read once, when the sampler is made.
    """

    slices: SliceSampler
    _: KW_ONLY
    corruption: Corruption
    signed: bool

    def __post_init__(self) -> None:
        if self.slices.labels:
            raise InputError("The slices come with labels, which restoration never opens. Draw them by labels=False.")
        for check in (_check_preparation, _check_range):
            for case in self.slices.cases:
                check(case)

    @property
    def batch_size(self) -> int:
        """Images of a full batch."""
        return self.slices.batch_size

    @property
    def samples(self) -> int:
        """Images of one epoch."""
        return self.slices.samples

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return self.slices.steps

    @property
    def batch_bytes(self) -> int:
        """Bytes of a full batch: corrupted, target and hidden."""
        height, width, channels = self.slices.image_shape
        return 4 * self.slices.batch_size * height * width * (2 * channels + 1)

    def batch(
        self, epoch: int, index: int, *, rows: slice = slice(None), empty: Callable[..., np.ndarray] = np.empty
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Corrupted and target `(N, H, W, C)`, hidden `(N, H, W, 1)` of 0 and 1, float32: Keras' x, y, sample weight.

        `rows` are those of the batch that are wanted; others are not read. `empty(shape, dtype)` makes the arrays.
        Raises `IndexError` beyond the last batch.
        """
        (images,) = self.slices.batch(epoch, index, rows=rows)
        corrupted = empty(images.shape, np.float32)
        target = empty(images.shape, np.float32)
        hidden = empty((*images.shape[:3], 1), np.float32)
        np.clip(images, 0, 1, out=target)
        if self.signed:
            target *= 2
            target -= 1
        for row, image in enumerate(target):
            place = row + (rows.start or 0)
            rng = np.random.default_rng((self.slices.seed, CORRUPTION, epoch, index, place))
            corrupted[row], hidden[row, ..., 0] = self.corruption(image, rng, background=self.background)
        return corrupted, target, hidden

    @property
    def background(self) -> float:
        """Value of background in a batch: -1 where signed, else 0."""
        return -1.0 if self.signed else 0.0

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch, each once."""
        return self.slices.batch_cases(epoch, index)


def _check_preparation(case: PreparedCase) -> None:
    method = case.record.get("preparation", {}).get("normalise")
    if method is not None and method not in UNIT:
        raise InputError(
            f"Case {case.name} was prepared by normalise={method}; restoration needs images in [0, 1]. {REMEDY}"
        )


def _check_range(case: PreparedCase) -> None:
    file = SliceFile.of(case.image)
    limits = []
    for position in range(file.shape[0]):
        values = file.read_float32(position, position + 1)
        limits.append((values.min(), values.max()))
    low, high = np.min(limits), np.max(limits)
    if not (low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE):  # so that NaN is refused too
        raise InputError(f"Case {case.name} has values from {low:.3g} to {high:.3g}, expected [0, 1]. {REMEDY}")
