"""How well a GAN restores hidden squares of subjects it has not seen: against mean fill and Gaussian inpainting.

Usage: python benchmarks/restoration.py FOLDER PREPARED [--test SUBJECT ...] [--steps 1000] [--out FILE.csv]

Each subject of PREPARED that `--test` names (by default all) in turn: trained on all others of this folder, tested on
this one. Prepare it by `--modalities flair --spacing 1 --normalise percentile`; scans and phantoms may lie in one
cohort. Every other square of 16 mm is hidden. Errors are those of hidden pixels in the brain, and (`squares_`) those of
all hidden pixels. Writes a row a tested subject to FILE.csv; rows that it holds are not computed again. FOLDER keeps
the runs, and in `sheets` a sheet of each tested subject.
"""
from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import pandas as pd
from _study import Table

from mstl.data.prepared import PreparedCohort
from mstl.evaluation.restoration import score_restoration
from mstl.models.batch_norm import steady
from mstl.training.gan_run import GanRun
from mstl.training.pretrain_gan import pretrain_gan, restoration_sampler
from mstl.training.sheets import sample_batch, write_sheet

AREAS, FILLS = ("", "squares_"), ("mean_fill", "gaussian")  # hidden brain, hidden squares with air
KEYS = ("subject", "steps", "l1_weight", "seed")
STEPS_PER_EPOCH = 50
SHOWN = 6  # slices on a sheet
BUDGET = {
    "corruption": "random-checkerboard",
    "tile": 16,
    "width": 16,
    "norm_mode": "instance",
    "dropout": 0.0,
    "learning_rate": 2e-3,
    "decay": "cosine",
    "hidden_weight": 10.0,
    "batch_size": 8,
    "crop": 128,
    "augment": "strong",
    "steps_per_epoch": STEPS_PER_EPOCH,
    "sample_every": 10,
}


def main() -> None:
    options = parse()
    table = Table(options.out, keys=KEYS)
    prepared = PreparedCohort.open(options.prepared)
    for subject in options.test or prepared.subjects:
        about = {"subject": subject, "steps": options.steps, "l1_weight": options.l1_weight, "seed": options.seed}
        if table.has(**about):
            continue
        run = trained(prepared.select(set(prepared.subjects) - {subject}), options, label=f"all-but-{subject}")
        generator, cases = run.generator(), prepared.select(subject)
        scored = score_restoration(generator, cases, settings=run.experiment).round(4)
        draw(run, generator, cases, options.folder / "sheets")
        table.add([about | {"trained_on": len(prepared.subjects) - 1} | scored.iloc[0].to_dict()])
    print(summary(table.frame).to_string(index=False))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--test", nargs="+", help="subjects to test on, each in turn")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--l1-weight", type=float, default=1000.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/restoration.csv"))
    return parser.parse_args()


def trained(cases: PreparedCohort, options: argparse.Namespace, *, label: str) -> GanRun:
    """The pre-training on `cases`; one that was stopped goes on."""
    out = options.folder / f"{label}-{options.steps}-{options.l1_weight:g}-{options.seed}"
    told = {"epochs": options.steps // STEPS_PER_EPOCH, "l1_weight": options.l1_weight, "seed": options.seed}
    return pretrain_gan(cases, out=out, resume=out.exists(), **BUDGET, **told)


def draw(run: GanRun, generator, cases: PreparedCohort, folder: Path) -> None:
    """A sheet of the subject that was left out."""
    corrupted, target, names = sample_batch(restoration_sampler(cases, run.experiment, validation=True), SHOWN)
    with steady(generator):
        output = generator(corrupted, training=False).numpy()
    folder.mkdir(exist_ok=True)
    look = {"names": names, "title": run.folder.name, "modalities": cases[0].modalities}
    write_sheet(folder / f"{run.folder.name}.png", corrupted, output, target, **look)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """What is printed at the end: the error, and the share of the baselines' that it is."""
    errors = {(area, fill): rows[f"{area}mae"] / rows[f"{area}{fill}_mae"] for area, fill in product(AREAS, FILLS)}
    shares = {f"{area}of_{fill}": share for (area, fill), share in errors.items()}
    return rows[["subject", "steps", "l1_weight", "mae", "squares_mae"]].assign(**shares).round(3)


if __name__ == "__main__":
    main()
