"""Training steps a second through the real pipeline against the same model fed one cached batch.

Usage: python benchmarks/fit.py [--rounds 4] [--steps 12]

Both go through the same compiled `model.fit`, in turn, on a 1 mm phantom with the thesis augmentation; medians over
rounds are printed, the first round is not counted. Target: at least 0.95.
"""
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import mstl
from mstl._keras import keras
from mstl.data.sequences import SliceSequence
from mstl.data.slices import SliceSampler
from mstl.training.losses import get_loss
from mstl.training.metrics import training_metrics


class CachedBatch(keras.utils.Sequence):
    def __init__(self, batch, steps: int) -> None:
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int):
        return self.batch


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=12)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=1)
        prepared = mstl.prepare(cohort, Path(folder) / "prepared")
        drawn = {"keep": "balanced", "augment": "thesis", "steps_per_epoch": options.steps}
        sampler = SliceSampler(prepared, batch_size=16, **drawn)
        real = SliceSequence(sampler)
        cached = CachedBatch(real[0], options.steps)
        model = mstl.models.build_model("unet-resnet34", seed=0, channels=3, stem="direct")
        model.compile(keras.optimizers.Adam(1e-4), get_loss("bce_dice"), training_metrics())
        times = {"real": [], "cached": []}
        for _ in range(options.rounds + 1):
            for name, batches in (("real", real), ("cached", cached)):
                start = time.perf_counter()
                model.fit(batches, shuffle=False, verbose=0)
                times[name].append(time.perf_counter() - start)
    rate = {name: options.steps / statistics.median(seen[1:]) for name, seen in times.items()}
    print(f"pipeline {rate['real']:.3f} steps a second, cached batch {rate['cached']:.3f}: "
          f"ratio {rate['real'] / rate['cached']:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
