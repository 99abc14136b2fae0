"""How well a GAN restores hidden squares of subjects it has not seen: against mean fill and Gaussian inpainting.

Usage: python benchmarks/restoration.py FOLDER [PREPARED] [--test SUBJECT ...] [--steps N] [--width 16]
       [--norm-mode instance] [--from-phantoms] [--no-phantoms] [--out FILE.csv]

Quick phantoms first: trained on 16, tested on four. Then each subject of PREPARED that `--test` names (by default all):
trained on all others of this folder, tested on this one. Prepare it by `--modalities flair --spacing 1 --normalise
percentile`. Squares are 16 mm wide, every other one of a checkerboard is
hidden, and errors are those of hidden pixels in the brain, or with the air in the squares (`squares_`).
`--from-phantoms` also begins each training of a subject with a generator that has seen phantoms of 1 mm. Writes a row a
tested subject to FILE.csv; rows that it holds are not computed again. FOLDER keeps phantoms, runs, and in `sheets` a
sheet of each tested subject.
"""
from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import pandas as pd
from _study import Table

import mstl
from mstl.data.prepared import PreparedCohort
from mstl.evaluation.restoration import score_restoration
from mstl.models.batch_norm import steady
from mstl.training.gan_run import GanRun
from mstl.training.pretrain_gan import pretrain_gan, restoration_sampler
from mstl.training.sheets import sample_batch, write_sheet

AREAS, FILLS = ("", "squares_"), ("mean_fill", "gaussian")  # hidden brain, hidden squares with air
KEYS = ("trained_on", "init", "subject", "steps", "width", "norm_mode", "corruption", "seed")
SQUARE = 16.0  # mm
STEPS_PER_EPOCH = 50
SHOWN = 6  # slices on a sheet
PHANTOMS = "phantoms"
SIZES = (16, 2, 4)  # phantoms to train on, to choose the epoch by, to test on
PREPARATION = {"modalities": ("flair",), "normalise": "percentile"}
BUDGET = {"batch_size": 8, "crop": 128, "steps_per_epoch": STEPS_PER_EPOCH, "validation_steps": 16, "sample_every": 5,
          "hidden_weight": 10.0, "decay": "cosine", "dropout": 0.0}  # fmt: skip


def main() -> None:
    options = parse()
    table = Table(options.out, keys=KEYS)
    if not options.no_phantoms:
        train, validation, test = phantoms(options.folder, "quick", spacing=2.0)
        study(table, PHANTOMS, train, validation, [test], options)
    real = PreparedCohort.open(options.prepared) if options.prepared else None
    inits = ["random", PHANTOMS] if options.from_phantoms else ["random"]
    for subject in options.test or (real.subjects if real else ()):
        others = real.select(set(real.subjects) - {subject})
        for init in inits:
            name, tests = f"all but {subject}", [real.select(subject)]
            study(table, name, others, None, tests, options, init=init, weights=begin(init, options))
    print(summary(table.frame).to_string(index=False))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("prepared", type=Path, nargs="?")
    parser.add_argument("--test", nargs="+", help="subjects to test on, each in turn")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--norm-mode", default="instance")
    parser.add_argument("--corruption", default="random-checkerboard")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--augment", default="thesis")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--from-phantoms", action="store_true")
    parser.add_argument("--no-phantoms", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/restoration.csv"))
    return parser.parse_args()


def phantoms(folder: Path, scanner: str, *, spacing: float) -> tuple[PreparedCohort, ...]:
    """Prepared phantoms to train on, to choose the epoch by, and to test on, made where they are not there."""
    scans = folder / f"scans-{scanner}"
    if (scans / "cohort.csv").exists():
        cohort = mstl.Cohort.from_csv(scans / "cohort.csv")
    else:
        modalities = PREPARATION["modalities"]
        cohort = mstl.write_phantoms(scans, subjects=sum(SIZES), modalities=modalities, scanner=scanner, seed=5, jobs=2)
    prepared = mstl.prepare(cohort, folder / f"prepared-{scanner}", spacing=spacing, jobs=2, **PREPARATION)
    first, second = SIZES[0], sum(SIZES[:2])
    subjects = prepared.subjects
    return tuple(prepared.select(part) for part in (subjects[:first], subjects[first:second], subjects[second:]))


def begin(init: str, options: argparse.Namespace) -> str:
    """The initial weights of a generator: "random", or the folder of one that was trained on phantoms of 1 mm."""
    if init != PHANTOMS:
        return init
    train, validation, _ = phantoms(options.folder, "research", spacing=1.0)
    return str(trained("phantoms-1mm", train, validation, options, "random").folder)


def study(
    table: Table,
    name: str,
    train: PreparedCohort,
    validation: PreparedCohort | None,
    tests: list[PreparedCohort],
    options: argparse.Namespace,
    *,
    init: str = "random",
    weights: str = "random",
) -> None:
    """One training and its rows: a row a subject of `tests`."""
    about = {"trained_on": name, "init": init, "steps": options.steps, "width": options.width}
    about |= {"norm_mode": options.norm_mode, "corruption": options.corruption, "seed": options.seed}
    if all(table.has(**about, subject=subject) for cohort in tests for subject in cohort.subjects):
        return
    run = trained(name if init == "random" else f"{name}-from-{init}", train, validation, options, weights)
    generator = run.generator()
    for cohort in tests:
        scored = score_restoration(generator, cohort, settings=run.experiment)
        rows = scored.round(4).to_dict("records")
        for row in rows:
            draw(run, generator, cohort.select(row["subject"]), options.folder / "sheets", title=name)
        table.add([about | row for row in rows])


def trained(
    label: str, train: PreparedCohort, validation: PreparedCohort | None, options: argparse.Namespace, init: str
) -> GanRun:
    """The pre-training of that label and these options."""
    settings = {**BUDGET, "epochs": options.steps // STEPS_PER_EPOCH, "tile": round(SQUARE / train[0].spacing[1])}
    for name in ("width", "norm_mode", "corruption", "learning_rate", "augment", "seed"):
        settings[name] = getattr(options, name)
    told = (options.steps, options.width, options.norm_mode, options.corruption, options.seed)
    out = options.folder / "-".join(["gan", label, *map(str, told)])
    return pretrain_gan(train, validation, out=out, init=init, resume=out.exists(), **settings)


def draw(run: GanRun, generator, cases: PreparedCohort, folder: Path, *, title: str) -> None:
    """A sheet of one held-out subject."""
    corrupted, target, names = sample_batch(restoration_sampler(cases, run.experiment, validation=True), SHOWN)
    with steady(generator):
        output = generator(corrupted, training=False).numpy()
    folder.mkdir(exist_ok=True)
    path = folder / f"{run.folder.name}-{cases.subjects[0]}.png"
    look = {"names": names, "title": f"trained on {title}", "modalities": cases[0].modalities}
    write_sheet(path, corrupted, output, target, **look)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """What is printed at the end: the error, and the share of the baselines' that it is."""
    errors = {(area, fill): rows[f"{area}mae"] / rows[f"{area}{fill}_mae"] for area, fill in product(AREAS, FILLS)}
    shares = {f"{area}of_{fill}": share for (area, fill), share in errors.items()}
    return rows[["trained_on", "init", "subject", "mae", "squares_mae"]].assign(**shares).round(3)


if __name__ == "__main__":
    main()
