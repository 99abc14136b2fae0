"""Seconds of each step from the scanner to prepared, and the peak of memory, for one raw clinical case.

Usage: python benchmarks/raw.py [COHORT.csv] [--steps coregister,brain,n4] [--repetitions 3] [--out FILE.csv]

Without a cohort: a synthetic head of four modalities, 0.9 x 0.9 x 5.5 mm, each on its own grid. Medians of the
repetitions, each in a process of its own, so that the start of TensorFlow for brain extraction counts. The baseline is
the same case with the step `regrid` alone (read, interpolated, normalised). Target: 90 s for the whole case.
"""
from __future__ import annotations

import argparse
import csv
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path

import mstl
from mstl.data.case import MR_MODALITIES as MODALITIES
from mstl.data.preparation import Preparation
from mstl.data.prepare_case import prepare_case
from mstl.files import read_json


def measured(case: mstl.Case, folder: Path, steps: tuple[str, ...], answers) -> None:
    """Put seconds by step, their total and the peak of memory in MB into `answers`."""
    start = time.perf_counter()
    preparation = Preparation(case.modalities, spacing=1, steps=steps)
    prepare_case(case, folder, preparation=preparation)
    seconds = {step["name"]: step["seconds"] for step in read_json(folder / "case.json")["steps"]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put({**seconds, "all": time.perf_counter() - start, "peak MB": peak})


def alone(*arguments) -> dict[str, float]:
    """`measured` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=measured, args=(*arguments, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("cohort", nargs="?", type=Path)
    arguments.add_argument("--steps", default="coregister,brain,n4")
    arguments.add_argument("--repetitions", type=int, default=3)
    arguments.add_argument("--out", type=Path)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.cohort:
            case = mstl.Cohort.from_csv(options.cohort)[0]
        else:
            made = mstl.write_phantoms(folder / "scans", subjects=1, scanner="clinical-raw", modalities=MODALITIES)[0]
            case = mstl.Case(made.subject, images=made.images, mask=made.mask)
        rows = {}
        for name, steps in (("steps", tuple(options.steps.split(","))), ("regrid", ("regrid",))):
            answers = [alone(case, folder / f"{name}-{n}", steps) for n in range(options.repetitions)]
            rows[name] = {key: statistics.median(answer[key] for answer in answers) for key in answers[0]}
    for key, value in rows["steps"].items():
        print(f"{key:>12} {value:8.2f}   regrid alone {rows['regrid'].get(key, 0):8.2f}")
    print(f"{rows['steps']['all'] / rows['regrid']['all']:.1f} times the seconds of regrid alone")
    if options.out:
        with options.out.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("what", "steps", "regrid"))
            writer.writerows(
                (key, f"{value:.2f}", f"{rows['regrid'].get(key, 0):.2f}") for key, value in rows["steps"].items()
            )


if __name__ == "__main__":
    main()
