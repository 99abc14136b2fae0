"""An experiment of `mstl pretrain kernel-prior`: every setting of learning a prior of kernels."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import ClassVar

from mstl.errors import InputError
from mstl.settings import Settings, check_counts, check_rate, check_seed


@dataclass(frozen=True)
class KernelPriorTraining:
    """Settings of `pretrain_kernel_prior`.

    Kernels: those of a norm below `smallest_norm` are dropped; of each group at most `kernels_per_group` are drawn,
    evenly over the networks. A share `held_out` of the networks, or of the kernels where there are few networks, is
    not trained on and says which epoch is best.

    Autoencoders: `latent` and `log_variance_range` are arguments of `mstl.models.kernel_vae.kernel_vae`.

    Training: Adam with `learning_rate` on batches of `batch_size` kernels, for `epochs` at most; it stops after
    `stop_patience` epochs without a better held-out bound. The divergence of codes from the standard normal counts
    wholly after `kl_epochs`, and before that in proportion.

    Published are a latent of 6, a batch of 20 and a patience of 15; in a batch of 128 a kernel takes half the time.
    """

    latent: int = 6
    log_variance_range: tuple[float, ...] = (-10.0, 1.0)
    smallest_norm: float = 0.01
    kernels_per_group: int = 8_000
    held_out: float = 0.1
    epochs: int = 50
    stop_patience: int = 15
    kl_epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        check_counts(self, names=("latent", "kernels_per_group", "epochs", "stop_patience", "batch_size"))
        check_counts(self, names=("smallest_norm", "kl_epochs"), least=0)
        check_rate(self.learning_rate)
        check_seed(self.seed)
        check_range(self.log_variance_range)
        if not 0 < self.held_out < 1:
            raise InputError(f"held_out is {self.held_out}; a share between 0 and 1 is expected, as 0.1.")

    def training(self) -> dict:
        """The settings of `pretrain_kernel_prior` alone, as its keyword arguments."""
        return {one.name: getattr(self, one.name) for one in fields(KernelPriorTraining)}


@dataclass(frozen=True)
class KernelPriorExperiment(KernelPriorTraining, Settings):
    """Settings of `mstl pretrain kernel-prior`: those of `KernelPriorTraining`, the networks and their architecture.

    `sources` are files of weights, folders of runs, or patterns of these such as "runs/ms-*": see
    `mstl.training.kernels.network_files`. All are networks of the builder `model` with `model_options`, one channel
    unless they say otherwise.
    """

    KIND: ClassVar[str] = "kernel-prior"
    NAMES: ClassVar[tuple[str, ...]] = ("sources",)

    sources: tuple[str, ...] = ()
    model: str = "unet3d-residual"
    model_options: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.sources.split(",") if isinstance(self.sources, str) else self.sources
        object.__setattr__(self, "sources", tuple(name for name in (str(one).strip() for one in given) if name))


def check_range(log_variance_range: Sequence[float]) -> None:
    """Raise `InputError` where a range is not two rising, finite numbers."""
    values = tuple(log_variance_range)
    if len(values) != 2 or not all(map(math.isfinite, values)) or values[0] >= values[1]:
        raise InputError(f"log_variance_range is {list(values)}; two rising numbers are expected, as [-10, 1].")
