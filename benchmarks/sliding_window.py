"""Predicting a volume by overlapping windows against the network alone on as many windows, and in one pass.

Usage: python benchmarks/sliding_window.py [--side 192] [--patch 96] [--overlap 0.5] [--rounds 3] [--out FILE.csv]

The volume has three modalities and a head-shaped part that is not background; the network is the residual 3D U-Net
with two classes. Each round measures in turn: the network on one window, as often as windows are computed; the
prediction by windows; the prediction in one pass. Medians over rounds; a first call of each is not counted. Target: by
windows at most 1.25 of the network alone.
"""
from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from mstl._keras import tf
from mstl.evaluation.sliding_window import sliding_window
from mstl.files import whole_file
from mstl.models import build_model
from mstl.models.memory import bytes_per_voxel

CHANNELS, CLASSES = 3, 2


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--side", type=int, default=192)
    arguments.add_argument("--patch", type=int, default=96)
    arguments.add_argument("--overlap", type=float, default=0.5)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/sliding_window.csv"))
    options = arguments.parse_args()
    model = build_model("unet3d-residual", seed=0, channels=CHANNELS, num_classes=CLASSES)
    signature = [tf.TensorSpec((None, None, None, None, CHANNELS), tf.float32)]
    forward = tf.function(lambda images: model(images, training=False), input_signature=signature)
    rows = measure(lambda images: forward(images).numpy(), volume(options.side), options)
    for row in rows:
        row["estimated_mb"] = round(bytes_per_voxel(model) * row.pop("voxels") / 2**20)
    table = pd.DataFrame(rows)
    with whole_file(options.out) as temporary:
        table.to_csv(temporary, index=False)
    print(table.to_string(index=False))


def volume(side: int) -> np.ndarray:
    """An image float16 of noise in an ellipsoid, 0 around it."""
    places = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32)] * 3, indexing="ij", sparse=True)
    inside = sum((place / radius) ** 2 for place, radius in zip(places, (0.72, 0.9, 0.76), strict=True)) < 1
    noise = np.random.default_rng(0).standard_normal((side, side, side, CHANNELS), dtype=np.float32)
    return (noise * inside[..., None]).astype(np.float16)


def measure(forward: Callable, image: np.ndarray, options: argparse.Namespace) -> list[dict]:
    """A row each for the network alone, windows, and one pass."""
    count = 0

    def counted(windows: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return np.zeros((*windows.shape[:-1], CLASSES), np.float32)

    choice = {"classes": CLASSES, "multiple": 8}
    window = {"window": (options.patch,) * 3, "overlap": options.overlap, **choice}
    sliding_window(counted, image, **window)
    one = np.random.default_rng(1).standard_normal((1, *window["window"], CHANNELS), dtype=np.float32)
    works = {
        "network alone": lambda: [forward(one) for _ in range(count)],
        "by windows": lambda: sliding_window(forward, image, **window),
        "in one pass": lambda: sliding_window(forward, image, window=None, **choice),
    }
    peaks, times = {}, {name: [] for name in works}
    forward(one)
    for number in range(options.rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
            if number == 0:
                peaks[name] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = {name: statistics.median(seen) for name, seen in times.items()}
    return [
        {"what": name, "side": options.side, "patch": options.patch, "overlap": options.overlap,
         "windows": 1 if name == "in one pass" else count, "seconds": round(value, 2),
         "ratio_to_network": round(value / seconds["network alone"], 3), "peak_mb": round(peaks[name]),
         "voxels": image[..., 0].size if name == "in one pass" else one[..., 0].size}
        for name, value in seconds.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()
