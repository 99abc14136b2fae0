"""Numbers that stand for scans when two sets of them are compared: intensities of patches, or a layer's activations."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from scipy import ndimage

from mstl.data.prepared import PreparedCase
from mstl.errors import InputError
from mstl.evaluation.domain import Domain, distinct_names

if TYPE_CHECKING:
    from mstl.evaluation.layer_features import LayerFeatures

INTENSITIES = "intensities"
PATCHES, SLICES, VOLUMES = 200, 32, 8  # samples a subject: small patches, slices of a 2D, patches of a 3D model
MOST_SAMPLES = 10_000  # of a domain, where nobody asks for more


@dataclass(frozen=True)
class Features:
    """What is measured. `source`: "intensities" of patches of `patch` voxels (D, H, W), or "RUN:LAYER".

    A layer gives its activations averaged over space, of slices or, for a 3D model, of patches as its run trained on.
    `samples` are those of each subject, as many of every one; None: 200 patches, 32 slices, or 8 patches of a 3D model,
    fewer where subjects are many or have few slices. `seed` draws where they lie.
    """

    source: str = INTENSITIES
    patch: tuple[int, int, int] = (8, 8, 8)
    samples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.patch) != 3 or min(self.patch) < 1:
            raise InputError(f"patch is {self.patch}; three sides of at least 1 voxel are expected, as 8,8,8 or 1,8,8.")
        if self.samples is not None and self.samples < 1:
            raise InputError(f"samples is {self.samples}, expected at least 1 a subject. Give such a number.")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, expected 0 or more. Give such a number.")

    @property
    def of_layer(self) -> tuple[str, str] | None:
        """Folder of the run and path of the layer; None for intensities. Raises `InputError` for another form."""
        if self.source == INTENSITIES:
            return None
        run, colon, layer = self.source.rpartition(":")
        if not colon or not run or not layer:
            raise InputError(f"Features '{self.source}' are neither '{INTENSITIES}' nor RUN:LAYER. Write one of them.")
        return run, layer


@dataclass(frozen=True, eq=False)
class Samples:
    """Features of a domain: `values` float32 `(N, F)`, the `subjects` of each row, and the domain's name."""

    values: np.ndarray
    subjects: tuple[str, ...]
    name: str


def domain_samples(
    a: Domain, b: Domain, features: Features, *, progress: Callable[[str], None] | None = None
) -> tuple[Samples, Samples]:
    """Features of both domains, as many samples of every subject, at places drawn by `features.seed`.

    progress: called with a case's name when it is done. Raises `InputError` where the domains have other numbers of
    channels, a case has too little brain for the samples, or the run or layer of `features` does not exist.
    """
    if len(a.modalities) != len(b.modalities):
        raise InputError(
            f"{a.name()} has {len(a.modalities)} channels, {b.name()} {len(b.modalities)}; as many of both are "
            "expected. Name modalities: PREPARED:flair."
        )
    reader = _reader(features)
    if isinstance(reader, _Layer):
        reader.layer.check_channels(len(a.modalities))
    each = features.samples or _usual(reader, a, b)
    seeds = (features.seed, 0), (features.seed, 1)
    sides = zip((a, b), distinct_names(a, b), seeds, strict=True)
    first, second = (_drawn(*side, reader, each, progress) for side in sides)
    return first, second


def _drawn(
    domain: Domain,
    name: str,
    seed: tuple[int, int],
    reader: _Patches | _Layer,
    each: int,
    progress: Callable[[str], None] | None,
) -> Samples:
    values, subjects = [], []
    for subject in domain.cases.subjects:
        cases = list(domain.cases.select(subject))
        for number, case in enumerate(cases):
            count = each // len(cases) + (number < each % len(cases))
            random = np.random.default_rng((*seed, crc32(case.name.encode())))
            if count:
                values.append(reader(domain.image(case), case, count, random))
                subjects += [subject] * count
            if progress is not None:
                progress(case.name)
    return Samples(np.concatenate(values), tuple(subjects), name)


def _reader(features: Features) -> _Patches | _Layer:
    if features.of_layer is None:
        return _Patches(features.patch)
    from mstl.evaluation.layer_features import LayerFeatures  # starts TensorFlow: only where a model is asked

    run, layer = features.of_layer
    return _Layer(LayerFeatures.of_run(Path(run), layer))


def _usual(reader: _Patches | _Layer, a: Domain, b: Domain) -> int:
    """How many samples a subject: those of the reader, within what a domain gives at most and a case has."""
    subjects = max(len(a.cases.subjects), len(b.cases.subjects))
    has = min(reader.available(case) for domain in (a, b) for case in domain.cases)
    return max(min(reader.usual, MOST_SAMPLES // subjects, has), 1)


@dataclass(frozen=True)
class _Patches:
    """Intensities of patches that lie in the brain with all their voxels."""

    patch: tuple[int, int, int]
    usual = PATCHES

    def available(self, case: PreparedCase) -> int:
        return self.usual

    def __call__(self, image: np.ndarray, case: PreparedCase, count: int, random: np.random.Generator) -> np.ndarray:
        inside = ndimage.minimum_filter(case.brain.view(np.uint8), size=self.patch, mode="constant")
        corners = _places(inside, case, count, random, f"patches of {self.patch}") - np.array(self.patch) // 2
        windows = [tuple(map(slice, corner, corner + np.array(self.patch))) for corner in corners]
        return np.stack([image[window] for window in windows]).reshape(count, -1).astype(np.float32)


@dataclass(frozen=True)
class _Layer:
    """Activations of a layer on slices that show brain or, for a 3D model, on patches around brain voxels."""

    layer: LayerFeatures

    @property
    def usual(self) -> int:
        return VOLUMES if self.layer.patch else SLICES

    def available(self, case: PreparedCase) -> int:
        return self.usual if self.layer.patch else np.count_nonzero(case.brain_voxels)

    def __call__(self, image: np.ndarray, case: PreparedCase, count: int, random: np.random.Generator) -> np.ndarray:
        if not self.layer.patch:
            slices = _places(np.asarray(case.brain_voxels) > 0, case, count, random, "slices")
            return self.layer.of_slices(image, np.sort(slices[:, 0]))
        middles = _places(case.brain, case, count, random, "patches")
        room = np.maximum(np.array(case.shape) - self.layer.patch, 0)
        return self.layer.of_patches(image, np.clip(middles - np.array(self.layer.patch) // 2, 0, room))


def _places(
    inside: np.ndarray, case: PreparedCase, count: int, random: np.random.Generator, what: str
) -> np.ndarray:
    """`count` different indices of `inside` that are not 0, `(count, inside.ndim)`."""
    places = np.flatnonzero(inside)
    if len(places) < count:
        raise InputError(
            f"Case {case.name} has room for {len(places)} {what} in its brain, {count} are wanted. Take fewer samples "
            "a subject, smaller patches, or leave it out."
        )
    return np.stack(np.unravel_index(random.choice(places, count, replace=False), inside.shape), axis=1)
