"""Which random transforms, and how one of them is drawn: by a seed alone, in every process and thread.

`Compose.set_random_seed` gives every transform a generator of the same seed, so that all of them draw the
same numbers: a flip and a rotation with p=0.5 then happen always together or never. Here each transform has
a stream of its own, derived from the seed and its place in the pipeline. A transform that draws more
numbers for an image than for a mask cannot disturb those after it either.
"""
from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from hashlib import shake_128
from operator import index
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from mstl.data._albumentations import A
from mstl.data.geometry import Affine, RandomRotate90
from mstl.data.intensity import (
    ChannelBlur,
    ChannelContrast,
    ChannelCurve,
    ChannelNoise,
    LowResolution,
    ModalityDropout,
)
from mstl.errors import InputError

Seed = int | Sequence[int]
MASK_64 = (1 << 64) - 1


def thesis_augmentation(
    *, flip: float = 0.5, rotate90: float = 0.5, affine: float = 0.5, distortion: float = 0.2
) -> A.Compose:
    """The four transforms of the 2021 thesis work; the arguments are their probabilities.

    Vertical flip, quarter turns, shift up to 6.25% with scale up to 10% and rotation up to 15 degrees
    (`ShiftScaleRotate` of that time), grid distortion. What enters at the border is 0.
    """
    return A.Compose([
        A.VerticalFlip(p=flip),
        RandomRotate90(p=rotate90),
        _affine(shift=0.0625, scale=(0.9, 1.1), degrees=15, p=affine),
        A.GridDistortion(p=distortion),
    ])


def strong_augmentation() -> A.Compose:
    """Wider geometry for brains (left-right flip, no quarter turns) and intensity changes of each channel.

    Intensity changes act on images of any range, never on masks, and leave the background 0.
    """
    return A.Compose([*_brain_geometry(), *_intensity(ChannelContrast(p=0.8))])


def wide_augmentation() -> A.Compose:
    """The strong one with random contrast between tissues, wider gain, and modalities that are missing at times.

    For pre-training on synthetic scans: the network may rely neither on one scanner's contrast nor on any modality
    but the first. The gain is wide because much dark fluid in a brain mask makes all z-scores smaller.
    """
    contrast = ChannelContrast(limits=((0.6, 1.7), (0.4, 1.6), (-0.4, 0.4)), p=0.8)
    return A.Compose([*_brain_geometry(), ChannelCurve(p=0.5), *_intensity(contrast), ModalityDropout(limits=0.5, p=1)])


def _brain_geometry() -> list[A.BasicTransform | A.BaseCompose]:
    return [
        A.HorizontalFlip(p=0.5),
        _affine(shift=0.0625, scale=(0.85, 1.2), degrees=20, p=0.8),
        A.OneOf([A.GridDistortion(p=1), A.ElasticTransform(alpha=120, sigma=10, p=1)], p=0.25),
    ]


def _intensity(contrast: ChannelContrast) -> list[A.BasicTransform | A.BaseCompose]:
    return [
        contrast,
        A.OneOf([ChannelBlur(p=1), LowResolution(p=1)], p=0.3),
        ChannelNoise(p=0.3),
    ]


def _affine(*, shift: float, scale: tuple[float, float], degrees: float, p: float) -> Affine:
    return Affine(
        translate_percent=(-shift, shift), scale=scale, rotate=(-degrees, degrees), keep_ratio=True, p=p
    )


AUGMENTATIONS: dict[str, Callable[[], A.Compose | None]] = {
    "none": lambda: None,
    "thesis": thesis_augmentation,
    "strong": strong_augmentation,
    "wide": wide_augmentation,
}


def augmentation(name: str) -> A.Compose | None:
    """The augmentation called `name`: "none" (None), "thesis", "strong" or "wide"; `InputError` for another name."""
    if name not in AUGMENTATIONS:
        raise InputError(f"Augmentation {name!r} is unknown. Choose one of {', '.join(AUGMENTATIONS)}.")
    return AUGMENTATIONS[name]()


def as_compose(transform: object) -> A.Compose | None:
    """A Compose from a name, a Compose, one transform, a list of transforms, or None.

    Raises `InputError` for anything else.
    """
    if transform is None or isinstance(transform, A.Compose):
        return transform
    if isinstance(transform, str):
        return augmentation(transform)
    parts = list(transform) if isinstance(transform, list | tuple) else [transform]
    if all(isinstance(part, A.BasicTransform | A.BaseCompose) for part in parts):
        return A.Compose(parts)
    raise InputError(
        f"augment is {transform!r}, expected None, one of {', '.join(AUGMENTATIONS)}, "
        "or transforms of albumentations. Wrap them in albumentations.Compose([...])."
    )


class Stream(random.Random):
    """SplitMix64 as a `random.Random`: seeded in no time, where Python's own fills a table of 624 words.

    Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195.
    """

    def seed(self, a: int | None = None, version: int = 2) -> None:
        """Start the stream of `a`."""
        self.word, self.gauss_next = a or 0, None

    def getrandbits(self, k: int) -> int:
        """`k` random bits, as many words as they need."""
        bits = 0
        for _ in range(-(-k // 64)):
            self.word = word = (self.word + 0x9E3779B97F4A7C15) & MASK_64
            word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK_64
            word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK_64
            bits = bits << 64 | word ^ (word >> 31)
        return bits >> (-k % 64)

    def random(self) -> float:
        """A number in [0, 1)."""
        return self.getrandbits(53) * 2.0**-53


class _SeededCopy:
    """A copy of a Compose, each of whose transforms is seeded anew at every call."""

    def __init__(self, transform: A.Compose) -> None:
        self.compose = deepcopy(transform)
        self.compose.set_mask_interpolation(cv2.INTER_NEAREST)
        self.parts = list(walk(self.compose))
        for part in self.parts:
            part.random_generator, part.py_random = np.random.Generator(np.random.PCG64(0)), Stream()

    def __call__(self, data: dict[str, np.ndarray], seed: Seed) -> dict[str, np.ndarray]:
        for part, state in zip(self.parts, _states(seed, len(self.parts)), strict=True):
            part.py_random.seed(state & MASK_64)
            part.random_generator.bit_generator.state = {
                "bit_generator": "PCG64",
                "state": {"state": state >> 64, "inc": 1},
                "has_uint32": 0,
                "uinteger": 0,
            }
        return self.compose(**data)


def walk(part: A.BasicTransform | A.BaseCompose) -> Iterator[A.BasicTransform | A.BaseCompose]:
    """A pipeline, its parts and theirs, in order."""
    yield part
    for inner in getattr(part, "transforms", ()):
        yield from walk(inner)


def _states(seed: Seed, count: int) -> list[int]:
    """`count` numbers of 192 bits, a hash of all parts of `seed`."""
    try:
        numbers = [index(seed)] if not isinstance(seed, Sequence) else [index(number) for number in seed]
    except TypeError:
        raise InputError(f"seed is {seed!r}, expected an integer or several. Give such a seed.") from None
    digest = shake_128(repr(numbers).encode()).digest(24 * count)
    return [int.from_bytes(digest[start : start + 24], "little") for start in range(0, 24 * count, 24)]


class _Copies(threading.local):
    def __init__(self) -> None:
        self.of: WeakKeyDictionary[A.Compose, _SeededCopy] = WeakKeyDictionary()


_copies = _Copies()


def augment_all(transform: A.Compose, data: dict[str, np.ndarray], *, seed: Seed) -> dict[str, np.ndarray]:
    """Transform all arrays of `data` (albumentations' names: image, mask, ...) with the same draws.

    Equal seeds give equal results in any process and thread. Every thread works on a copy that it makes of
    `transform` once: do not change it afterwards. Masks are interpolated by nearest neighbour whatever the
    transforms say, so they keep their values. Raises `InputError` for a seed that is no integer.
    """
    copy = _copies.of.get(transform)
    if copy is None:
        copy = _copies.of[transform] = _SeededCopy(transform)
    return copy(data, seed)


def augment_pair(
    transform: A.Compose, image: np.ndarray, mask: np.ndarray, *, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Transform image `(H, W, C)` float32 and mask `(H, W)` uint8 together; see `augment_all`."""
    result = augment_all(transform, {"image": image, "mask": mask}, seed=seed)
    return result["image"], result["mask"]
