"""A trained model as a function of a prepared case: slices in, a probability map out."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mstl._keras import keras, tf
from mstl.config import input_channels
from mstl.data.prepared import PreparedCase
from mstl.errors import InputError
from mstl.models.batch_norm import steady
from mstl.models.sides import side_multiple

BATCH_SIZE = 8  # slices; larger batches are not faster on a CPU


@dataclass(frozen=True)
class Predictor:
    """A model that turns a prepared case into a probability map; slices without brain are skipped.

    The model's weights stay as they are, moving statistics that drift at every call included.
    """

    model: keras.Model
    context: int = 0
    flip: bool = False
    batch_size: int = BATCH_SIZE

    def __post_init__(self) -> None:
        signature = [tf.TensorSpec((None, None, None, self.model.input_shape[-1]), tf.float32)]
        forward = tf.function(lambda images: self.model(images, training=False), input_signature=signature)
        object.__setattr__(self, "_forward", forward)
        object.__setattr__(self, "_multiple", side_multiple(self.model))

    def __call__(self, case: PreparedCase) -> np.ndarray:
        """Probabilities float32 `(D, H, W)` on the prepared grid, 0 in slices without brain."""
        image = case.image
        channels = input_channels(image.shape[-1], context=self.context)
        if channels != self.model.input_shape[-1]:
            raise InputError(
                f"Case {case.name} gives {channels} channels ({', '.join(case.modalities)}, context "
                f"{self.context}), the model expects {self.model.input_shape[-1]}. Prepare the run's modalities."
            )
        probability = np.zeros(case.shape, dtype=np.float32)
        positions = np.flatnonzero(case.brain_voxels)
        with steady(self.model):
            for start in range(0, len(positions), self.batch_size):
                batch = positions[start : start + self.batch_size]
                probability[batch] = self._slices(with_context(image, batch, context=self.context))
        return probability

    def _slices(self, images: np.ndarray) -> np.ndarray:
        height, width = images.shape[1:3]
        gaps = [-side % self._multiple for side in (height, width)]
        top, left = (gap // 2 for gap in gaps)
        padded = np.pad(images, [(0, 0), (top, gaps[0] - top), (left, gaps[1] - left), (0, 0)])
        result = self._forward(padded).numpy()
        if self.flip:
            result = (result + self._forward(padded[:, :, ::-1]).numpy()[:, :, ::-1]) / 2
        return result[:, top : top + height, left : left + width, 0]


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
