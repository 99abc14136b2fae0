"""Previews: sheets of what the model makes of the same few slices as a training goes on."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from mstl._keras import keras
from mstl.data.patches import PatchSampler
from mstl.data.slices import SliceSampler
from mstl.models.batch_norm import steady
from mstl.training.panels import draw_panels, grey, scale_of, write_png

PREVIEWS = "previews"
TRUTH, OUTPUT = "truth", "output"


class Previews(keras.callbacks.Callback):
    """Draws every batch of `sampler`, its masks and the model's output after every `every` steps of a training.

    `RUN/previews/step000100.png` is a `preview_sheet` after 100 steps, counted from the training's first: a resumed
    training draws on. modalities: names of the channels. What is drawn is read once, and the model does not change.
    """

    def __init__(
        self, folder: str | Path, sampler: SliceSampler | PatchSampler, *, every: int, modalities: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.folder, self.every, self.modalities = Path(folder), every, tuple(modalities)
        batches = [sampler.batch(0, index) for index in range(sampler.steps)]
        self.images, self.masks = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
        self.names = [sampler.batch_cases(0, index)[0] for index in range(sampler.steps)]
        self._before = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Note how many steps there were before."""
        self._before = epoch * self.params["steps"]

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Draw where it is the step's turn."""
        step = self._before + batch + 1
        if step % self.every:
            return
        with steady(self.model):
            output = np.asarray(self.model(self.images, training=False))
        known = {"modalities": self.modalities, "names": self.names, "title": f"step {step}"}
        path = self.folder / PREVIEWS / f"step{step:06d}.png"
        write_png(path, preview_sheet(self.images, self.masks, output, **known))


def preview_sheet(
    images: np.ndarray,
    masks: np.ndarray,
    output: np.ndarray,
    *,
    modalities: tuple[str, ...],
    names: list[str],
    title: str = "",
) -> np.ndarray:
    """Draw images `(N, H, W, C)`, a column each, above their masks and the model's probabilities; returns a picture.

    It has grey levels, uint8 `(height, width)`. Of volumes `(N, D, H, W, C)` the middle slice is shown, of channels
    with neighbouring slices the slice itself. masks: `(N, ..., 1)`, class 0 black and the last one white; output:
    `(N, ..., K)`, the probability of lesion where there is one class, else the most probable class as in the masks.
    """
    images, masks, output = (_middle_slice(np.asarray(array, np.float32)) for array in (images, masks, output))
    count = len(modalities)
    first = (images.shape[-1] // count // 2) * count  # of the channels that are the slice itself
    scans = [images[..., channel] for channel in range(first, first + count)]
    classes = max(output.shape[-1] - 1, 1)  # but background
    found = output[..., -1] if classes == 1 else output.argmax(axis=-1) / classes
    panels = [grey(scan, scale_of(scan)) for scan in scans]
    panels += [grey(values, (0, 1)) for values in (masks[..., 0] / classes, found)]
    labels = [(name, "") for name in modalities] + [("", TRUTH), ("", OUTPUT)]
    return draw_panels(np.stack(panels), labels=labels, names=names, title=title)


def _middle_slice(array: np.ndarray) -> np.ndarray:
    """Images as they are, of volumes `(N, D, H, W, C)` the slice in the middle of D."""
    return array[:, array.shape[1] // 2] if array.ndim == 5 else array
