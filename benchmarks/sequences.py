"""Augmented slice pairs a second: SliceSequence against bare albumentations, two workers against one.

Usage: python benchmarks/sequences.py [--repetitions 9] [--batches 24]

Every repetition measures all three one after another; medians are printed. Batches that workers made while
nobody measured are taken out before the clock starts. What two processes can do on this machine at this
moment is measured beside them. Targets: one worker at least 0.85
of the bare loop on arrays in memory, two workers at least 1.6 of one (needs two free cores).
"""
from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

import cv2
import numpy as np
from joblib.externals.loky import ProcessPoolExecutor

from mstl.data._albumentations import A
from mstl.data.prepared import PreparedCase
from mstl.data.sequences import SliceSequence
from mstl.data.slices import SliceSampler

SIDE, CHANNELS, BATCH, DEPTH = 192, 3, 32, 48
AHEAD = 8  # batches taken out before the clock starts, more than are made ahead


def write_case(folder: Path, seed: int) -> PreparedCase:
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    image = np.zeros((DEPTH, SIDE, SIDE, CHANNELS), np.float16)
    image[:, 16:-16, 32:-32] = random.random((DEPTH, SIDE - 32, SIDE - 64, CHANNELS))
    mask = np.zeros(image.shape[:3], np.uint8)
    mask[:, 80:95, 90:110] = 1
    np.save(folder / "image.npy", image)
    np.save(folder / "mask.npy", mask)
    voxels = {"lesion_voxels": [300] * DEPTH, "brain_voxels": [20000] * DEPTH}
    record = {"case": folder.name, "subject": folder.name, "modalities": ["flair", "t1", "t2"], **voxels}
    (folder / "case.json").write_text(json.dumps(record))
    return PreparedCase(folder)


def rate(work, pairs: int) -> float:
    start = time.perf_counter()
    work()
    return pairs / (time.perf_counter() - start)


def sequence_rate(sequence: SliceSequence) -> float:
    for index in range(AHEAD):
        sequence[index]
    timed = range(AHEAD, len(sequence))
    result = rate(lambda: deque((sequence[index] for index in timed), maxlen=0), len(timed) * BATCH)
    sequence.on_epoch_end()
    time.sleep(0.3)  # workers come to rest before the next measures
    return result


def spin(seconds: float = 0.5) -> int:
    """Work that shares nothing: how often a small array was sorted."""
    values, count, end = np.random.default_rng(0).random(20_000), 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        np.sort(values)
        count += 1
    return count


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repetitions", type=int, default=9)
    arguments.add_argument("--batches", type=int, default=24)
    given = arguments.parse_args()
    pairs = given.batches * BATCH
    with tempfile.TemporaryDirectory() as folder:
        cases = [write_case(Path(folder) / f"case-{number}", number) for number in range(6)]
        steps = AHEAD + given.batches
        sampler = SliceSampler(cases, batch_size=BATCH, augment="thesis", steps_per_epoch=steps)
        images = np.concatenate([case.image[:16] for case in cases]).astype(np.float32)
        masks = np.concatenate([case.mask[:16] for case in cases])
        bare = A.Compose([
            A.VerticalFlip(p=0.5),
            A.RandomRotate90(p=0.5),
            A.Affine(translate_percent=(-0.0625, 0.0625), scale=(0.9, 1.1), rotate=(-15, 15), p=0.5),
            A.GridDistortion(p=0.2),
        ])

        def loop() -> None:
            for number in range(pairs):
                bare(image=images[number % len(images)], mask=masks[number % len(masks)])

        with SliceSequence(sampler) as alone, SliceSequence(sampler, workers=2) as both:
            processes = ProcessPoolExecutor(2)
            threads = cv2.getNumThreads()
            rates = {"threads": [], "bare": [], "one": [], "two": [], "machine": []}
            for _ in range(given.repetitions + 1):
                rates["threads"].append(rate(loop, pairs))
                cv2.setNumThreads(0)
                rates["bare"].append(rate(loop, pairs))
                cv2.setNumThreads(threads)
                rates["one"].append(sequence_rate(alone))
                rates["two"].append(sequence_rate(both))
                single = processes.submit(spin).result()
                rates["machine"].append(sum(processes.map(spin, [0.5, 0.5])) / single)
            processes.shutdown()
    middle = {name: statistics.median(values[1:]) for name, values in rates.items()}
    one, two = middle["one"] / middle["bare"], middle["two"] / middle["one"]
    print(f"bare albumentations loop   {middle['bare']:7.0f} pairs/s   on one core, as one worker")
    print(f"  with OpenCV's threads    {middle['threads']:7.0f} pairs/s   on all cores")
    print(f"SliceSequence, one worker  {middle['one']:7.0f} pairs/s   {one:.2f} of the loop (>= 0.85)")
    print(f"SliceSequence, two workers {middle['two']:7.0f} pairs/s   {two:.2f} of one (>= 1.60)")
    print(f"two processes on this machine now: {middle['machine']:.2f} of one")


if __name__ == "__main__":
    main()
