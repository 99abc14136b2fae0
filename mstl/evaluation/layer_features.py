"""What a layer of a trained model makes of images: its activations, averaged over space."""
from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mstl._keras import keras, tf
from mstl.config import input_channels
from mstl.errors import InputError
from mstl.evaluation.predictor import padded, with_context
from mstl.models.batch_norm import steady
from mstl.models.sides import is_volumetric, side_multiple
from mstl.models.tree import layers_of
from mstl.training.run import Run

SLICE_BATCH = 8  # slices; patches go one at a time
PATCH = (64, 64, 64)  # voxels, for a 3D model whose run does not say


@dataclass(frozen=True, eq=False)
class LayerFeatures:
    """One layer of a model as a function of images: `model` ends in it, see `tapped`.

    Sides of images are padded with zeros to multiples of `multiple`; `context` neighbours of a slice are channels.
    `patch` are the sides (D, H, W) of what a 3D model sees, () for a 2D one.
    """

    model: keras.Model
    multiple: int
    context: int = 0
    patch: tuple[int, ...] = ()

    @classmethod
    def of_run(cls, run: Run | str | Path, layer: str) -> LayerFeatures:
        """The layer at the path `layer` (see `layers_of`) in the model of a run, with its best weights.

        Raises `InputError` where the folder is no run, its model cannot be built, or has no such layer.
        """
        run = run if isinstance(run, Run) else Run(run)
        model = run.model()
        volumes = is_volumetric(model)
        patch = (tuple(run.experiment.patch) or PATCH) if volumes else ()
        context = 0 if volumes else run.experiment.context
        return cls(tapped(model, layer), side_multiple(model), context, patch)

    def __post_init__(self) -> None:
        signature = [tf.TensorSpec((None, *self.model.input_shape[1:]), tf.float32)]
        object.__setattr__(self, "_pooled", tf.function(self._pool, input_signature=signature))

    def _pool(self, images: tf.Tensor) -> tf.Tensor:
        maps = tf.cast(self.model(images, training=False), tf.float32)
        return tf.reduce_mean(maps, axis=list(range(1, len(maps.shape) - 1)))

    def check_channels(self, channels: int) -> None:
        """Raise `InputError` unless images of so many modalities fit the model."""
        given, expected = input_channels(channels, context=self.context), self.model.input_shape[-1]
        if given != expected:
            raise InputError(
                f"The scans give {given} channels (modalities: {channels}, context: {self.context}), the run's model "
                f"expects {expected}. Name as many modalities as it was trained on: PREPARED:flair,t1."
            )

    def of_slices(self, image: np.ndarray, positions: Sequence[int]) -> np.ndarray:
        """Features float32 `(N, F)` of slices at `positions` of `image` `(D, H, W, C)`."""
        positions = np.asarray(positions)
        batches = [positions[start : start + SLICE_BATCH] for start in range(0, len(positions), SLICE_BATCH)]
        return self._of_batches(with_context(image, batch, context=self.context) for batch in batches)

    def of_patches(self, image: np.ndarray, corners: np.ndarray) -> np.ndarray:
        """Features float32 `(N, F)` of patches that begin at `corners` `(N, 3)` of `image` `(D, H, W, C)`."""
        windows = [tuple(map(slice, corner, corner + np.array(self.patch))) for corner in corners]
        return self._of_batches(image[window][None] for window in windows)

    def _of_batches(self, batches: Iterable[np.ndarray]) -> np.ndarray:
        with steady(self.model):
            return np.concatenate([self._pooled(self._filled(batch)).numpy() for batch in batches])

    def _filled(self, images: np.ndarray) -> np.ndarray:
        return padded(images.astype(np.float32), multiple=self.multiple)[0]


def tapped(model: keras.Model, path: str) -> keras.Model:
    """The model from its input to the output of the layer at `path`, nested models entered; weights are shared.

    Raises `InputError` where the model has no such layer, which names the nearest, or the layer more than one output.
    """
    known = layers_of(model)
    if path not in known:
        near = difflib.get_close_matches(path, known, n=1, cutoff=0.4)
        hint = f"Did you mean '{near[0]}'?" if near else f"It has {', '.join(list(known)[:5])}, ..."
        raise InputError(f"Model '{model.name}' has no layer '{path}'. {hint} 'mstl inspect RUN/best.h5' lists layers.")
    outputs = _outputs(model, known[path])
    if len(outputs) != 1:
        raise InputError(f"Layer '{path}' has {len(outputs)} outputs, one is expected. Choose another layer.")
    return keras.Model(model.inputs, outputs[0])


def _outputs(model: keras.Model, layer: keras.layers.Layer) -> list:
    """Symbolic outputs of the layer's first call on the way from the model's inputs; [] where there is none."""
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.layer is layer:
                return tf.nest.flatten(node.outputs)
            inner = _outputs(node.layer, layer) if isinstance(node.layer, keras.Model) else []
            if inner:
                return [keras.Model(node.layer.inputs, inner)(node.keras_inputs)]
    return []
