"""Time of the statistics of a study of 100 patients, 8 strategies, 3 sizes, 3 seeds and 5 folds.

Usage: python benchmarks/statistics_speed.py

Dice is drawn at random: nothing is trained. Once with each patient tested in one fold (cross-validation), once with
every patient in every fold (the most that repeated splits could give). Target: 10 s for everything. Rows go to
results/statistics_speed.csv.
"""
from __future__ import annotations

import csv
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mstl.evaluation.learning_curve import learning_curves
from mstl.evaluation.rank_stability import rank_stability
from mstl.evaluation.statistics import compare_strategies, mean_scores

PATIENTS, STRATEGIES, SIZES, SEEDS, FOLDS = 100, 8, (5, 10, 20), 3, 5
RESULTS = Path(__file__).parent / "results" / "statistics_speed.csv"


def study(*, every_fold: bool) -> pd.DataFrame:
    random = np.random.default_rng(0)
    names = ["strategy", "size", "fold", "seed", "patient"]
    levels = [range(STRATEGIES), SIZES, range(FOLDS), range(SEEDS), range(PATIENTS)]
    frame = pd.MultiIndex.from_product(levels, names=names).to_frame(index=False)
    if not every_fold:
        frame = frame[frame["patient"] % FOLDS == frame["fold"]]
    level = random.normal(0, 0.1, PATIENTS)[frame["patient"]]
    dice = 0.75 - 0.5 * frame["size"] ** -0.6 + 0.01 * frame["strategy"] + level + random.normal(0, 0.03, len(frame))
    subject = "p" + frame["patient"].astype(str)
    strategy = "s" + frame["strategy"].astype(str)
    return frame.assign(strategy=strategy, subject=subject, case=subject, dice=dice.clip(0, 1))


def measure(frame: pd.DataFrame, design: str) -> list[dict]:
    parts = {
        "comparisons": lambda: compare_strategies(frame, baseline="s0"),
        "means": lambda: mean_scores(frame),
        "ranks": lambda: rank_stability(frame),
        "learning curves": lambda: learning_curves(frame),
    }
    rows = []
    for part, run in parts.items():
        start = time.perf_counter()
        results = len(run())
        rows.append({"design": design, "rows": len(frame), "part": part, "results": results,
                     "seconds": time.perf_counter() - start})  # fmt: skip
    total = {"part": "everything", "results": sum(row["results"] for row in rows)}
    return [*rows, rows[0] | total | {"seconds": sum(row["seconds"] for row in rows)}]


def main() -> None:
    rows = measure(study(every_fold=False), "cross-validation") + measure(study(every_fold=True), "every fold")
    for row in rows:
        row["seconds"] = round(row["seconds"], 2)
        print(row)
    with RESULTS.open("w", encoding="utf-8", newline="") as stream:
        stream.write("# Written by benchmarks/statistics_speed.py.\n")
        table = csv.DictWriter(stream, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
