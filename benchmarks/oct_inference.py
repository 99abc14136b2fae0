"""Predicting an image of 512 x 512 by the published windows (256, stride 170) against one pass over all of it.

Usage: python benchmarks/oct_inference.py [--run RUN] [--width 24] [--rounds 5] [--out FILE.csv]

Images are synthetic B-scans stretched to 512 x 512, the network is unet-s5 with each head and random weights. Each
round predicts an image by both, in turn; medians over rounds, a first call of each is not counted. With --run the
pooled Dice of the fluid on the run's test images by both is printed too.
"""
from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import mstl
from mstl.data.oct_phantom import write_oct_phantoms
from mstl.evaluation.pooled import Areas, pooled_scores
from mstl.evaluation.predictor import LESION, Predictor
from mstl.files import whole_file
from mstl.models.heads import HEADS

SIDE, WINDOW, OVERLAP = 512, 256, 0.336


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/oct_inference.csv"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cohort = write_oct_phantoms(Path(folder) / "eyes", subjects=1)
        cases = mstl.prepare(cohort, Path(folder) / "prepared", normalise="minmax", shape=(SIDE, SIDE))
        rows = [row(head, cases, options) for head in HEADS]
    table = pd.DataFrame(rows)
    with whole_file(options.out) as temporary:
        table.to_csv(temporary, index=False)
    print(table.to_string(index=False))
    if options.run:
        for name, score in agreement(mstl.Run(options.run)).items():
            print(f"{name}: pooled Dice of the fluid {score:.4f}")


def row(head: str, cases: mstl.PreparedCohort, options: argparse.Namespace) -> dict:
    """Medians of seconds an image."""
    model = mstl.models.build_model("unet-s5", seed=0, channels=1, width=options.width, head=head)
    whole = Predictor(model)
    windows = replace(whole, window=(WINDOW, WINDOW), overlap=OVERLAP)
    times: dict[str, list[float]] = {"windows": [], "one pass": []}
    for number in range(options.rounds + 1):
        for name, predictor in zip(times, (windows, whole), strict=True):
            began = time.perf_counter()
            predictor(cases[number])
            times[name].append(time.perf_counter() - began)
    seconds = {name: statistics.median(taken[1:]) for name, taken in times.items()}
    by_windows, whole_image = seconds["windows"], seconds["one pass"]
    known = {"head": head, "width": options.width, "windows_s": round(by_windows, 3)}
    return known | {"one_pass_s": round(whole_image, 3), "ratio": round(by_windows / whole_image, 2)}


def agreement(run: mstl.Run) -> dict[str, float]:
    """Pooled Dice of the fluid on the run's test images, prepared grid, cut at 0.5."""
    by_windows = Predictor.of_run(run)
    found = {}
    for name, predictor in {"windows": by_windows, "one pass": replace(by_windows, window=None)}.items():
        pairs = [(predictor(case)[..., LESION] >= 0.5, np.asarray(case.mask) > 0) for case in run.prepared("test")]
        areas = [Areas.of(prediction, truth, num_classes=2) for prediction, truth in pairs]
        found[name] = pooled_scores(sum(areas[1:], start=areas[0]))["dice_1"]
    return found


if __name__ == "__main__":
    main()
