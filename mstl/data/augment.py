"""ImageDataAugmentor: random batches of arrays for notebooks written for the class of that name.

It takes the arguments of mjkvaak's ImageDataAugmentor, older spellings included, so one changed import is
enough. Image and mask can be drawn together in one call; an image and a mask generator of equal seeds,
zipped, stay in lockstep because a draw depends on (seed, epoch, sample) and on nothing else.
"""
from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from mstl.data.transforms import (
    Seed,
    as_compose,
    augment_all,
    augment_pair,
    augmentation,
    strong_augmentation,
    thesis_augmentation,
)
from mstl.errors import InputError

if TYPE_CHECKING:
    from mstl.data.flow import ArrayFlow

__all__ = [
    "ImageDataAugmentor", "augment_pair", "augmentation", "strong_augmentation", "thesis_augmentation",
]

EPSILON = 1e-6
SAME_AS_INPUT = "same_as_input"


@dataclass(eq=False)
class ImageDataAugmentor:
    """Augments and normalises images (and masks) by transforms of albumentations.

    `augment` is a Compose, a transform, a list of them, or a name that `augmentation` knows. What
    `input_augment_mode` ("image", "mask" or an additional target) says is done to `x` of `flow`, what
    `label_augment_mode` (None, or the same, or "same_as_input") says to `y`. `validation_split` in [0, 1) is
    the first part of the arrays. `seed` None is a fresh seed for every flow; 0 is a seed.
    After augmentation come `preprocess_input` (`preprocess_labels` for `y`), `rescale`, centring and division
    by the standard deviation of the sample, then those of the channels that `fit` has measured.
    `augment_mode` and `augment_seed` are the older names of `input_augment_mode` and `seed`.

    Raises `InputError` for arguments that do not go together, `TypeError` for unknown ones.
    """

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    augment: Any = None
    input_augment_mode: str = "image"
    label_augment_mode: str | None = None
    seed: int | None = None
    rescale: float | None = None
    preprocess_input: Callable | None = None
    preprocess_labels: Callable | None = None
    data_format: str | None = "channels_last"
    validation_split: float | None = 0.0
    dtype: str = "float32"
    augment_mode: InitVar[str | None] = None
    augment_seed: InitVar[int | None] = None

    def __post_init__(self, augment_mode: str | None, augment_seed: int | None) -> None:
        self.input_augment_mode = augment_mode or self.input_augment_mode
        self.seed = self.seed if augment_seed is None else augment_seed
        self.data_format = self.data_format or "channels_last"
        self.validation_split = self.validation_split or 0.0
        self.featurewise_center |= self.featurewise_std_normalization
        self.samplewise_center |= self.samplewise_std_normalization
        self.augment = as_compose(self.augment)
        self.mean = self.std = None
        self._check()
        if self.label_augment_mode == self.input_augment_mode:
            self.label_augment_mode = SAME_AS_INPUT
        if self.augment is not None:
            self.augment = deepcopy(self.augment)
            self.augment.add_targets({SAME_AS_INPUT: self.input_augment_mode})

    def _check(self) -> None:
        if self.zca_whitening:
            raise InputError(
                "zca_whitening=True is not supported: its matrix has (height x width x channels) squared "
                "entries. Use featurewise_center and featurewise_std_normalization."
            )
        if self.data_format not in ("channels_last", "channels_first"):
            raise InputError(
                f"data_format is {self.data_format!r}, expected 'channels_last' or 'channels_first'."
            )
        if not 0 <= self.validation_split < 1:
            raise InputError(f"validation_split is {self.validation_split}, expected 0 <= split < 1.")
        if self.input_augment_mode == "mask" and (self.featurewise_center or self.samplewise_center):
            raise InputError(
                "input_augment_mode='mask' with centring or division by a standard deviation was given, but "
                "masks must keep their values. Normalise in the generator of the images only."
            )
        self._check_modes()

    def _check_modes(self) -> None:
        known = {"image", "mask"}.union(self.augment.additional_targets if self.augment else ())
        wrong = {self.input_augment_mode} - known | {self.label_augment_mode} - known - {None, SAME_AS_INPUT}
        if wrong:
            raise InputError(
                f"Augment mode {', '.join(sorted(map(str, wrong)))} is unknown, expected one of "
                f"{', '.join(sorted(known))}. Choose one, or add it to additional_targets of the Compose."
            )

    def flow(
        self, x: Any, y: Any = None, batch_size: int = 32, shuffle: bool = True, **options: Any
    ) -> ArrayFlow:
        """Endless, indexable batches of the arrays `x` `(N, H, W, C)` and, where given, `y` `(N, ...)`.

        Options: `sample_weight` `(N,)`; `seed`, which goes before that of the constructor; `subset`
        "training" or "validation"; `dtype` of the batches; `save_to_dir`, `save_prefix`, `save_format`
        ("png" or "jpeg") to look at what is drawn. `x` may be a pair (images, further array or list of
        arrays that are passed on unchanged). Raises `InputError` for arrays that do not fit together.
        """
        from mstl.data.flow import ArrayFlow  # brings TensorFlow, which transforms alone do not need

        return ArrayFlow(x, y, self, batch_size=batch_size, shuffle=shuffle, **options)

    def transform(
        self, x: np.ndarray, y: np.ndarray | None = None, *, seed: Seed
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Augment one `(H, W, C)` sample and its label together, then normalise; a function of `seed`."""
        return self.standardize(*self._augmented(x, y, seed))

    def _augmented(
        self, x: np.ndarray, y: np.ndarray | None, seed: Seed
    ) -> tuple[np.ndarray, np.ndarray | None]:
        if self.augment is None:
            return x, y
        data = {self.input_augment_mode: x}
        together = y is not None and self.label_augment_mode is not None
        if together:
            data[self.label_augment_mode] = np.asarray(y, np.float32)
        if "image" not in data:  # albumentations takes shapes from it; three channels suit every transform
            data["image"] = np.zeros((*x.shape[:2], 3), np.uint8)
        result = augment_all(self.augment, data, seed=seed)
        y = result[self.label_augment_mode].astype(y.dtype) if together else y
        return result[self.input_augment_mode], y

    def standardize(self, x: np.ndarray, y: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray | None]:
        """Normalise one channels-last sample as the constructor says; `InputError` where `fit` is missing."""
        x = self.preprocess_input(x) if self.preprocess_input else x
        y = self.preprocess_labels(y) if self.preprocess_labels and y is not None else y
        x = x * np.float32(self.rescale) if self.rescale else x
        if self.samplewise_center:
            x = x - np.mean(x)
        if self.samplewise_std_normalization:
            x = x / (np.std(x) + EPSILON)
        if self.featurewise_center:
            if self.mean is None:
                raise InputError("Featurewise normalisation has no statistics yet. Call fit(x) first.")
            x = x - self.mean
        if self.featurewise_std_normalization:
            x = x / (self.std + EPSILON)
        return x, y

    def fit(self, x: np.ndarray, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Measure mean and standard deviation of each channel of `x`, rank 4, for featurewise normalisation.

        With `augment`, on `rounds` augmented passes. Memory does not grow with `x`. Raises `InputError` for
        another rank.
        """
        if np.ndim(x) != 4:
            raise InputError(f"fit was given shape {np.shape(x)}, expected rank 4. Add the missing axis.")
        seed = next((given for given in (seed, self.seed) if given is not None), 0)
        count, total, squares = 0, 0.0, 0.0
        for number in range(rounds if augment else 1):
            for index in range(len(x)):
                sample = self.channels_last(np.asarray(x[index], np.float32))
                if augment:
                    sample, _ = self._augmented(sample, None, (seed, number, index))
                values = sample.reshape(-1, sample.shape[-1]).astype(np.float64)
                count, total = count + len(values), total + values.sum(0)
                squares = squares + (values**2).sum(0)
        mean = total / count
        self.mean = mean.astype(np.float32)
        self.std = np.sqrt(np.maximum(squares / count - mean**2, 0)).astype(np.float32)

    def channels_last(self, sample: np.ndarray) -> np.ndarray:
        """A sample of this augmentor's data format with its channels last."""
        return np.moveaxis(sample, 0, -1) if self._moves(sample) else sample

    def channels_back(self, sample: np.ndarray) -> np.ndarray:
        """The inverse of `channels_last`."""
        return np.moveaxis(sample, -1, 0) if self._moves(sample) else sample

    def _moves(self, sample: np.ndarray) -> bool:
        return self.data_format == "channels_first" and sample.ndim == 3

    def flow_from_directory(self, *args: Any, **options: Any) -> NoReturn:
        """Not supported: raises `InputError` that says what to use."""
        raise _instead("flow_from_directory")

    def flow_from_dataframe(self, *args: Any, **options: Any) -> NoReturn:
        """Not supported: raises `InputError` that says what to use."""
        raise _instead("flow_from_dataframe")


def _instead(method: str) -> InputError:
    return InputError(
        f"{method} is not supported: it reads pictures, not volumes. For scans use Cohort, prepare and "
        "SliceSequence; for pictures read them into one array and use flow(x, y)."
    )
