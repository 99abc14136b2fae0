"""Batches of arrays in memory, drawn by an ImageDataAugmentor."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from mstl._keras import keras
from mstl.errors import InputError
from mstl.files import whole_file

if TYPE_CHECKING:
    from mstl.data.augment import ImageDataAugmentor

ORDER, DRAW = 0, 1  # which random stream of a seed


@dataclass(eq=False, repr=False)
class ArrayFlow(keras.utils.Sequence):
    """What `ImageDataAugmentor.flow` returns: see there for the arguments.

    As a Sequence (`flow[index]`, `len(flow)`) it has epochs of its samples; as an iterator it never ends.
    Order and draws are a function of (seed, epoch, index) alone. A batch is `x`, `(x, y)` or
    `(x, y, weights)`.
    """

    x: Any
    y: Any
    augmentor: ImageDataAugmentor
    _: KW_ONLY
    batch_size: int = 32
    shuffle: bool = True
    sample_weight: Any = None
    seed: int | None = None
    save_to_dir: str | Path | None = None
    save_prefix: str = ""
    save_format: str = "png"
    subset: str | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        self.misc = []
        if isinstance(self.x, list | tuple) and len(self.x) == 2:
            self.x, misc = self.x
            self.misc = [np.asarray(part) for part in (misc if isinstance(misc, list) else [misc])]
        self.x = np.asarray(self.x)
        self.y = None if self.y is None else np.asarray(self.y)
        self.sample_weight = None if self.sample_weight is None else np.asarray(self.sample_weight)
        self._check()
        self._select()
        self.n = len(self.x)
        if not self.n:
            raise InputError(f"The {self.subset or 'whole'} part holds no sample. Change validation_split.")
        seeds = (self.seed, self.augmentor.seed, np.random.SeedSequence().entropy)
        self.seed = next(seed for seed in seeds if seed is not None)
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more. Give such a seed.")
        self.dtype = self.dtype or self.augmentor.dtype
        self.epoch = self._drawn = 0
        self._lock = threading.Lock()

    def _check(self) -> None:
        if self.x.ndim != 4:
            raise InputError(f"x has shape {self.x.shape}, expected (samples, height, width, channels).")
        others = {"y": self.y, "sample_weight": self.sample_weight}
        others |= {f"x[1][{number}]": part for number, part in enumerate(self.misc)}
        for name, part in others.items():
            if part is not None and len(part) != len(self.x):
                raise InputError(f"{name} holds {len(part)} samples, x {len(self.x)}. Give one for each.")
        if self.batch_size < 1:
            raise InputError(f"batch_size is {self.batch_size}, expected at least 1.")
        if self.subset not in (None, "training", "validation"):
            raise InputError(f"subset is {self.subset!r}, expected 'training' or 'validation'.")
        if self.save_format not in ("png", "jpeg", "jpg"):
            raise InputError(f"save_format is {self.save_format!r}, expected 'png' or 'jpeg'.")

    def _select(self) -> None:
        if self.subset is None:
            return
        border = int(len(self.x) * self.augmentor.validation_split)
        part = slice(None, border) if self.subset == "validation" else slice(border, None)
        self.x, self.misc = self.x[part], [array[part] for array in self.misc]
        self.y = None if self.y is None else self.y[part]
        self.sample_weight = None if self.sample_weight is None else self.sample_weight[part]

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        return self.batch(self.epoch, index)

    def on_epoch_end(self) -> None:
        """Go to the next epoch's order and draws."""
        self.epoch += 1

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        with self._lock:
            drawn, self._drawn = self._drawn, self._drawn + 1
        return self.batch(*divmod(drawn, len(self)))

    next = __next__

    def reset(self) -> None:
        """Start over with the first batch of the first epoch."""
        self.epoch = self._drawn = 0

    def batch(self, epoch: int, index: int) -> Any:
        """Batch `index` of `epoch`."""
        chosen = self._order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        samples = [self._sample(epoch, int(number)) for number in chosen]
        images = self._stack([x for x, _ in samples])
        if self.save_to_dir:
            self._save(images, epoch, chosen)
        inputs = [images, *(part[chosen] for part in self.misc)] if self.misc else images
        if self.y is None:
            return inputs
        labels = np.stack([y for _, y in samples])
        weights = () if self.sample_weight is None else (self.sample_weight[chosen],)
        return (inputs, labels, *weights)

    def _order(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(self.n)
        return np.random.default_rng((self.seed, ORDER, epoch)).permutation(self.n)

    def _sample(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray | None]:
        y = None if self.y is None else self.y[number]
        together = y is not None and self.augmentor.label_augment_mode is not None
        x, y = self.augmentor.transform(
            self.augmentor.channels_last(np.asarray(self.x[number], np.float32)),
            self.augmentor.channels_last(y) if together else y,
            seed=(self.seed, DRAW, epoch, number),
        )
        return self.augmentor.channels_back(x), self.augmentor.channels_back(y) if together else y

    def _stack(self, images: list[np.ndarray]) -> np.ndarray:
        shapes = {image.shape for image in images}
        if len(shapes) > 1:
            raise InputError(
                f"Augmented images are of {sorted(shapes)}, a batch needs one. Give square images, or end "
                "the transforms with a crop or a resize."
            )
        return np.stack(images).astype(self.dtype, copy=False)

    def _save(self, images: np.ndarray, epoch: int, chosen: np.ndarray) -> None:
        for image, number in zip(images, chosen, strict=True):
            picture = np.asarray(self.augmentor.channels_last(image), np.float32)
            picture = picture - picture.min()
            picture = np.round(picture * (255 / max(float(picture.max()), 1e-12))).astype(np.uint8)
            picture = picture[..., ::-1] if picture.shape[-1] == 3 else picture[..., 0]
            name = f"{self.save_prefix}_{number}_{epoch}.{self.save_format}"
            with whole_file(Path(self.save_to_dir) / name) as temporary:
                cv2.imwrite(str(temporary), picture)
