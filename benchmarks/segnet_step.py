"""A training step of SegNet against the same network in PyTorch, and what unpooling takes of it.

Usage: python benchmarks/segnet_step.py [--rounds 5] [--side 240] [--batch 10] [--width 64] [--out FILE.csv]

Both libraries compute the same architecture (outputs of equal weights are compared first) with a weighted cross-entropy
and SGD with momentum, each in a process of its own, in turn; medians over rounds, the first is not counted. PyTorch
takes the faster of its two memory layouts. "mstl, nearest" doubles maps in the place of unpooling: the difference is
what unpooling costs. Wished for: a ratio (PyTorch's time over ours) of at least 0.9, and at most 0.1 of the step for
unpooling. Rows of other sizes in the file stay. Needs ".[bench]".
"""
from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

CHANNELS, POS_WEIGHT = 3, 25.0
BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
WAYS = ("mstl", "mstl, nearest", "mstl, mixed_bfloat16", "PyTorch", "PyTorch, channels last")
SIZE = ["width", "kernel", "side", "batch"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--side", type=int, default=240)
    arguments.add_argument("--batch", type=int, default=10)
    arguments.add_argument("--width", type=int, default=64)
    arguments.add_argument("--kernel", type=int, default=5)
    arguments.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/segnet_step.csv"))
    options = arguments.parse_args()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        print("largest difference between both libraries' outputs:", pool.apply(difference), flush=True)
    table = pd.DataFrame(measured(context, options))
    with suppress(FileNotFoundError):
        others = pd.read_csv(options.out, comment="#")
        same = others[[*SIZE, "way"]].apply(tuple, axis=1).isin(table[[*SIZE, "way"]].apply(tuple, axis=1))
        table = pd.concat([others[~same], table])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, lineterminator="\n")
    options.out.write_text(f"# Written by benchmarks/segnet_step.py.\n{text}", encoding="utf-8")
    print(table.to_string(index=False))


def measured(context, options: argparse.Namespace) -> list[dict]:
    """A row each way of computing a step: its median seconds, and how often it fits into one of ours."""
    workers = []
    for way in options.ways:
        here, there = context.Pipe()
        context.Process(target=serve, args=(there, way, options), daemon=True).start()
        workers.append(here)
    times = [[worker_time(worker) for worker in workers] for _ in range(options.rounds + 1)][1:]
    for worker in workers:
        worker.send(None)
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    common = {name: getattr(options, name) for name in SIZE}
    load = round(os.getloadavg()[0], 1)
    return [
        {**common, "way": way, "seconds": round(median, 3), "times_mstl": round(median / medians[0], 3), "load": load}
        for way, median in zip(options.ways, medians, strict=True)
    ]


def worker_time(worker) -> float:
    """Seconds of one step in another process, which sleeps while it is not asked."""
    worker.send("step")
    return worker.recv()


def serve(pipe, way: str, options: argparse.Namespace) -> None:
    """Make the step, then take one each time that the pipe asks for it, and answer with its seconds."""
    random = np.random.default_rng(0)
    image = random.random((options.batch, options.side, options.side, CHANNELS), np.float32)
    mask = (random.random((options.batch, options.side, options.side, 1)) < 0.04).astype(np.float32)
    step = (torch_step if way.startswith("PyTorch") else keras_step)(way, image, mask, options)
    while pipe.recv() is not None:
        start = time.perf_counter()
        step()
        pipe.send(time.perf_counter() - start)


def keras_step(way: str, image: np.ndarray, mask: np.ndarray, options: argparse.Namespace) -> Callable[[], object]:
    """One step of ours."""
    from mstl._keras import keras
    from mstl.training.losses import get_loss

    module = importlib.import_module("mstl.models.segnet")
    if way.endswith("bfloat16"):
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    if way.endswith("nearest"):
        module.MaxUnpool = nearest
    model = module.segnet(channels=CHANNELS, width=options.width, kernel=options.kernel)
    model.compile(keras.optimizers.SGD(1e-2, momentum=0.9), get_loss("weighted_bce", pos_weight=POS_WEIGHT))
    return lambda: model.train_on_batch(image, mask)


def nearest(*, name: str) -> Callable:
    """A layer that gives maps the sides of what was pooled, and does not look at the places."""
    from mstl._keras import keras, tf

    def enlarged(inputs: list) -> tf.Tensor:
        return tf.image.resize(inputs[0], tf.shape(inputs[2])[1:3], "nearest")

    return keras.layers.Lambda(enlarged, name=name)


def torch_step(way: str, image: np.ndarray, mask: np.ndarray, options: argparse.Namespace) -> Callable[[], object]:
    """One step of PyTorch's."""
    import torch

    layout = torch.channels_last if way.endswith("channels last") else torch.contiguous_format
    model = torch_segnet(options.width, options.kernel).to(memory_format=layout)
    images = torch.tensor(image).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    masks = torch.tensor(mask).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9)
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(POS_WEIGHT))

    def step() -> None:
        optimizer.zero_grad()
        loss(model(images), masks).backward()
        optimizer.step()

    return step


def torch_segnet(width: int, kernel: int):
    """The network of `mstl.models.segnet` in PyTorch."""
    from torch import nn

    def convolutions(given: int, sizes: list[int], *, last: bool = False):
        layers = []
        for size in sizes:
            layers += [nn.Conv2d(given, size, kernel, padding="same"), nn.BatchNorm2d(size, momentum=0.5), nn.ReLU()]
            given = size
        return nn.Sequential(*(layers[:-2] if last else layers))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            sizes = [[share * width] * count for share, count in BLOCKS]
            given = [CHANNELS, *(block[-1] for block in sizes)]
            self.down = nn.ModuleList(convolutions(*pair) for pair in zip(given, sizes, strict=False))
            up = [[*block[:-1], above] for block, above in zip(sizes, [1, *given[1:]], strict=False)]
            self.up = nn.ModuleList(
                convolutions(block[-1], out, last=number == 0)
                for number, (block, out) in reversed(list(enumerate(zip(sizes, up, strict=True))))
            )
            self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

        def forward(self, maps):
            pooled = []
            for block in self.down:
                maps = block(maps)
                size = maps.shape
                maps, places = self.pool(maps)
                pooled.append((places, size))
            for block in self.up:
                places, size = pooled.pop()
                maps = block(self.unpool(maps, places, output_size=size))
            return maps

    return Network()


def difference() -> float:
    """Largest difference between probabilities that small networks of equal weights give in training; sides are odd."""
    import torch

    import mstl
    from mstl._keras import keras

    model, twin = mstl.models.segnet(channels=CHANNELS, width=4), torch_segnet(4, 5)
    layers = [layer for layer in model.layers if layer.weights]
    modules = [module for module in twin.modules() if isinstance(module, torch.nn.Conv2d | torch.nn.BatchNorm2d)]
    image = np.random.default_rng(0).random((2, 61, 47, CHANNELS), np.float32)
    with torch.no_grad():
        for layer, module in zip(layers, modules, strict=True):
            weights = layer.get_weights()
            if isinstance(layer, keras.layers.Conv2D):
                weights[0] = weights[0].transpose(3, 2, 0, 1)
            for name, array in zip(("weight", "bias", "running_mean", "running_var"), weights, strict=False):
                getattr(module, name).copy_(torch.tensor(array))
        logits = twin(torch.tensor(image).permute(0, 3, 1, 2))
    theirs = torch.sigmoid(logits).permute(0, 2, 3, 1).numpy()
    ours = model(image, training=True).numpy()
    print(f"probabilities {ours.mean():.3f} +- {ours.std():.3f}")
    return float(np.abs(ours - theirs).max())


if __name__ == "__main__":
    main()
