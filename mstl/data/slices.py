"""Which slices of prepared cases make which batch: a pure function of (seed, epoch, index)."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mstl.data.crops import MARGIN, crop_window, even_window
from mstl.data.opencv import one_thread
from mstl.data.passes import batch_places, samples_of_epoch, steps_of_epoch
from mstl.data.prepared import PreparedCase
from mstl.data.slice_file import SliceFile
from mstl.data.transforms import as_compose, augment_pair
from mstl.errors import InputError

KEEP = ("lesion", "balanced", "brain", "all")
NEED_LABELS = ("lesion", "balanced")
ORDER, DRAW, CROP = 0, 1, 2  # which random stream of a seed


@dataclass(eq=False, repr=False)
class SliceSampler:
    """Batches of 2D slices of prepared cases.

    `keep`: "lesion" drops slices without lesion; "balanced" adds to them, for each, `lesion_free` slices that
    show brain and no lesion, drawn anew each pass; "brain" keeps every slice that shows brain, "all" every slice.
    Without `labels` masks are never opened, whether cases have them or not, and batches hold images only.
    `shuffle` orders each pass anew.
    `steps_per_epoch` cuts the endless row of passes into epochs of that length; without it an epoch is one
    pass, its last batch maybe smaller. `augment` is a name (as "strong"), a Compose or None.
    `crop` (H, W) cuts a window, with probability `lesion_crop` around a lesion voxel where the slice has one,
    else around any brain voxel; with `class_share` anywhere, so that no class has more than that share of it, see
    `mstl.data.crops.even_window`. `context` stacks that many neighbours on each side as channels, from inferior
    to superior; beyond the volume they are 0. Without a crop every slice is set in the middle of zeros
    (background) as large as the largest case, sides rounded up to a multiple of `multiple_of`.

    Raises `InputError` where nothing is left to draw, or cases do not fit together.
    """

    cases: Sequence[PreparedCase]
    _: KW_ONLY
    batch_size: int = 32
    keep: str = "lesion"
    labels: bool = True
    lesion_free: float = 1.0
    shuffle: bool = True
    seed: int = 0
    augment: Any = None
    crop: tuple[int, int] | None = None
    lesion_crop: float = 0.7
    class_share: float | None = None
    context: int = 0
    multiple_of: int = 32
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        self.cases = tuple(self.cases)
        self.augment = as_compose(self.augment)
        self._check()
        self._images = [SliceFile.of(case.image) for case in self.cases]
        masks = [case.mask if self.labels else None for case in self.cases]
        self._masks = [None if mask is None else SliceFile.of(mask) for mask in masks]
        channels = {file.shape[-1] for file in self._images}
        if len(channels) > 1:
            raise InputError(f"Cases have {sorted(channels)} channels, expected one. Prepare all alike.")
        self._kept, self._free = self._choose()
        if not len(self._kept):
            raise self._nothing()
        self._orders: dict[int, np.ndarray] = {}

    def _check(self) -> None:
        for name in ("batch_size", "multiple_of", "steps_per_epoch", "crop"):
            value = getattr(self, name)
            if value is not None and np.min(value) < 1:
                raise InputError(f"{name} is {value}, expected at least 1. Give such a value.")
        for name in ("context", "lesion_free", "lesion_crop", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 or more. Give such a value.")
        if self.keep not in KEEP:
            raise InputError(f"keep is {self.keep!r}, expected one of {', '.join(KEEP)}. Choose one.")
        if not self.cases:
            raise InputError("No case to draw slices from. Give at least one prepared case.")
        self._check_labels()

    def _check_labels(self) -> None:
        """Raise `InputError` where masks are needed and not there."""
        if self.class_share is not None and not (self.labels and self.crop is not None):
            raise InputError(
                f"class_share is {self.class_share}, which needs masks and a crop. Give both, or leave it out."
            )
        if self.keep not in NEED_LABELS:
            return
        if not self.labels:
            raise InputError(f"keep={self.keep!r} needs masks, labels=False leaves them closed. Use keep='brain'.")
        unlabelled = [case.name for case in self.cases if case.mask is None]
        if unlabelled:
            raise InputError(
                f"keep={self.keep!r} needs masks, {', '.join(unlabelled)} has none. "
                "Use keep='brain', or labelled cases only."
            )

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        """Slices of every pass and slices to draw from, each as rows (case, slice)."""
        kept, drawn = [], []
        for number, case in enumerate(self.cases):
            wanted = case.lesion_voxels if self.keep in NEED_LABELS else case.brain_voxels
            for position, (voxels, brain) in enumerate(zip(wanted, case.brain_voxels, strict=True)):
                if self.keep == "all" or voxels:
                    kept.append((number, position))
                elif self.keep == "balanced" and brain:
                    drawn.append((number, position))
        return np.array(kept, np.int64).reshape(-1, 2), np.array(drawn, np.int64).reshape(-1, 2)

    def _nothing(self) -> InputError:
        names = ", ".join(case.name for case in self.cases[:5]) + (", ..." if len(self.cases) > 5 else "")
        missing, remedy = ("lesion", "masks") if self.keep in NEED_LABELS else ("brain", "brain masks")
        return InputError(
            f"No slice to draw: keep={self.keep!r}, but none of the {len(self.cases)} cases ({names}) has a "
            f"{missing} voxel in its mask. Check the {remedy}, or use keep='all'."
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_orders": {}}

    @property
    def slices(self) -> int:
        """Slices of one pass."""
        drawn = round(self.lesion_free * len(self._kept)) if self.keep == "balanced" else 0
        return len(self._kept) + min(drawn, len(self._free))

    @property
    def samples(self) -> int:
        """Images of one epoch."""
        return samples_of_epoch(self.slices, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch)

    @property
    def steps(self) -> int:
        """Batches of one epoch."""
        return steps_of_epoch(self.slices, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch)

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape (H, W, C) of an image of every batch."""
        sides = self.crop
        if sides is None:
            largest = np.max([file.shape[1:3] for file in self._images], axis=0)
            sides = (-(-largest // self.multiple_of) * self.multiple_of).tolist()
        return (*map(int, sides), self._images[0].shape[3] * (2 * self.context + 1))

    @property
    def batch_bytes(self) -> int:
        """Bytes of a full batch, images and, with labels, masks."""
        height, width, channels = self.image_shape
        return 4 * self.batch_size * height * width * (channels + self.labels)

    def batch(
        self, epoch: int, index: int, *, rows: slice = slice(None), empty: Callable[..., np.ndarray] = np.empty
    ) -> tuple[np.ndarray, ...]:
        """Images `(N, H, W, C)` and, with labels, masks `(N, H, W, 1)`, float32, of batch `index` of `epoch`.

        `rows` are those of the batch that are wanted; others are not read. `empty(shape, dtype)` makes the arrays.
        Raises `IndexError` beyond the last batch.
        """
        places = self._places(epoch, index)[rows]
        images = empty((len(places), *self.image_shape), np.float32)
        masks = empty((len(places), *self.image_shape[:2], 1), np.float32) if self.labels else None
        with one_thread():
            for row, place in enumerate(places):
                image, mask = self._sample(*place)
                _centre(image, images[row])
                if masks is not None:
                    _centre(mask, masks[row, ..., 0])
        return (images,) if masks is None else (images, masks)

    def batch_cases(self, epoch: int, index: int) -> list[str]:
        """Names of the cases in a batch, each once."""
        numbers = [int(self._order(number)[offset, 0]) for number, offset in self._places(epoch, index)]
        return list(dict.fromkeys(self.cases[number].name for number in numbers))

    def _places(self, epoch: int, index: int) -> list[tuple[int, int]]:
        """Where a batch's slices stand: (pass, position in its order)."""
        return batch_places(
            epoch, index, length=self.slices, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch
        )

    def _order(self, number: int) -> np.ndarray:
        """Rows (case, slice) of pass `number` in their order."""
        order = self._orders.get(number)
        if order is None:
            random = np.random.default_rng((self.seed, ORDER, number))
            drawn = random.choice(len(self._free), self.slices - len(self._kept), replace=False)
            order = np.concatenate([self._kept, self._free[drawn]])
            order = random.permutation(order) if self.shuffle else order[np.lexsort(order.T[::-1])]
            if len(self._orders) > 2:
                self._orders.clear()
            self._orders[number] = order
        return order

    def _sample(self, number: int, offset: int) -> tuple[np.ndarray, np.ndarray]:
        case, position = self._order(number)[offset].tolist()
        image, mask = self._read(case, position)
        if self.crop is not None:
            random = np.random.default_rng((self.seed, CROP, number, offset))
            image, mask = self._cropped(image, mask, random)
        if self.augment is None:
            return image, mask
        return augment_pair(self.augment, image, mask, seed=(self.seed, DRAW, number, offset))

    def _cropped(
        self, image: np.ndarray, mask: np.ndarray, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        common = {"sides": self.crop, "margin": MARGIN if self.augment is not None else 1, "random": random}
        if self.class_share is None:
            return crop_window(image, mask, lesion=self.lesion_crop, **common)
        return even_window(image, mask, class_share=self.class_share, **common)

    def _read(self, case: int, position: int) -> tuple[np.ndarray, np.ndarray]:
        """One slice with its neighbours as float32 `(H, W, C)` and its mask uint8 `(H, W)`."""
        file, mask_file = self._images[case], self._masks[case]
        depth, height, width, channels = file.shape
        first, last = max(0, position - self.context), min(depth, position + self.context + 1)
        image = file.read_float32(first, last)
        if self.context:
            stack = np.zeros((2 * self.context + 1, height, width, channels), np.float32)
            start = first - (position - self.context)
            stack[start : start + len(image)] = image
            image = stack.transpose(1, 2, 0, 3).reshape(1, height, width, -1)
        if mask_file is None:
            return image[0], np.zeros((height, width), np.uint8)
        return image[0], mask_file.read(position, position + 1)[0]


def _centre(source: np.ndarray, target: np.ndarray) -> None:
    """Write `source` into the middle of `target`, zeros around it, what does not fit cut off."""
    if source.shape == target.shape:
        target[...] = source
        return
    target[...] = 0
    inside, outside = [], []
    for large, small in zip(target.shape[:2], source.shape[:2], strict=True):
        length, into, out_of = min(large, small), max(0, (large - small) // 2), max(0, (small - large) // 2)
        inside.append(slice(into, into + length))
        outside.append(slice(out_of, out_of + length))
    target[tuple(inside)] = source[tuple(outside)]
