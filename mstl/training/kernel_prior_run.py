"""The folder of a learned prior: what `mstl pretrain kernel-prior` leaves behind."""
from __future__ import annotations

import pandas as pd

from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.models.kernel_prior import KernelPrior
from mstl.training.run import RunFolder

GROUPS, KERNELS = "groups.csv", "kernels.csv"


class KernelPriorRun(RunFolder):
    """A learned prior; `prior` of an experiment with a Bayesian model takes its folder."""

    settings = KernelPriorExperiment

    @property
    def prior(self) -> KernelPrior:
        """The prior itself."""
        return KernelPrior.load(self.folder)

    @property
    def groups(self) -> pd.DataFrame:
        """A row a group: group, layers and kernels that it has, scale, best epoch, held-out bound in nats a kernel."""
        return pd.read_csv(self.folder / GROUPS)

    @property
    def kernels(self) -> pd.DataFrame:
        """A row a network and group: network, group, kernels, dropped."""
        return pd.read_csv(self.folder / KERNELS)
