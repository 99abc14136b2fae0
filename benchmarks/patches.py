"""3D training steps a second through the patch pipeline against the same model fed one cached batch; ms a patch.

Usage: python benchmarks/patches.py [--rounds 6] [--steps 6] [--patch 64] [--augment strong]

Both go through the same compiled `model.fit` of the residual 3D U-Net, in turn, on patches of a 1 mm phantom of three
modalities, batches of 2, which are made in a thread beside the training. Printed are medians over rounds, of which
the first does not count, and of their ratios: of the clock, and of the processor's time, which other programs on the
machine disturb less. Target: at least 0.95. The processor's time of a patch is printed for every augmentation.
"""
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from fit import CachedBatch

import mstl
from mstl._keras import keras
from mstl.data.augment3d import AUGMENTATIONS_3D
from mstl.data.patches import PatchSampler
from mstl.data.sequences import PatchSequence
from mstl.training.losses import get_loss

BATCH = 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--steps", type=int, default=6)
    arguments.add_argument("--patch", type=int, default=64)
    arguments.add_argument("--augment", default="strong", choices=AUGMENTATIONS_3D)
    options = arguments.parse_args()
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=1)
        prepared = mstl.prepare(cohort, Path(folder) / "prepared")
        drawn = {"batch_size": BATCH, "patch": options.patch, "steps_per_epoch": options.steps}
        for name in AUGMENTATIONS_3D:
            print(f"{name:8} {milliseconds(PatchSampler(prepared, augment=name, **drawn)):6.1f} ms a patch")
        real = PatchSequence(PatchSampler(prepared, augment=options.augment, **drawn))
        cached = CachedBatch(real[0], options.steps)
        model = mstl.models.build_model("unet3d-residual", seed=0, channels=3)
        model.compile(keras.optimizers.Adam(1e-4), get_loss("bce_dice"))
        for _ in range(options.rounds + 1):
            rounds.append([seconds_a_step(model, batches) for batches in (real, cached)])
    for number, of_what in enumerate(("clock", "processor")):
        seen = [(pipeline[number], alone[number]) for pipeline, alone in rounds[1:]]
        pipeline, alone = (statistics.median(times) for times in zip(*seen, strict=True))
        ratio = statistics.median(alone / pipeline for pipeline, alone in seen)
        print(f"{of_what:9} {pipeline:.3f} s a step with {options.augment}, {alone:.3f} s cached: ratio {ratio:.3f}")


class Stopwatch(keras.callbacks.Callback):
    """Seconds of the last epoch: of the clock, and of all threads of this process together."""

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.perf_counter() - self.start[0], time.process_time() - self.start[1]


def seconds_a_step(model: keras.Model, batches: keras.utils.Sequence) -> list[float]:
    """In the second of two epochs: in the first Keras makes the first batches of the second as well."""
    watch = Stopwatch()
    model.fit(batches, epochs=2, shuffle=False, verbose=0, callbacks=[watch])
    return [seconds / len(batches) for seconds in watch.seconds]


def milliseconds(sampler: PatchSampler) -> float:
    """Median of the processor's time for a patch."""
    seen = []
    for epoch in range(3):
        for index in range(sampler.steps):
            start = time.thread_time()
            sampler.batch(epoch, index)
            seen.append((time.thread_time() - start) * 1000 / BATCH)
    return statistics.median(seen)


if __name__ == "__main__":
    main()
