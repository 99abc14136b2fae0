"""What learning a prior of kernels from 20 networks costs, and what it says of kernels that it has not seen.

Usage: python benchmarks/kernel_prior.py [--sources PATTERN ...] [--networks 20] [--set key=value ...] [--out FILE.csv]

Without sources the networks are drawn: residual 3D U-Nets whose kernels are low frequencies of a cube, each with an
amplitude of its own, and noise. All seven groups are learned with the defaults of `mstl pretrain kernel-prior`. A row
a group: kernels, epochs, processor and clock seconds, GFLOP (multiplications and additions of convolutions and dense
layers; backward counted as twice forward) and GFLOP for each processor second, the held-out bound in nats a kernel, and
what independent Gaussians have; --published repeats it with the published bounds of the log variance, (-1, 1). Target:
all groups within 10 minutes on 2 cores, which are 1200 processor seconds.
"""
from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mstl.config_kernel_prior import KernelPriorExperiment
from mstl.files import whole_file
from mstl.models import residual_unet3d
from mstl.models.kernel_groups import is_cube
from mstl.models.kernel_vae import PUBLISHED_RANGE, WIDTHS
from mstl.models.tree import layers_of
from mstl.training.pretrain_kernel_prior import pretrain_kernel_prior
from mstl.training.state import save_weights

DECAY, SPREAD, NOISE = 0.6, 0.6, 0.45  # of amplitudes over frequencies, among kernels; share of the noise


class Clock:
    def __init__(self) -> None:
        self.spent: dict[str, dict[str, float]] = {}
        self.last = self._now()

    def __call__(self, group: str, row: dict) -> None:
        now, seen = self._now(), self.spent.setdefault(group, {"processor_s": 0.0, "clock_s": 0.0})
        for name, before, after in zip(seen, self.last, now, strict=True):
            seen[name] += after - before
        self.last = now
        print(f"{group} epoch {row['epoch']}: held-out bound {row['held_out_elbo']:.2f}", end="\r", flush=True)

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.process_time(), time.perf_counter()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sources", nargs="*", default=[])
    arguments.add_argument("--networks", type=int, default=20)
    arguments.add_argument("--set", dest="changes", action="append", default=[], help="key=value of the experiment")
    arguments.add_argument("--published", action="store_true")
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/kernel_prior.csv"))
    options = arguments.parse_args()
    config = Path(__file__).parents[1] / "configs/kernel-prior.yaml"
    settings = KernelPriorExperiment.load(config, changes=options.changes)
    with tempfile.TemporaryDirectory() as folder:
        sources = options.sources or drawn_networks(Path(folder) / "networks", options.networks)
        ranges = [settings.log_variance_range, *([PUBLISHED_RANGE] if options.published else [])]
        tables = [
            measured(sources, Path(folder) / f"prior-{number}", settings.training() | {"log_variance_range": bounds})
            for number, bounds in enumerate(ranges)
        ]
    table = pd.concat(tables)
    print(table.to_string(index=False, float_format="%.2f"))
    for bounds, rows in table.groupby("log_variance_range", sort=False):
        print(f"{bounds}: {rows['processor_s'].sum():.0f} processor s, {rows['clock_s'].sum():.0f} s by the clock")
    with whole_file(options.out) as temporary:
        table.round(3).to_csv(temporary, index=False)


def measured(sources: Sequence, out: Path, settings: dict) -> pd.DataFrame:
    clock = Clock()
    run = pretrain_kernel_prior(sources, out=out, progress=clock, **settings)
    rows = run.groups.to_dict("records")
    kept = ("group", "kernels", "trained_on", "held_out", "epochs", "held_out_elbo", "gaussian")
    table = pd.DataFrame([{name: row[name] for name in kept} | clock.spent[row["group"]] for row in rows])
    passes = table["epochs"] * (3 * table["trained_on"] + table["held_out"])
    table["gflop"] = passes * flop_of_a_kernel(settings["latent"]) / 1e9
    table["gflop_per_processor_s"] = table["gflop"] / table["processor_s"]
    table.insert(0, "log_variance_range", str(tuple(settings["log_variance_range"])))
    return table


def flop_of_a_kernel(latent: int) -> int:
    """Of encoder and decoder once: twice the products of each layer."""
    small, middle, wide = WIDTHS
    encoder = 27 * 27 * small + 8 * 27 * small * middle + middle * wide + 2 * wide * latent
    decoder = latent * wide + wide * wide + 27 * (wide * wide + wide * middle + middle * small + 2 * small)
    return 2 * (encoder + decoder)


def drawn_networks(folder: Path, count: int) -> list[Path]:
    basis, order = frequencies()
    model, paths = residual_unet3d(channels=1, num_classes=2), [folder / f"{number}.h5" for number in range(count)]
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        for layer in layers_of(model).values():
            if is_cube(layer):
                layer.kernel.assign(drawn_kernels(rng, basis, order, layer.kernel.shape[-2:]))
        save_weights(path, model)
    return paths


def drawn_kernels(rng: np.random.Generator, basis: np.ndarray, order: np.ndarray, channels: tuple) -> np.ndarray:
    scale = np.sqrt(2 / (27 * channels[0]))
    amplitude = np.exp(SPREAD * rng.normal(size=(1, *channels)) - DECAY * order[:, None, None])
    weights = rng.normal(size=(27, *channels)) * amplitude / np.sqrt(np.mean(amplitude**2))
    noise = NOISE * rng.normal(size=(3, 3, 3, *channels))
    return scale * (np.tensordot(basis, weights, axes=(0, 0)) + noise)


def frequencies() -> tuple[np.ndarray, np.ndarray]:
    """An orthonormal basis `(27, 3, 3, 3)` of products of constants, slopes and bends, and the order of each."""
    place = np.array([-1.0, 0.0, 1.0])
    lines = np.stack([np.ones(3), place, place**2 - 2 / 3])
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    basis = np.einsum("ax,by,cz->abcxyz", lines, lines, lines).reshape(27, 3, 3, 3)
    return basis, np.add.outer(np.add.outer(range(3), range(3)), range(3)).ravel()


if __name__ == "__main__":
    main()
