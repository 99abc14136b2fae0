"""Predicting a case against predicting all its padded slices naively.

Usage: python benchmarks/predict.py [--repetitions 3]

The case is a 1 mm phantom prepared to 192 x 192 x 192. Naive is `model.predict` of every slice at Keras' own
batch size; ours skips slices without brain. One repetition measures both in turn; medians are printed. Target:
at most 0.7 of the time, with equal probabilities inside the brain.
"""
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import mstl
from mstl.evaluation.predictor import Predictor


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repetitions", type=int, default=3)
    repetitions = arguments.parse_args().repetitions
    model = mstl.models.build_model("unet-resnet34", seed=0, channels=3, stem="direct")
    with tempfile.TemporaryDirectory() as folder:
        cohort = mstl.write_phantoms(Path(folder) / "scans", subjects=1)
        case = mstl.prepare(cohort, Path(folder) / "prepared", spacing=1.0, shape=192)[0]
        ours, naive, difference = measure(model, case, repetitions)
    with_brain = np.count_nonzero(case.brain_voxels)
    print(f"{with_brain} of {case.shape[0]} slices hold brain; largest difference there {difference:.2g}")
    print(f"predict {ours:.2f} s, naive {naive:.2f} s: ratio {ours / naive:.2f}")


def measure(model, case, repetitions: int) -> tuple[float, float, float]:
    predictor = Predictor(model)

    def predict_naively() -> np.ndarray:
        return model.predict(np.asarray(case.image, np.float32), verbose=0)

    with_brain = np.flatnonzero(case.brain_voxels)
    difference = float(np.abs(predictor(case) - predict_naively())[with_brain].max())
    times = {predictor: [], predict_naively: []}
    for _ in range(repetitions):
        for work, seen in times.items():
            start = time.perf_counter()
            work(case) if work is predictor else work()
            seen.append(time.perf_counter() - start)
    return statistics.median(times[predictor]), statistics.median(times[predict_naively]), difference


if __name__ == "__main__":
    main()
