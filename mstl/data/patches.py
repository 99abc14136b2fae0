"""Which 3D patches of prepared cases make which training batch: a pure function of (seed, epoch, index)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from mstl.data._albumentations import A
from mstl.data.augment3d import augment_volume, augmentation_3d, border_of
from mstl.data.case_windows import CaseWindows, Triple, inside, patch_sides
from mstl.data.opencv import one_thread
from mstl.data.passes import batch_places, samples_of_epoch, steps_of_epoch
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError

ORDER, DRAW, PLACE = 0, 1, 2  # which random stream of a seed


@dataclass(eq=False, repr=False)
class PatchSampler:
    """Batches of 3D patches of prepared cases, or of whole volumes.

    A pass takes one patch of every case. `patch` are its sides (D, H, W), one number is a cube; without it whole
    volumes are padded with zeros (background) to a common shape. Sides are enlarged to multiples of `multiple_of`.
    `lesion_share` is the probability that a patch lies around a lesion voxel, where its case has one: first one of
    the classes in the case is drawn, each as likely, then a voxel of it. Other patches lie around any brain voxel.
    The voxel is not always in the patch's middle. Without `labels` masks are never opened and batches hold images
    only. `shuffle` orders each pass anew. `steps_per_epoch` cuts the endless row of passes into epochs of that
    length; without it an epoch is one pass, its last batch maybe smaller. `augment` is a name of
    `mstl.data.augment3d`, a Compose of 3D transforms or None.

    `notes` are sentences on what was enlarged or padded.

    Raises `InputError` where there is no case, no mask, no lesion voxel in any case, or cases do not fit together.
    """

    cases: Sequence[PreparedCase]
    _: KW_ONLY
    batch_size: int = 2
    patch: int | Sequence[int] | None = None
    lesion_share: float = 0.6
    seed: int = 0
    augment: Any = None
    multiple_of: int = 8
    steps_per_epoch: int | None = None
    shuffle: bool = True
    labels: bool = True

    def __post_init__(self) -> None:
        self.cases = tuple(self.cases)
        self._check()
        self._windows = CaseWindows(self.cases, labels=self.labels)
        if self.labels and not any(sum(case.lesion_voxels) for case in self.cases):
            names = ", ".join(case.name for case in self.cases[:5]) + ", ..." * (len(self.cases) > 5)
            raise InputError(
                f"None of the {len(self.cases)} cases ({names}) has a lesion voxel in its mask. Check the masks."
            )
        self.sides, self.notes = patch_sides(self.cases, self.patch, multiple_of=self.multiple_of)
        self._whole = not np.size(() if self.patch is None else self.patch)
        self.augment = self._transform()
        self._border = self._beyond()
        self._counts: dict[int, np.ndarray] = {}

    def _check(self) -> None:
        for name in ("batch_size", "multiple_of", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}, expected at least 1. Give such a value.")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more. Give such a seed.")
        if not 0 <= self.lesion_share <= 1:
            raise InputError(f"lesion_share is {self.lesion_share}, expected between 0 and 1. Give such a share.")

    def _transform(self) -> A.Compose | None:
        if isinstance(self.augment, str):
            spacing = np.mean([case.spacing for case in self.cases], axis=0)
            return augmentation_3d(self.augment, crop=self.sides, spacing=spacing)
        if self.augment is None or isinstance(self.augment, A.Compose):
            return self.augment
        raise InputError(
            f"augment is {self.augment!r}, expected None, a name of mstl.data.augment3d, or an albumentations.Compose "
            "of 3D transforms. Give one of these."
        )

    def _beyond(self) -> Triple:
        """How many voxels beyond a patch are read on each side, so that turning it brings in tissue, not zeros."""
        return (0, 0, 0) if self.augment is None or self._whole else border_of(self.augment, self.sides)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_counts": {}}

    @property
    def patches(self) -> int:
        """Patches of one pass: one a case."""
        return len(self.cases)

    @property
    def samples(self) -> int:
        """Patches of one epoch."""
        return samples_of_epoch(self.patches, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch)

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return steps_of_epoch(self.patches, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch)

    @property
    def image_shape(self) -> tuple[int, int, int, int]:
        """Shape (D, H, W, C) of an image of every batch."""
        return (*self.sides, self._windows.channels)

    @property
    def batch_bytes(self) -> int:
        """Bytes of a full batch, images and, with labels, masks."""
        return 4 * self.batch_size * int(np.prod(self.sides)) * (self._windows.channels + self.labels)

    def batch(
        self, epoch: int, index: int, *, rows: slice = slice(None), empty: Callable[..., np.ndarray] = np.empty
    ) -> tuple[np.ndarray, ...]:
        """Images `(N, D, H, W, C)` and, with labels, masks `(N, D, H, W, 1)` of class numbers, float32.

        Those of batch `index` of `epoch`. `rows` are those of the batch that are wanted; others are not read.
        `empty(shape, dtype)` makes the arrays. Raises `IndexError` beyond the last batch.
        """
        places = self._places(epoch, index)[rows]
        images = empty((len(places), *self.image_shape), np.float32)
        masks = empty((len(places), *self.sides, 1), np.float32) if self.labels else None
        with one_thread():
            for row, place in enumerate(places):
                images[row], mask = self._sample(*place)
                if masks is not None:
                    masks[row, ..., 0] = mask
        return (images,) if masks is None else (images, masks)

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch, each once."""
        numbers = [self._case(*place) for place in self._places(epoch, index)]
        return list(dict.fromkeys(self.cases[number].name for number in numbers))

    def _places(self, epoch: int, index: int) -> list[tuple[int, int]]:
        """Where a batch's patches stand: (pass, position in its order)."""
        return batch_places(
            epoch, index, length=self.patches, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch
        )

    def _case(self, number: int, offset: int) -> int:
        """Which case stands at `offset` of pass `number`."""
        if not self.shuffle:
            return offset
        return int(np.random.default_rng((self.seed, ORDER, number)).permutation(self.patches)[offset])

    def _sample(self, number: int, offset: int) -> tuple[np.ndarray, np.ndarray]:
        case = self._case(number, offset)
        start = self._start(case, np.random.default_rng((self.seed, PLACE, number, offset)))
        if self.augment is None:
            return self._windows.read(case, start, self.sides)
        larger = np.add(self.sides, np.multiply(self._border, 2)).tolist()
        image, mask = self._windows.read(case, np.subtract(start, self._border).tolist(), larger)
        return augment_volume(self.augment, image, mask, seed=(self.seed, DRAW, number, offset), sides=self.sides)

    def _start(self, case: int, random: np.random.Generator) -> Triple:
        """Where the patch begins, drawn; a whole volume is in the middle."""
        shape = self._windows.shape(case)
        centre = tuple(length // 2 for length in shape)
        if not self._whole:
            lesion = self.labels and random.random() < self.lesion_share
            centre = (self._lesion_voxel(case, random) if lesion else None) or self._brain_voxel(case, random) or centre
            centre = [
                place + int(random.integers(-(side // 4), side // 4 + 1))
                for place, side in zip(centre, self.sides, strict=True)
            ]
        return tuple(
            inside(place - side // 2, side=side, length=length)
            for place, side, length in zip(centre, self.sides, shape, strict=True)
        )

    def _lesion_voxel(self, case: int, random: np.random.Generator) -> Triple | None:
        """A voxel of one of the classes in the case, each class as likely; None where there is none."""
        if case not in self._counts:
            self._counts[case] = self._count(case)
        counts = self._counts[case]
        present = np.flatnonzero(counts.sum(0))
        if not len(present):
            return None
        drawn = int(random.choice(present))
        file = self._windows.masks[case]
        return _voxel(counts[:, drawn], lambda position: file.read(position, position + 1)[0] == drawn + 1, random)

    def _count(self, case: int) -> np.ndarray:
        """Voxels of the classes 1, 2, ... in each slice, `(D, classes)`."""
        counts = np.zeros((self._windows.shape(case)[0], 255), np.int32)
        for position in np.flatnonzero(self.cases[case].lesion_voxels):
            values = self._windows.masks[case].read(position, position + 1)
            counts[position] = np.bincount(values.ravel(), minlength=256)[1:]
        return counts[:, : int(np.flatnonzero(counts.any(0)).max(initial=-1)) + 1]

    def _brain_voxel(self, case: int, random: np.random.Generator) -> Triple | None:
        """A voxel that is not background; None where there is none."""
        file = self._windows.images[case]
        counts = np.asarray(self.cases[case].brain_voxels)
        if not counts.any():
            return None
        return _voxel(counts, lambda position: file.read(position, position + 1)[0].any(-1), random)


def _voxel(counts: np.ndarray, of_slice: Callable[[int], np.ndarray], random: np.random.Generator) -> Triple | None:
    """One of the voxels that `counts` has counted in each slice, every one as likely; reads one slice."""
    ends = np.cumsum(counts)
    rank = int(random.integers(ends[-1]))
    position = int(np.searchsorted(ends, rank, side="right"))
    found = of_slice(position)
    voxels = np.flatnonzero(found)
    if not len(voxels):
        return None
    return (position, *divmod(int(voxels[rank % len(voxels)]), found.shape[1]))
