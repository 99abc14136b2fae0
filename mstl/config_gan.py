"""An experiment of `mstl pretrain gan`: every setting of one self-supervised training."""
from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from mstl.errors import InputError
from mstl.settings import (
    CohortSettings,
    check_counts,
    check_crop,
    check_decay,
    check_precision,
    check_rate,
    check_seed,
)

GENERATOR_MULTIPLE = 64  # what the generator's six halvings need


@dataclass(frozen=True)
class GanTraining:
    """Settings of `pretrain_gan`; the defaults are those of the 2021 thesis work, which leaves `epochs` open.

    Task: `corruption` hides squares of `tile` pixels, which become `fill` (1 is the brightest value), and the generator
    restores the image; `share` of the image (of the brain) is hidden by "blocks" ("brain-blocks"). See
    `mstl.data.corruption`.

    Losses: the generator's is the cross-entropy of the discriminator's verdict plus `l1_weight` times the mean
    absolute error, in which a hidden pixel counts as `hidden_weight` visible ones (published: 1); the
    discriminator's is weighted by `discriminator_weight`. Both have Adam with `beta_1` and `learning_rate`, which stays
    ("constant") or falls to zero along a cosine (`decay: cosine`).

    Network: `width`, `activation`, `norm_mode` and `dropout` are arguments of `mstl.models.pix2pix.generator`; the
    discriminator has the same `width`.

    An epoch has `steps_per_epoch` batches of `batch_size` slices (None: every slice with brain once), its validation
    `validation_steps` (None: every slice). `crop` is a side in pixels (None: whole slices); `augment` as in a training.
    `precision` is that of the computations, as in a training.
    Every `sample_every` epochs a sheet of restored slices and the generator are written. The training stops after
    `stop_patience` epochs without a better one (None: never), by validation or else by the generator's loss.
    """

    corruption: str = "checkerboard"
    tile: int = 16
    fill: float = 1.0
    share: float = 0.5
    learning_rate: float = 2e-4
    decay: str = "constant"
    beta_1: float = 0.5
    l1_weight: float = 100.0
    hidden_weight: float = 1.0
    discriminator_weight: float = 0.5
    width: int = 64
    activation: str = "tanh"
    norm_mode: str = "batch"
    dropout: float = 0.5
    epochs: int = 100
    stop_patience: int | None = None
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    batch_size: int = 20
    crop: int | None = None
    augment: str = "none"
    sample_every: int = 20
    precision: str = "float32"
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        counts = [one.name for one in fields(GanTraining) if one.type.startswith("int") and one.name != "seed"]
        check_counts(self, names=counts)
        check_counts(self, names=("l1_weight", "hidden_weight", "discriminator_weight"), least=0)
        check_seed(self.seed)
        check_crop(self.crop, multiple=GENERATOR_MULTIPLE)
        check_rate(self.learning_rate)
        check_decay(self.decay)
        check_precision(self.precision)
        if not 0 <= self.beta_1 < 1:
            raise InputError(f"beta_1 is {self.beta_1}; from 0 to below 1 is expected, as 0.5.")

    def training(self) -> dict:
        """The settings of `pretrain_gan` alone, as its keyword arguments."""
        return {one.name: getattr(self, one.name) for one in fields(GanTraining)}


@dataclass(frozen=True)
class GanExperiment(GanTraining, CohortSettings):
    """Settings of `mstl pretrain gan`: those of `GanTraining`, the data (see `CohortSettings`), and initial weights.

    Masks are not opened; subjects without them are as good. `init` is "random", a generator's Keras file, or the
    folder of an earlier pre-training.
    """

    KIND: ClassVar[str] = "gan"

    init: str = "random"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.set_sides()
