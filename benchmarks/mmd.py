"""Time and peak memory of the squared MMD of two sets of 20,000 samples of 512 features.

Usage: python benchmarks/mmd.py

Each measurement is a process of its own; memory is its largest resident set, the two sets included (float32, 82 MB).
The whole kernel matrix of both sets would take 12.8 GB. Target: below 500 MB. Rows go to results/mmd.csv.
"""
from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from mstl.evaluation.domain_shift import mmd2

SAMPLES, FEATURES = 20_000, 512
RESULTS = Path(__file__).parent / "results" / "mmd.csv"
KINDS = {
    "rbf": {},
    "rbf, median heuristic": {"gamma": "median"},
    "linear": {"kernel": "linear"},
}


def measure(kind: str) -> dict:
    random = np.random.default_rng(0)
    x, y = (random.standard_normal((SAMPLES, FEATURES), dtype=np.float32) for _ in range(2))
    y += np.float32(0.1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    value = mmd2(x, y, **KINDS[kind])
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"kernel": kind, "samples": SAMPLES, "features": FEATURES, "mmd2": f"{value:.6g}",
            "seconds": round(seconds, 1), "before_mb": round(before), "peak_mb": round(peak)}  # fmt: skip


def main() -> None:
    rows = []
    for kind in KINDS:
        command = [sys.executable, __file__, kind]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows.append(json.loads(done.stdout))
        print(rows[-1])
    with RESULTS.open("w", encoding="utf-8", newline="") as stream:
        stream.write("# Written by benchmarks/mmd.py.\n")
        table = csv.DictWriter(stream, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
