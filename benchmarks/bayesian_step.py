"""Training steps and predictions of the Bayesian 3D network against the deterministic one: time and memory.

Usage: python benchmarks/bayesian_step.py [--rounds 5] [--side 64] [--batch 2] [--precision float32] [--out FILE.csv]

Each way of computing has a process of its own; they take steps in turn. Seconds are medians over rounds, the first is
not counted; `process_seconds` are those of the processor, which others on the machine change less. Memory is the
largest that a process ever took, above what it took before it built its network. Targets: a training step with the
learned prior at most 3 times a deterministic one, in at most 2.5 times the memory; a prediction with mean weights no
slower than the deterministic network's.
"""
from __future__ import annotations

import argparse
import importlib
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

CLASSES = 2
PRIOR_KERNELS = 2048
TRAINING = ("deterministic", "bayesian, no prior", "bayesian, gaussian", "bayesian, dwp")
PREDICTION = ("deterministic", "bayesian, mean weights", "bayesian, network of means")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--side", type=int, default=64)
    arguments.add_argument("--batch", type=int, default=2)
    arguments.add_argument("--precision", default="float32")
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results/bayesian_step.csv"))
    options = arguments.parse_args()
    rows = [*measured("training", TRAINING, options), *measured("prediction", PREDICTION, options)]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    options.out.write_text(f"# Written by benchmarks/bayesian_step.py.\n{text}", encoding="utf-8")


def measured(stage: str, ways: tuple[str, ...], options: argparse.Namespace) -> list[dict]:
    """A row each way of one stage: time and memory, and how often they hold those of the first way."""
    context = multiprocessing.get_context("spawn")
    workers = []
    for way in ways:
        here, there = context.Pipe()
        given = (there, stage, way, options.side, options.batch, options.precision)
        context.Process(target=serve, args=given, daemon=True).start()
        workers.append(here)
    rounds = [[answer(worker, "step") for worker in workers] for _ in range(options.rounds + 1)][1:]
    wall, process = ([statistics.median(step[part] for step in steps) for steps in zip(*rounds, strict=True)]
                     for part in (0, 1))  # fmt: skip
    memory = [answer(worker, "memory") for worker in workers]
    rows = []
    for number, way in enumerate(ways):
        row = {"stage": stage, "way": way, "side": options.side, "batch": options.batch, "precision": options.precision}
        row |= {"seconds": round(wall[number], 3), "times": round(wall[number] / wall[0], 2)}
        row |= {"process_seconds": round(process[number], 3), "process_times": round(process[number] / process[0], 2)}
        row |= {"mib": round(memory[number]), "mib_times": round(memory[number] / memory[0], 2)}
        print(*row.values(), flush=True)
        rows.append(row)
    return rows


def resident() -> float:
    """Memory that this process takes now, MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**20


def answer(worker, question: str):
    """What a worker answers; it sleeps while it is not asked."""
    worker.send(question)
    return worker.recv()


def serve(pipe, stage: str, way: str, side: int, batch: int, precision: str) -> None:
    """Make the step, then take one, or tell the memory, each time that the pipe asks for it."""
    from mstl._keras import keras

    importlib.import_module("mstl.training.variational")  # imports take memory, and before the network does
    keras.mixed_precision.set_global_policy(precision)
    random = np.random.default_rng(0)
    images = random.normal(size=(batch, side, side, side, 1)).astype(np.float32)
    masks = random.integers(0, CLASSES, (batch, side, side, side, 1)).astype(np.float32)
    before = resident()
    step = training_step(way, images, masks) if stage == "training" else prediction(way, images)
    while True:
        if pipe.recv() == "memory":
            pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before)
            return
        start, used = time.perf_counter(), time.process_time()
        step()
        pipe.send((time.perf_counter() - start, time.process_time() - used))


def training_step(way: str, images: np.ndarray, masks: np.ndarray) -> Callable[[], object]:
    """One step of Adam; with a prior as `mstl.fit` takes it."""
    from mstl._keras import keras
    from mstl.models import build_model
    from mstl.training.losses import get_loss
    from mstl.training.variational import Variational

    name = "unet3d-residual" if way == "deterministic" else "unet3d-bayesian"
    model = build_model(name, channels=1, num_classes=CLASSES)
    prior = {"bayesian, gaussian": gaussian_prior, "bayesian, dwp": learned_prior}.get(way)
    if prior is not None:
        model = Variational(model, prior(model), voxels=10 * masks[0].size)
    model.compile(keras.optimizers.Adam(1e-3), get_loss("ce", num_classes=CLASSES))
    return lambda: model.train_on_batch(images, masks)


def gaussian_prior(model):
    """A Gaussian for every weight."""
    from mstl.models.bayesian_conv3d import bayesian_layers
    from mstl.training.weight_prior import GaussianPrior

    return GaussianPrior(bayesian_layers(model), sigma=0.1)


def learned_prior(model):
    """Autoencoders as they are before they learn, which take as long as others."""
    from mstl.models.kernel_groups import kernel_groups
    from mstl.models.kernel_prior import GroupPrior, KernelPrior
    from mstl.models.kernel_vae import kernel_vae
    from mstl.training.weight_prior import LearnedPrior

    groups = {name: GroupPrior(paths, 0.1, kernel_vae()) for name, paths in kernel_groups(model).items()}
    return LearnedPrior(model, KernelPrior(groups), kernels=PRIOR_KERNELS)


def prediction(way: str, images: np.ndarray) -> Callable[[], object]:
    """One prediction of a batch."""
    from mstl.models import build_model, mean_network

    name = "unet3d-residual" if way == "deterministic" else "unet3d-bayesian"
    model = build_model(name, channels=1, num_classes=CLASSES)
    model = mean_network(model) if way.endswith("network of means") else model
    return lambda: model.predict_on_batch(images)


if __name__ == "__main__":
    main()
