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

GENERATOR_MULTIPLE = 64  # what the six halvings of Pix2Pix's generator need
GENERATORS = {"pix2pix": GENERATOR_MULTIPLE, "unet-s5": 16}  # and what sides of images must be multiples of
NORM_MODE, DROPOUT = "batch", 0.5  # of Pix2Pix's generator


@dataclass(frozen=True)
class GanTraining:
    """Settings of `pretrain_gan`; the defaults are those of the 2021 thesis work, which leaves `epochs` open.

    Task: `corruption` hides squares of `tile` pixels, which become `fill` (1 is the brightest value), and the generator
    restores the image; `share` of the image (of the brain) is hidden by "blocks" ("brain-blocks"). See
    `mstl.data.corruption`.

    Losses: the generator's is the cross-entropy of the discriminator's verdict plus `l1_weight` times the mean
    absolute error, in which a hidden pixel counts as `hidden_weight` visible ones (published: 1); the
    discriminator's is weighted by `discriminator_weight`. Both have Adam with `beta_1` and `learning_rate`, which stays
    ("constant") or falls to zero along a cosine (`decay: cosine`). `adversarial_weight` is that of the verdict
    (published: 1); at 0 there is no discriminator, and the generator learns by the error alone, as a denoising
    autoencoder (Vincent et al. 2010, JMLR 11:3371) does; a step of Pix2Pix's generator then takes half the time.

    Network: `generator` "pix2pix", whose `width`, `activation`, `norm_mode` and `dropout` are arguments of
    `mstl.models.pix2pix.generator`; or "unet-s5", the encoder and decoder of `mstl.models.unet_s5`, with `width` and
    `activation` alone ("sigmoid" shows them images in [0, 1], as a training does). The discriminator has the same
    `width`.

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
    adversarial_weight: float = 1.0
    l1_weight: float = 100.0
    hidden_weight: float = 1.0
    discriminator_weight: float = 0.5
    generator: str = "pix2pix"
    width: int = 64
    activation: str = "tanh"
    norm_mode: str = NORM_MODE
    dropout: float = DROPOUT
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
        weights = [one.name for one in fields(GanTraining) if one.name.endswith("_weight")]
        check_counts(self, names=weights, least=0)
        check_seed(self.seed)
        self._check_generator()
        check_crop(self.crop, multiple=self.side_multiple)
        check_rate(self.learning_rate)
        check_decay(self.decay)
        check_precision(self.precision)
        if not 0 <= self.beta_1 < 1:
            raise InputError(f"beta_1 is {self.beta_1}; from 0 to below 1 is expected, as 0.5.")

    @property
    def side_multiple(self) -> int:
        """Number of pixels that the sides of the generator's images must be multiples of."""
        return GENERATORS[self.generator]

    def _check_generator(self) -> None:
        if self.generator not in GENERATORS:
            raise InputError(f"generator is '{self.generator}'; expected one of {', '.join(GENERATORS)}. Mend it.")
        if self.generator != "pix2pix" and (self.norm_mode, self.dropout) != (NORM_MODE, DROPOUT):
            raise InputError(
                f"norm_mode is '{self.norm_mode}' and dropout {self.dropout}, but generator '{self.generator}' has "
                "neither. Leave both out, or take generator: pix2pix."
            )

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
