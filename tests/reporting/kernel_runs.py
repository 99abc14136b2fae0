"""A folder as `mstl pretrain kernel-prior` leaves it, without its training."""
from pathlib import Path

import numpy as np
import pandas as pd

from mstl._keras import keras
from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.files import write_json
from mstl.models.kernel_prior import GroupPrior, KernelPrior
from mstl.models.kernel_vae import kernel_vae

NAMES = ("encoder_full", "encoder_half", "decoder_full")


def made_prior(names=NAMES, *, examples: int = 80) -> KernelPrior:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    groups = {
        name: GroupPrior((f"{name}_conv1", f"{name}_conv2"), 0.3, kernel_vae(),
                         rng.normal(0, 0.1, (examples, 3, 3, 3)).astype(np.float32))
        for name in names
    }
    return KernelPrior(groups, {})


def group_table(names=NAMES, *, above=(4.0, 2.5, -1.0)) -> pd.DataFrame:
    fixed = {"layers": 2, "kernels": 1200, "trained_on": 1000, "held_out": 120, "held_out_are": "trainings",
             "scale": 0.3, "epochs": 20, "best_epoch": 15, "gaussian": 10.0}
    return pd.DataFrame([{"group": name, **fixed, "held_out_elbo": 10 + more}
                         for name, more in zip(names, above, strict=True)])


def history_table(names=NAMES, *, epochs: int = 20) -> pd.DataFrame:
    rows = [{"group": name, "epoch": epoch, "elbo": 12 - 9 / epoch, "held_out_elbo": 11 - 9 / epoch,
             "reconstruction": 14 - 9 / epoch, "kl": 2.0} for name in names for epoch in range(1, epochs + 1)]
    return pd.DataFrame(rows)


def write_kernel_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    made_prior().save(folder / "prior.h5")
    KernelPriorExperiment(sources=("runs/a", "runs/b <i>"), model_options={"filters": [4, 8]}).save(
        folder / "experiment.yaml"
    )
    group_table().to_csv(folder / "groups.csv", index=False)
    history_table().to_csv(folder / "history.csv", index=False)
    kernels = [{"network": network, "group": name, "kernels": 600, "dropped": 7 * (network != "runs/a/best.h5")}
               for network in ("runs/a/best.h5", "runs/b <i>/best.h5") for name in NAMES]
    pd.DataFrame(kernels).to_csv(folder / "kernels.csv", index=False)
    write_json(folder / "environment.json", {"seed": 0, "inputs": {"runs/a/best.h5": "ab12"}})
    return folder
