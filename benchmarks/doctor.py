"""How often the doctor finds what is planted, and how often it cries wolf, over scanners and seeds.

Usage: python benchmarks/doctor.py [--cases 5] [--planted 2] [--scanners quick,oblique] [--out CSV]

Cohorts of synthetic cases of every scanner, with usual contrasts and half randomised, lesion volumes as drawn. Each
fault of `tests/corpus.py` is planted in one case of each cohort after the other; it is found where a finding of its
rule, level and file comes out. Rows "sound" count findings on the cohorts as they are: a rate of 0 is wanted of errors
and warnings. Scanners whose name ends in -raw give heads with skull, each scan on its own grid; they have faults of
their own. The CSV in `results` was made with --cases 4 --planted 1 --scanners quick,clinical-thick,low-field, its rows
of quick-raw with --cases 12 --planted 12.
"""
from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import Counter
from pathlib import Path

import joblib

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from mstl.data.check import judge  # noqa: E402
from mstl.data.checks.measures import measure_case  # noqa: E402
from mstl.data.heads.scanner import SCANNERS  # noqa: E402
from tests.corpus import FAULTS, RAW_FAULTS, Fault, copy_case, write_case  # noqa: E402

RANDOMISE = (0.0, 0.5)
COLUMNS = ("fault", "rule", "level", "scanner", "randomise", "planted", "found", "rate")


def faults_of(scanner: str) -> dict[str, Fault]:
    return RAW_FAULTS if scanner.endswith("-raw") else FAULTS


def examine(scanner: str, randomise: float, cases: int, planted: int) -> tuple[Counter, Counter, list[str]]:
    """(found by fault), (cases with a finding by level and rule) of one cohort, and what was missed."""
    found, alarms, missed = Counter(), Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sound = [
            write_case(folder, f"{scanner}-{seed}", seed=seed, scanner=scanner, randomise=randomise, lesion_ml=None,
                       suffix=".nii")
            for seed in range(100, 100 + cases)
        ]  # fmt: skip
        measured = [measure_case(case) for case in sound]
        for _, level, rule in {(one.case, one.level, one.rule) for one in judge(measured)}:
            alarms[level, rule] += 1
        for fault_name, fault in faults_of(scanner).items():
            for place, case in enumerate(sound[:planted]):
                bad = copy_case(case, folder / "bad")
                bad = fault.plant(bad, sound[place - 1]) or bad
                findings = judge([*measured[:place], measure_case(bad), *measured[place + 1:]])
                hit = any((one.rule, one.level, one.role) == (fault.rule, fault.level, fault.role)
                          for one in findings if fault.rule in ("duplicate", "alike") or one.case == bad.name)
                found[fault_name] += hit
                if not hit:
                    told = sorted({one.rule for one in findings if one.case == bad.name and one.level != "note"})
                    missed.append(f"{fault_name}, {bad.name} ({measured[place].mask.ml:.2f} ml): {told or 'nothing'}")
    return found, alarms, missed


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cases", type=int, default=5, help="of a cohort")
    arguments.add_argument("--planted", type=int, default=2, help="cases of a cohort that each fault is planted in")
    arguments.add_argument("--scanners", default=",".join(SCANNERS), help="comma-separated")
    arguments.add_argument("--jobs", type=int, default=1)
    arguments.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "doctor.csv")
    given = arguments.parse_args()
    kinds = [(scanner, randomise) for scanner in given.scanners.split(",") for randomise in RANDOMISE]
    tasks = (joblib.delayed(examine)(*kind, given.cases, given.planted) for kind in kinds)
    rows, total, wolf = [], Counter(), Counter()
    results = joblib.Parallel(n_jobs=given.jobs, return_as="generator")(tasks)
    for (scanner, randomise), (found, alarms, missed) in zip(kinds, results, strict=True):
        for name, fault in faults_of(scanner).items():
            rows.append((name, fault.rule, fault.level, scanner, randomise, given.planted, found[name],
                         round(found[name] / given.planted, 3)))
            total[name] += found[name]
        for (level, rule), count in sorted(alarms.items()):
            rows.append(("sound", rule, level, scanner, randomise, given.cases, count, round(count / given.cases, 3)))
            wolf[level] += count
        print(f"{scanner} {randomise}:", *missed, sep="\n  ", flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    with given.out.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
    planted = Counter(name for scanner, _ in kinds for name in faults_of(scanner) for _ in range(given.planted))
    for name, count in planted.items():
        print(f"{name:45} {total[name]:4d} of {count}")
    print(f"{sum(total.values())} of {planted.total()} planted faults found; findings on "
          f"{given.cases * len(kinds)} sound cases: "
          f"{wolf['error']} errors, {wolf['warning']} warnings, {wolf['note']} notes")


if __name__ == "__main__":
    main()
