"""SegNet on small hardware: learn tumours, then re-train on five MS scans, against the same from random weights.

Usage: python benchmarks/segnet_study.py FOLDER [--seeds 3] [--steps 1000] [--again 200] [--width 16]
       [--real COHORT.csv] [--set KEY=VALUE ...] [--out FILE.csv]

The source is learned from 30 tumour phantoms with the settings of configs/segnet.yaml at a smaller width, on 2 mm
slices; "tumour" rows score it on six held-out phantoms. Five MS phantoms are the new set: "retrained" starts at the
source, "frozen" at it with its encoder frozen, "scratch" at random weights, with the same subjects, steps and schedule;
they are scored on 15 held-out phantoms. With --real the same on two real patients (flair, t1, t2): one to train on, the
other held out, in turn, from the network re-trained on MS phantoms and from scratch. Thresholds are chosen on
validation phantoms; on real patients the cut is the even one of the loss, or what the MS network had. Dice a subject on
the scanner's grid of 1 mm. Writes a row a subject to FILE.csv; trainings that it holds are not repeated. FOLDER keeps
everything. --set changes the settings of all trainings; --tasks leaves some out.
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from _study import Table, over_patients

import mstl
from mstl.evaluation.threshold import set_threshold
from mstl.training.experiment import train_experiment

CONFIG = Path("configs/segnet.yaml")
MODALITIES = ("flair", "t1", "t2")
GRID = {"modalities": MODALITIES, "spacing": 2.0, "shape": (96, 112, 96), "normalise": "minmax", "binarise_masks": True}
COHORTS = {"tumour": {"subjects": 40, "seed": 11}, "ms": {"subjects": 24, "seed": 12}}
SIDES = {"tumour": (30, 4, 6), "ms": (5, 4, 15)}  # subjects to train on, to validate, to test
STEPS_PER_EPOCH = 20
CUT = {"decay": "polynomial", "steps_per_epoch": STEPS_PER_EPOCH, "validation_steps": 6}
KEYS = ("task", "method", "seed", "steps", "changes")


def main() -> None:
    options = parse()
    study, table = Study(options), Table(options.out, keys=KEYS)
    jobs = [("tumour", "source", seed) for seed in range(options.seeds)]
    jobs += [("ms", method, seed) for seed in range(options.seeds) for method in ("scratch", "retrained", "frozen")]
    if options.real:
        jobs += [("real", method, held) for held in (0, 1) for method in ("scratch", "retrained", "as it is")]
    for task, method, seed in (job for job in jobs if job[0] in options.tasks):
        steps, changes = study.steps(task, method), " ".join(options.changes)
        key = {"task": task, "method": method, "seed": seed, "steps": steps, "changes": changes}
        if not table.has(**key):
            table.add([{**key, **row} for row in study.rows(task, method, seed)])
    for (task, method), rows in table.frame.groupby(["task", "method"], sort=False):
        print(f"{task}, {method}: Dice {over_patients(rows)}, {rows.groupby('seed').seconds.first().mean():.0f} s")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="keeps phantoms, prepared cases and runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1000, help="of the source")
    parser.add_argument("--again", type=int, default=200, help="steps on the new set")
    parser.add_argument("--width", type=int, default=16, help="of the network; published: 64")
    parser.add_argument("--tasks", nargs="+", default=["tumour", "ms", "real"], choices=["tumour", "ms", "real"])
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--real", type=Path, help="cohort.csv of two patients with flair, t1, t2 and mask")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/segnet_study.csv"))
    return parser.parse_args()


class Study:
    """The cohorts, and the trainings on them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder, self.options = options.folder, options
        changes = (change.split("=", 1) for change in options.changes)
        self.changed = {key: yaml.safe_load(value) for key, value in changes}

    def steps(self, task: str, method: str) -> int:
        """Steps of one training."""
        return 0 if method == "as it is" else self.options.steps if task == "tumour" else self.options.again

    def rows(self, task: str, method: str, seed: int) -> Iterator[dict]:
        """A row a held-out subject: Dice, and what the training took."""
        began, used = time.monotonic(), time.process_time()
        run = self.trained(task, method, seed)
        took = {"seconds": round(time.monotonic() - began), "processor_seconds": round(time.process_time() - used)}
        cohort, cases = self.cases(task)
        held = cases.subjects[seed : seed + 1] if task == "real" else run.experiment.test_subjects
        out = run.folder / "predictions" if method != "as it is" else self.folder / f"as-it-is-{seed}"
        if not out.exists():
            mstl.predict(run, cases.select(held), out=out)
        scores = mstl.evaluate(out, cohort.select(held), binarise_masks=True)
        for _, row in scores.iterrows():
            known = {"subject": row.subject, "reference_ml": round(row.reference_ml, 2)}
            yield known | {"dice": round(row.dice, 4)} | took

    def cases(self, task: str) -> tuple[mstl.Cohort, mstl.PreparedCohort]:
        """The cohort of a task, prepared."""
        if task == "real":
            cohort = mstl.Cohort.from_csv(self.options.real)
        elif (self.folder / task / "cohort.csv").exists():
            cohort = mstl.Cohort.from_csv(self.folder / task / "cohort.csv")
        else:
            cohort = mstl.write_phantoms(self.folder / task, disease=task, jobs=2, **COHORTS[task])
        return cohort, mstl.prepare(cohort, self.folder / f"prepared-{task}", jobs=2, **GRID)

    def trained(self, task: str, method: str, seed: int) -> mstl.Run:
        """One training; the run that it begins with where nothing is trained."""
        if method == "as it is":
            return self.trained("ms", "retrained", 0)
        begun = {}
        if method in ("retrained", "frozen"):
            source = self.trained("ms", "retrained", 0) if task == "real" else self.trained("tumour", "source", seed)
            begun = {"init": str(source.folder), **({"freeze": ["encoder"]} if method == "frozen" else {})}
        steps = self.steps(task, method)
        settings = mstl.Experiment.load(CONFIG).to_dict()
        known = {
            "model_options": {**settings["model_options"], "width": self.options.width},
            "epochs": steps // STEPS_PER_EPOCH,
            "seed": seed,
            **self.sides(task, seed),
        }
        out = self.folder / "-".join([task, method, str(seed), str(steps), *self.options.changes])
        experiment = mstl.Experiment.from_dict({**settings, **CUT, **known, **begun, **self.changed})
        run = train_experiment(experiment, out=out, resume=out.exists())
        if task != "real" and not (out / "threshold.json").exists():
            set_threshold(run)
        return run

    def sides(self, task: str, seed: int) -> dict:
        """Folder and subjects; of the real patients, the number `seed` is held out."""
        prepared = self.cases(task)[1]
        names, known = list(prepared.subjects), {"prepared": str(prepared.folder)}
        if task == "real":
            return known | {"train_subjects": names[1 - seed : 2 - seed], "test_subjects": names[seed : seed + 1]}
        train, validation, _ = SIDES[task]
        return known | {
            "train_subjects": names[:train],
            "validation_subjects": names[train : train + validation],
            "test_subjects": names[train + validation :],
        }


if __name__ == "__main__":
    main()
