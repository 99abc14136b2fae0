"""One training step of the GAN against the published procedure, its pipeline against a cached batch, its memory.

Usage: python benchmarks/gan_step.py [--rounds 5] [--width 64] [--batch 20] [--epochs 6] [--out FILE.csv]

The published procedure (2021 thesis work) is written plainly with the same layers: the generator predicts, the
discriminator trains on the real pairs, then on the restored ones, then the composite model trains the generator. Both
take the same batch of 192 x 192 in turn; medians over rounds, the first is not counted. Ours is also timed under
mixed_bfloat16. Targets: at least 1.5 times faster; the pipeline at least 0.95 of a cached batch; memory flat over
epochs.
"""
from __future__ import annotations

import argparse
import gc
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import mstl
from mstl._keras import keras
from mstl.config_gan import GanTraining
from mstl.data.sequences import SliceSequence
from mstl.files import whole_file
from mstl.models.pix2pix import discriminator, generator
from mstl.training.gan import Pix2Pix
from mstl.training.pretrain_gan import restoration_sampler

SIDE = 192
PUBLISHED = {"learning_rate": 2e-4, "beta_1": 0.5}


class CachedBatch(keras.utils.Sequence):
    def __init__(self, batch: tuple[np.ndarray, ...], steps: int) -> None:
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self.batch


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--width", type=int, default=64)
    arguments.add_argument("--batch", type=int, default=20)
    arguments.add_argument("--epochs", type=int, default=6)
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/gan_step.csv"))
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=1, modalities=("flair",))
        shape = {"spacing": (1.0, 1.0, 1.0), "shape": (SIDE, SIDE, SIDE), "normalise": "minmax"}
        prepared = mstl.prepare(cohort, Path(folder) / "prepared", modalities=("flair",), **shape)
        settings = GanTraining(width=options.width, batch_size=options.batch, steps_per_epoch=2)
        batches = SliceSequence(restoration_sampler(prepared, settings))
        gan = compiled(options.width)
        rows = [step(gan, batches[0], options)]
        rows += [mixed(batches[0], options, published_s=rows[0]["baseline_s"]), pipeline(gan, batches, options)]
        rows += memory(gan, batches, options)
    table = pd.DataFrame(rows)
    with whole_file(options.out) as temporary:
        table.to_csv(temporary, index=False)
    print(table.to_string(index=False))


def compiled(width: int) -> Pix2Pix:
    """Both networks and their optimizers."""
    keras.utils.set_random_seed(0)
    gan = Pix2Pix(generator(width=width), discriminator(width=width))
    gan.compile(keras.optimizers.Adam(**PUBLISHED), keras.optimizers.Adam(**PUBLISHED))
    return gan


def step(gan: Pix2Pix, batch: tuple[np.ndarray, ...], options: argparse.Namespace) -> dict:
    """Seconds of one step, ours and published, in turn."""
    plain = published(options.width)
    ours, theirs = alternate(lambda: gan.train_on_batch(*batch), lambda: plain(*batch[:2]), rounds=options.rounds)
    return {"what": "step", "ours_s": ours, "baseline_s": theirs, "ratio": theirs / ours}


def mixed(batch: tuple[np.ndarray, ...], options: argparse.Namespace, *, published_s: float) -> dict:
    """Seconds of one step of ours under mixed_bfloat16, against the published one in float32."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        gan = compiled(options.width)
        ours, _ = alternate(lambda: gan.train_on_batch(*batch), lambda: None, rounds=options.rounds)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    name = "step, ours in mixed_bfloat16"
    return {"what": name, "ours_s": ours, "baseline_s": published_s, "ratio": published_s / ours}


def pipeline(gan: Pix2Pix, batches: SliceSequence, options: argparse.Namespace) -> dict:
    """Seconds of an epoch of two steps through the pipeline, and fed one cached batch."""
    cached = CachedBatch(batches[0], len(batches))
    ours, theirs = alternate(
        *(lambda fed=fed: gan.fit(fed, shuffle=False, verbose=0) for fed in (batches, cached)), rounds=options.rounds
    )
    return {"what": "pipeline", "ours_s": ours, "baseline_s": theirs, "ratio": theirs / ours}


def memory(gan: Pix2Pix, batches: SliceSequence, options: argparse.Namespace) -> list[dict]:
    """Resident megabytes after each epoch."""
    rows = []
    for epoch in range(options.epochs):
        gan.fit(batches, shuffle=False, verbose=0)
        gc.collect()
        rows.append({"what": f"memory after epoch {epoch + 1}, MB", "ours_s": None, "resident_mb": resident_mb(),
                     "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})  # fmt: skip
    return rows


def alternate(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Median seconds of both, called in turn; a first call of each is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for call, seen in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            call()
            seen.append(time.perf_counter() - start)
    return tuple(statistics.median(seen[1:]) for seen in times)


def published(width: int) -> Callable[[np.ndarray, np.ndarray], None]:
    """The step of the 2021 thesis work: predict, then three updates."""
    network, judge = generator(width=width), discriminator(width=width)
    judge.compile(keras.optimizers.Adam(**PUBLISHED), "binary_crossentropy", loss_weights=[0.5])
    for layer in judge.layers:
        layer.trainable = isinstance(layer, keras.layers.BatchNormalization)
    source = keras.layers.Input((SIDE, SIDE, 1))
    restored = network(source)
    composite = keras.Model(source, [judge([source, restored]), restored])
    composite.compile(keras.optimizers.Adam(**PUBLISHED), ["binary_crossentropy", "mae"], loss_weights=[1, 100])

    def update(sources: np.ndarray, targets: np.ndarray) -> None:
        real = np.ones((len(sources), SIDE // 16, SIDE // 16, 1), np.float32)
        made = network.predict(sources, verbose=0)
        judge.train_on_batch([sources, targets], real)
        judge.train_on_batch([sources, made], 0 * real)
        composite.train_on_batch(sources, [real, targets])

    return update


def resident_mb() -> float:
    """Memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
