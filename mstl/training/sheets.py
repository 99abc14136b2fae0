"""Sheets of samples: what a generator was given, what it made of it, what it should have made."""
from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from mstl._keras import keras
from mstl.data.prepared import PreparedCase
from mstl.data.restoration import RestorationSampler
from mstl.errors import InputError
from mstl.models.batch_norm import steady
from mstl.training.panels import draw_panels, grey, scale_of, write_png
from mstl.training.state import save_weights

SAMPLES, GENERATORS = "samples", "generators"
ROWS = ("input", "output", "target")
MUCH_BRAIN = 0.5  # part of the brain's area in the case's fullest slice that a slice must show to be picked

Names = Sequence[str] | None
Scale = tuple[float, float] | None


def sample_sheet(
    corrupted: np.ndarray,
    output: np.ndarray,
    target: np.ndarray,
    *,
    names: Names = None,
    modalities: Names = None,
    scale: Scale = None,
    title: str = "",
) -> np.ndarray:
    """Draw images `(N, H, W, C)`, a column each, in the rows input, output and target; returns a picture.

    It has grey levels, uint8 `(height, width)`. The rows of a second channel stand below those of the first. names:
    heading of each image; modalities: name of each channel. scale: the values shown black and white, as (-1, 1) for a
    generator with "tanh" and (0, 1) with "sigmoid"; by default those of each channel of the target, its smallest and
    the 99.8th percentile of what is above.
    Raises `InputError` where the arrays have different shapes, or names do not count as many as there are.
    """
    images = [np.asarray(array, dtype=np.float32) for array in (corrupted, output, target)]
    _check(images, names, modalities)
    channels = range(images[0].shape[-1])
    scales = [scale or scale_of(images[-1][..., channel]) for channel in channels]
    panels = np.stack([grey(image[..., channel], scales[channel]) for channel in channels for image in images])
    headings = modalities or [""] * len(channels)
    labels = [(heading if row == ROWS[0] else "", row) for heading in headings for row in ROWS]
    return draw_panels(panels, labels=labels, names=names or (), title=title)


def write_sheet(
    path: str | Path,
    corrupted: np.ndarray,
    output: np.ndarray,
    target: np.ndarray,
    *,
    names: Names = None,
    modalities: Names = None,
    scale: Scale = None,
    title: str = "",
) -> Path:
    """Write a `sample_sheet` as PNG, whole or not at all; returns its path."""
    sheet = sample_sheet(corrupted, output, target, names=names, modalities=modalities, scale=scale, title=title)
    return write_png(path, sheet, optimise=True)


def choose_slices(cases: Sequence[PreparedCase], count: int) -> list[tuple[int, int]]:
    """Up to `count` slices worth showing, as (case, slice): spread over subjects, and from the lowest to the highest.

    Only slices with at least half the brain area of their case's fullest are chosen, from each subject's first case.
    Nothing but the cases' records is read.
    """
    first = list({case.subject: number for number, case in reversed(list(enumerate(cases)))}.values())[::-1]
    chosen = []
    for turn in range(count):
        number = first[turn * len(first) // count if count < len(first) else turn % len(first)]
        area = np.asarray(cases[number].brain_voxels)
        full = np.flatnonzero(area >= max(MUCH_BRAIN * area.max(), 1))
        if len(full):
            chosen.append((number, int(full[int((turn + 0.5) / count * len(full))])))
    return sorted(set(chosen))


def sample_batch(sampler: RestorationSampler, count: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Corrupted and target `(N, H, W, C)` float32 of up to `count` slices of a sampler's cases, and their names.

    See `choose_slices`. They are not augmented, otherwise as the sampler makes them.
    """
    cases = sampler.slices.cases
    chosen = choose_slices(cases, count)
    if not chosen:
        raise InputError("No case has a slice that shows brain. Check the brain masks, and prepare again.")
    one_by_one = replace(sampler.slices, batch_size=1, keep="all", shuffle=False, augment=None, steps_per_epoch=None)
    single = copy(sampler)  # its cases are checked
    single.slices = one_by_one
    first = np.cumsum([0, *(case.shape[0] for case in cases)])
    pairs = [single.batch(0, int(first[number]) + place)[:2] for number, place in chosen]
    corrupted, target = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return corrupted, target, [f"{cases[number].name} slice {place}" for number, place in chosen]


class SampleSheets(keras.callbacks.Callback):
    """Draws what the generator of a GAN makes of the same images, every `every` epochs, at the first and the last.

    `RUN/samples/epoch-0020.png` is a `sample_sheet` and `RUN/generators/epoch-0020.h5` the generator's weights then;
    `epoch-0000.png` shows it before training. corrupted, target: `(N, H, W, C)` float32 of held-out subjects in the
    generator's scale. The model trained has its generator as attribute `generator`; its statistics do not change. A
    resumed training draws on: put this before the callback that saves the state.
    """

    def __init__(
        self,
        folder: str | Path,
        corrupted: np.ndarray,
        target: np.ndarray,
        *,
        every: int = 20,
        names: Names = None,
        modalities: Names = None,
        scale: Scale = None,
    ) -> None:
        super().__init__()
        if every < 1:
            raise InputError(f"Samples every {every} epochs cannot be drawn; at least 1 is expected.")
        self.folder, self.corrupted, self.target, self.every = Path(folder), corrupted, target, every
        self.look = {"names": names, "modalities": modalities, "scale": scale}
        self._done = self._drawn = 0

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Forget an earlier training."""
        self._done = self._drawn = 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Before the first epoch, draw what the untrained generator makes."""
        if epoch == 0:
            self._draw(0)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Draw, and keep the weights, where it is the epoch's turn."""
        self._done = epoch + 1
        if self._done % self.every == 0 or self._done == self.params["epochs"]:
            self._keep()

    def on_train_end(self, logs: dict | None = None) -> None:
        """Draw the last epoch of a training that ended early."""
        if self._drawn < self._done:
            self._keep()

    def _keep(self) -> None:
        self._draw(self._done)
        save_weights(self.folder / GENERATORS / f"epoch-{self._done:04d}.h5", self.model.generator)
        self._drawn = self._done

    def _draw(self, epoch: int) -> None:
        with steady(self.model.generator):
            output = self.model.generator(self.corrupted, training=False).numpy()
        title = f"epoch {epoch}" if epoch else "before training"
        path = self.folder / SAMPLES / f"epoch-{epoch:04d}.png"
        write_sheet(path, self.corrupted, output, self.target, title=title, **self.look)


def _check(images: Sequence[np.ndarray], names: Names, modalities: Names) -> None:
    shapes = [image.shape for image in images]
    if len(set(shapes)) > 1 or len(shapes[0]) != 4 or 0 in shapes[0]:
        raise InputError(
            f"Input, output and target have the shapes {', '.join(map(str, shapes))}; one shape (N, H, W, C) is "
            "expected. Give images of the same slices."
        )
    for words, what, count in ((names, "names", shapes[0][0]), (modalities, "modalities", shapes[0][-1])):
        if words is not None and len(words) != count:
            raise InputError(f"{what} are {', '.join(words)}, but there are {count}. Name each once.")
