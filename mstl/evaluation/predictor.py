"""A trained model as a function of a prepared case: slices or a volume in, probabilities out."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mstl._keras import keras, tf
from mstl.config import Experiment, input_channels
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError
from mstl.evaluation.sliding_window import background, check_overlap, sliding_window, window_sides
from mstl.models.batch_norm import steady
from mstl.models.memory import available_bytes, largest_window, smaller_window
from mstl.models.sides import is_volumetric, side_multiple
from mstl.training.run import Run

BATCH_SIZE = 8  # slices; larger batches are not faster on a CPU
LEFT_RIGHT = -2  # axis of images, channels last
LESION = -1  # channel of the lesion's probability where the model tells it from background only, by one or two channels


@dataclass(frozen=True)
class Predictor:
    """A model that turns a prepared case into probabilities.

    A 2D model sees slice by slice with `context` neighbours, those without brain are skipped: whole ones, or with
    `window` (h, w) by windows that overlap by `overlap`, see `sliding_window`. A 3D model sees windows of `window`
    voxels (d, h, w); None is the whole volume where memory allows, else the largest window that it does allow. Sides of
    windows are rounded up to what the model takes. `flip` averages with the left-right mirrored image. `batch_size` is
    how many slices or windows of slices (None: 8), or windows of volumes (None: 1), are computed at a time.

    The model's weights stay as they are, moving statistics that drift at every call included. Raises `InputError` for
    an overlap outside [0, 1).
    """

    model: keras.Model
    context: int = 0
    flip: bool = False
    batch_size: int | None = None
    window: Sequence[int] | None = None
    overlap: float = 0.5

    def __post_init__(self) -> None:
        check_overlap(self.overlap)
        rank = len(self.model.input_shape)
        signature = [tf.TensorSpec((*(None,) * (rank - 1), self.model.input_shape[-1]), tf.float32)]
        forward = tf.function(lambda images: self.model(images, training=False), input_signature=signature)
        object.__setattr__(self, "_forward", forward)
        object.__setattr__(self, "_multiple", side_multiple(self.model))
        object.__setattr__(self, "_windows", {})

    @classmethod
    def of_run(
        cls, run: Run, *, weights: str = "best", flip: bool = False, overlap: float | None = None
    ) -> Predictor:
        """The predictor of a run, with the context, the patch or window, and (None) the overlap of its experiment.

        Raises `InputError` for an overlap where the run's model sees whole slices.
        """
        experiment, model = run.experiment, run.model(weights)
        given, overlap = overlap, experiment.overlap if overlap is None else overlap
        window = window_for(model, experiment)
        if given is not None and window is None and not is_volumetric(model):
            raise InputError(f"overlap is {given}, but run {run.folder} sees slices, not windows. Leave it out.")
        return cls(model, experiment.context, flip, window=window, overlap=overlap)

    @property
    def is_3d(self) -> bool:
        """Whether the model takes volumes."""
        return is_volumetric(self.model)

    @property
    def classes(self) -> int:
        """Channels of the probabilities: 1 of a sigmoid, else all classes with the background first."""
        return self.model.output_shape[-1]

    def __call__(self, case: PreparedCase) -> np.ndarray:
        """Probabilities float32 `(D, H, W, classes)` on the prepared grid; outside of the brain, all is background.

        Raises `InputError` for a case with other channels than the model's, and where memory does not suffice.
        """
        channels = input_channels(len(case.modalities), context=self.context)
        if channels != self.model.input_shape[-1]:
            raise InputError(
                f"Case {case.name} gives {channels} channels ({', '.join(case.modalities)}, context "
                f"{self.context}), the model expects {self.model.input_shape[-1]}. Prepare the run's modalities."
            )
        brain = case.brain
        try:
            with steady(self.model):
                probability = self._by_windows(case) if self.is_3d else self._by_slices(case, brain)
        except tf.errors.ResourceExhaustedError as error:
            what = f"windows of {self.window_of(case.shape) or case.shape}" if self.is_3d else "slices"
            raise InputError(
                f"Memory does not suffice to predict case {case.name} of {case.shape} by {self._batch} {what} at a "
                "time. Lower the batch size or the sides of the window, or predict on the CPU."
            ) from error
        probability[~brain] = background((), self.classes)
        return probability

    def window_of(self, shape: tuple[int, int, int]) -> tuple[int, ...] | None:
        """Sides of the windows that a volume of `shape` is seen by; None is the whole volume, or whole slices."""
        if not self.is_3d:
            return None if self.window is None else window_sides((1, *self.window), multiple=self._multiple)[1:]
        if self.window is not None:
            return window_sides(self.window, multiple=self._multiple)
        if shape not in self._windows:
            memory = available_bytes()
            self._windows[shape] = largest_window(self.model, shape, multiple=self._multiple, memory=memory)
        return self._windows[shape]

    @property
    def _batch(self) -> int:
        return self.batch_size or (1 if self.is_3d else BATCH_SIZE)

    def _by_windows(self, case: PreparedCase) -> np.ndarray:
        window = self.window_of(case.shape)
        try:
            return sliding_window(
                self._probability, case.image, window=window, classes=self.classes, overlap=self.overlap,
                batch_size=self._batch, multiple=self._multiple,
            )  # fmt: skip
        except tf.errors.ResourceExhaustedError:  # a GPU may have less memory than the machine
            smaller = smaller_window(window or case.shape, multiple=self._multiple)
            if self.window is not None or smaller is None:
                raise
            self._windows[case.shape] = smaller
        return self._by_windows(case)

    def _by_slices(self, case: PreparedCase, brain: np.ndarray) -> np.ndarray:
        image, probability = case.image, background(case.shape, self.classes)
        positions = np.flatnonzero(case.brain_voxels)
        for start in range(0, len(positions), self._batch):
            batch = positions[start : start + self._batch]
            probability[batch] = self._slices(with_context(image, batch, context=self.context), brain[batch])
        return probability

    def _slices(self, images: np.ndarray, brain: np.ndarray) -> np.ndarray:
        window = self.window_of(images.shape[:3])
        if window is None:
            images, inside = padded(images, multiple=self._multiple)
            return self._probability(images)[(slice(None), *inside)]
        return sliding_window(
            lambda windows: self._probability(windows[:, 0])[:, None], images, window=(1, *window), brain=brain,
            classes=self.classes, overlap=self.overlap, batch_size=self._batch,
        )  # fmt: skip

    def _probability(self, images: np.ndarray) -> np.ndarray:
        result = self._forward(images).numpy()
        if self.flip:
            result = (result + np.flip(self._forward(np.flip(images, LEFT_RIGHT)), LEFT_RIGHT)) / 2
        return result


def window_for(model: keras.Model, experiment: Experiment) -> tuple[int, ...] | None:
    """By which windows an experiment lets its model see: (d, h, w) of volumes, (h, w) of slices, None as they are."""
    if is_volumetric(model):
        return experiment.patch or None
    return None if experiment.window is None else (experiment.window, experiment.window)


def padded(images: np.ndarray, *, multiple: int) -> tuple[np.ndarray, tuple[slice, ...]]:
    """Images `(N, ..., C)` in the middle of zeros, their sides multiples of `multiple`, and where they are in there."""
    sides = images.shape[1:-1]
    gaps = [-side % multiple for side in sides]
    inside = tuple(slice(gap // 2, gap // 2 + side) for gap, side in zip(gaps, sides, strict=True))
    return np.pad(images, [(0, 0), *((gap // 2, gap - gap // 2) for gap in gaps), (0, 0)]), inside


def with_context(image: np.ndarray, positions: np.ndarray, *, context: int) -> np.ndarray:
    """Slices `(N, H, W, C * (1 + 2 context))` float32 of `image` `(D, H, W, C)` with their neighbours as channels.

    The order is that of training: from inferior to superior, zeros beyond the volume.
    """
    stacks = []
    for offset in range(-context, context + 1):
        neighbours = np.asarray(positions) + offset
        inside = (neighbours >= 0) & (neighbours < len(image))
        slices = image[np.clip(neighbours, 0, len(image) - 1)].astype(np.float32)
        slices[~inside] = 0
        stacks.append(slices)
    return np.concatenate(stacks, axis=-1)
