"""A training step of the 3D networks against the same networks in PyTorch.

Usage: python benchmarks/step3d.py [--rounds 5] [--side 64] [--batch 2] [--networks residual classic] [--out FILE.csv]

Both libraries compute the same architecture with the same loss and optimizer, each in a process of its own, in turn;
medians over rounds, the first is not counted. PyTorch takes the faster of its two memory layouts. Wished for: a ratio
(PyTorch's time over ours) of at least 0.9. Needs ".[bench]".
"""
from __future__ import annotations

import argparse
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

CHANNELS, CLASSES = 3, 4
RESIDUAL, CLASSIC = (16, 32, 32, 64), (32, 64, 128, 256, 512)
WAYS = ("mstl", "mstl, mixed_bfloat16", "PyTorch", "PyTorch, channels last")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--side", type=int, default=64)
    arguments.add_argument("--batch", type=int, default=2)
    arguments.add_argument("--networks", nargs="+", choices=STEPS, default=list(STEPS))
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/step3d.csv"))
    options = arguments.parse_args()
    rows = [row for network in options.networks for row in measured(network, options)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    options.out.write_text(f"# Written by benchmarks/step3d.py.\n{text}", encoding="utf-8")


def measured(network: str, options: argparse.Namespace) -> list[dict]:
    """A row each way of computing a step: its median seconds, and how often it fits into one of ours."""
    context = multiprocessing.get_context("spawn")
    workers = []
    for way in WAYS:
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, network, way, options.side, options.batch), daemon=True)
        process.start()
        workers.append(here)
    times = [[worker_time(worker) for worker in workers] for _ in range(options.rounds + 1)][1:]
    for worker in workers:
        worker.send(None)
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    common = {"network": network, "side": options.side, "batch": options.batch}
    rows = [
        {**common, "way": way, "seconds": round(median, 3), "times_mstl": round(median / medians[0], 3)}
        for way, median in zip(WAYS, medians, strict=True)
    ]
    for row in rows:
        print(*row.values(), flush=True)
    return rows


def worker_time(worker) -> float:
    """Seconds of one step in another process, which sleeps while it is not asked."""
    worker.send("step")
    return worker.recv()


def serve(pipe, network: str, way: str, side: int, batch: int) -> None:
    """Make the step, then take one each time that the pipe asks for it, and answer with its seconds."""
    random = np.random.default_rng(0)
    image = random.normal(size=(batch, side, side, side, CHANNELS)).astype(np.float32)
    mask = random.integers(0, CLASSES, (batch, side, side, side, 1)).astype(np.float32)
    step = STEPS[network][way.startswith("PyTorch")](way, image, mask)
    while pipe.recv() is not None:
        start = time.perf_counter()
        step()
        pipe.send(time.perf_counter() - start)


def keras_step(builder: str, way: str, image: np.ndarray, mask: np.ndarray) -> Callable[[], object]:
    """One step of ours."""
    import mstl
    from mstl._keras import keras
    from mstl.training.losses import get_loss

    if way.endswith("bfloat16"):
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = mstl.models.build_model(builder, channels=CHANNELS, num_classes=CLASSES)
    model.compile(keras.optimizers.Adam(1e-3), get_loss("ce", num_classes=CLASSES))
    return lambda: model.train_on_batch(image, mask)


def torch_step(make: Callable, way: str, image: np.ndarray, mask: np.ndarray) -> Callable[[], object]:
    """One step of PyTorch's."""
    import torch

    layout = torch.channels_last_3d if way.endswith("channels last") else torch.contiguous_format
    model = make(torch.nn).to(memory_format=layout)
    images = torch.tensor(image).permute(0, 4, 1, 2, 3).contiguous(memory_format=layout)
    labels = torch.tensor(mask[..., 0]).long()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def torch_residual(nn):
    """The residual network of `mstl.models.unet3d` in PyTorch."""

    class Block(nn.Module):
        def __init__(self, given: int, width: int, stride: int = 1) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.InstanceNorm3d(given), nn.ReLU(), nn.Conv3d(given, width, 3, stride, 1, bias=False),
                nn.InstanceNorm3d(width), nn.ReLU(), nn.Conv3d(width, width, 3, 1, 1, bias=False),
            )  # fmt: skip
            same = stride == 1 and given == width
            self.shortcut = nn.Identity() if same else nn.Conv3d(given, width, 1, stride, bias=False)

        def forward(self, maps):
            return self.body(maps) + self.shortcut(maps)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            down, up = list(itertools.pairwise(RESIDUAL)), list(itertools.pairwise(RESIDUAL[::-1]))
            self.stem = nn.Conv3d(CHANNELS, RESIDUAL[0], 3, 1, 1, bias=False)
            self.down = nn.ModuleList(nn.Sequential(Block(a, b, 2), Block(b, b)) for a, b in down)
            self.reduce = nn.ModuleList(nn.Conv3d(a, b, 1, bias=False) for a, b in up)
            self.enlarge = nn.Upsample(scale_factor=2, mode="trilinear")
            self.up = nn.ModuleList(Block(b, b) for _, b in up)
            self.head = nn.Conv3d(RESIDUAL[0], CLASSES, 1, bias=False)

        def forward(self, image):
            maps, skips = self.stem(image), []
            for block in self.down:
                skips.append(maps)
                maps = block(maps)
            for reduce, block, skip in zip(self.reduce, self.up, reversed(skips), strict=True):
                maps = block(self.enlarge(reduce(maps)) + skip)
            return self.head(maps)

    return Network()


def torch_classic(nn):
    """The classic network of `mstl.models.unet3d` in PyTorch."""
    import torch

    def twice(given: int, width: int):
        first, second = nn.Conv3d(given, width, 3, 1, 1), nn.Conv3d(width, width, 3, 1, 1)
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList(twice(a, b) for a, b in itertools.pairwise((CHANNELS, *CLASSIC)))
            self.pool, self.enlarge = nn.MaxPool3d(2), nn.Upsample(scale_factor=2)
            up = list(itertools.pairwise(CLASSIC[::-1]))
            self.halve = nn.ModuleList(nn.Sequential(nn.Conv3d(a, b, 2, padding="same"), nn.ReLU()) for a, b in up)
            self.up = nn.ModuleList(twice(2 * b, b) for _, b in up)
            self.head = nn.Conv3d(CLASSIC[0], CLASSES, 1)

        def forward(self, maps):
            skips = []
            for level, block in enumerate(self.down):
                maps = block(maps if level == 0 else self.pool(maps))
                skips.append(maps)
            for halve, block, skip in zip(self.halve, self.up, reversed(skips[:-1]), strict=True):
                maps = block(torch.cat([skip, halve(self.enlarge(maps))], 1))
            return self.head(maps)

    return Network()


def residual_keras(*given) -> Callable[[], object]:
    """A step of our residual network."""
    return keras_step("unet3d-residual", *given)


def residual_torch(*given) -> Callable[[], object]:
    """A step of PyTorch's residual network."""
    return torch_step(torch_residual, *given)


def classic_keras(*given) -> Callable[[], object]:
    """A step of our classic network."""
    return keras_step("unet3d-classic", *given)


def classic_torch(*given) -> Callable[[], object]:
    """A step of PyTorch's classic network."""
    return torch_step(torch_classic, *given)


STEPS = {"residual": (residual_keras, residual_torch), "classic": (classic_keras, classic_torch)}

if __name__ == "__main__":
    main()
