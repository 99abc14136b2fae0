"""Checking a case against reading its files with nibabel, and what is kept of it in memory.

Usage: python benchmarks/check.py [--repetitions 5]

A case of four modalities at 1 mm with its masks. nibabel reads every file into an array and looks for its minimum and
maximum, no more. Both are measured in turn, medians are printed, of seconds and, for a busy machine, of the process's
own seconds. Targets: at most 1 s a case. Measures that are kept of a case are pickled to see their size.
"""
from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

import mstl
from mstl.data.check import judge
from mstl.data.checks.measures import measure_case


def read_plainly(case: mstl.Case) -> None:
    for path in case.files.values():
        data = np.asanyarray(nib.load(path).dataobj)
        data.min(), data.max()


def seconds(work) -> np.ndarray:
    """Seconds that passed, and those of the process."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return np.array([time.perf_counter(), time.process_time()]) - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repetitions", type=int, default=5)
    repetitions = arguments.parse_args().repetitions
    with tempfile.TemporaryDirectory() as folder:
        modalities = ("flair", "t1", "t1ce", "t2")
        case = mstl.write_phantoms(Path(folder) / "scans", subjects=1, modalities=modalities)[0]
        measures = measure_case(case)
        judge([measures])  # loads the tissue maps, once a process
        ours, plain, rules = [], [], []
        for _ in range(repetitions):
            plain.append(seconds(lambda: read_plainly(case)))
            ours.append(seconds(lambda: measure_case(case)))
            rules.append(seconds(lambda: judge([measures])))
    mine, theirs = np.median(ours, axis=0) + np.median(rules, axis=0), np.median(plain, axis=0)
    kept = len(pickle.dumps(measures)) / 1000
    for kind, one, other in zip(("passed", "of the process"), mine, theirs, strict=True):
        print(f"{one:.2f} s {kind} a case; nibabel alone {other:.2f} s: {one / other:.2f} times that")
    print(f"{kept:.0f} kB kept of a case")


if __name__ == "__main__":
    main()
