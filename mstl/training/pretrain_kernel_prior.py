"""Learning a prior of kernels: trained networks in, one autoencoder for each group of their 3x3x3 convolutions out."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mstl._keras import keras
from mstl.config_kernel_prior import KernelPriorExperiment, KernelPriorTraining
from mstl.files import new_folder, sha256, whole_file, write_json
from mstl.models.kernel_prior import PRIOR, GroupPrior, KernelPrior, unit_scale
from mstl.models.kernel_vae import kernel_vae
from mstl.models.recipes import build_model, takes
from mstl.training.environment import environment
from mstl.training.kernel_prior_run import GROUPS, KERNELS, KernelPriorRun
from mstl.training.kernel_shares import Shares, divide
from mstl.training.kernel_vae_fit import Row, best_row, fit_kernel_vae
from mstl.training.kernels import Kernels, collect_kernels, kernel_table
from mstl.training.run import ENVIRONMENT, EXPERIMENT, HISTORY

EXAMPLES = 256  # held-out kernels that a prior keeps of each group
CHANNELS = 1  # of a network whose options do not say

Progress = Callable[[str, Row], None]


def pretrain_kernel_prior(
    sources: Sequence[str | Path],
    *,
    out: str | Path,
    model: str = "unet3d-residual",
    model_options: Mapping[str, object] | None = None,
    collected: Callable[[pd.DataFrame], None] = lambda table: None,
    progress: Progress = lambda group, row: None,
    **settings,
) -> KernelPriorRun:
    """Learn how the 3x3x3 kernels of trained networks look, into the new folder `out`.

    sources: the networks, as of `mstl.training.kernels.network_files`: files of weights, folders of runs, patterns. All
    are of the builder `model` with `model_options` (one channel unless they say otherwise). collected: gets the table
    of `mstl.training.kernels.kernel_table` before training begins; progress: the group's name and a row of
    `fit_kernel_vae` after each epoch. settings: see `KernelPriorTraining`.

    `out` gets prior.h5 (`KernelPrior.load`; the `prior` of an experiment of 'mstl train' with a Bayesian model),
    history.csv (a row an epoch and group), groups.csv (a row a group), kernels.csv (a row a network and group),
    experiment.yaml and environment.json (with the networks' SHA-256). They are written when all groups are learned.

    Raises `InputError` as `collect_kernels` and `divide` do and for an `out` that is not empty; `TrainingError` for a
    bound that is not finite.

    Source: Atanov et al. 2018, arXiv 1810.06943; in 3D Kuzina et al. 2019, doi 10.3389/fnins.2019.00844.
    """
    training = KernelPriorTraining(**settings)
    options = dict(model_options or {})
    experiment = KernelPriorExperiment(
        **training.training(), sources=tuple(map(str, sources)), model=model, model_options=options
    )
    kernels = collect_kernels(sources, _network(model, options), smallest_norm=training.smallest_norm)
    table = kernel_table(kernels)
    collected(table)
    seeds = {name: _seed(training, index) for index, name in enumerate(kernels)}
    shares = {name: divide(of_group, training, seed=seeds[name]) for name, of_group in kernels.items()}
    out, groups, rows, learned = new_folder(out), {}, [], []
    for name, of_group in kernels.items():
        parts = of_group, shares[name]
        groups[name], history = _learned(*parts, training, seeds[name], partial(progress, name))
        rows += [{"group": name, **row} for row in history]
        learned.append({"group": name, **_summary(*parts, groups[name], best_row(history), len(history))})
    networks = [file.path for file in next(iter(kernels.values())).networks]
    facts = environment([], seed=training.seed) | {"inputs": {str(path): sha256(path) for path in networks}}
    KernelPrior(groups, {"experiment": experiment.to_dict(), "networks": facts["inputs"]}).save(out / PRIOR)
    for file, content in {HISTORY: rows, GROUPS: learned, KERNELS: table}.items():
        _write_csv(out / file, pd.DataFrame(content))
    write_json(out / ENVIRONMENT, facts)
    experiment.save(out / EXPERIMENT)
    return KernelPriorRun(out)


def _seed(training: KernelPriorTraining, index: int) -> int:
    """That of the group at `index`."""
    return int(np.random.SeedSequence([training.seed, index]).generate_state(1)[0])


def _network(name: str, options: Mapping[str, object]) -> keras.Model:
    channels = {"channels": CHANNELS} if takes(name, "channels") else {}
    return build_model(name, **(channels | options))


def _learned(
    kernels: Kernels, shares: Shares, training: KernelPriorTraining, seed: int, progress: Callable[[Row], None]
) -> tuple[GroupPrior, list[Row]]:
    """The prior of one group and the history of its training."""
    keras.utils.set_random_seed(seed)
    scale = unit_scale(shares.train)
    vae = kernel_vae(latent=training.latent, log_variance_range=training.log_variance_range)
    values = (np.float32(part / scale) for part in (shares.train, shares.held_out))
    history = fit_kernel_vae(vae, *values, settings=training, seed=seed, progress=progress)
    return GroupPrior(kernels.layers, scale, vae, shares.examples(EXAMPLES, seed=seed)), history


def _summary(kernels: Kernels, shares: Shares, prior: GroupPrior, best: Row, epochs: int) -> dict:
    """A row of groups.csv; `gaussian` is what independent Gaussians in the place of the autoencoder have."""
    return {
        "layers": len(kernels.layers),
        "kernels": len(kernels.values),
        "trained_on": len(shares.train),
        "held_out": len(shares.held_out),
        "held_out_are": shares.unit,
        "scale": prior.scale,
        "epochs": epochs,
        "best_epoch": best["epoch"],
        "held_out_elbo": best["held_out_elbo"],
        "gaussian": shares.gaussian_density(prior.scale),
    }


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with whole_file(path) as temporary:
        table.to_csv(temporary, index=False)
