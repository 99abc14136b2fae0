"""Batch norm in the GAN and its segmenter: batch statistics at inference, as published, moving ones, instance norm.

Usage: python benchmarks/norm_modes.py FOLDER [--seeds 3] [--steps N] [--gan-steps N] [--modes batch moving instance]
       [--out FILE.csv]

For each mode and seed a GAN is pre-trained, and the segmenter trained from its encoder (free) and from random weights,
on the cohort and with the budget of `thesis_table.py`, whose FOLDER may be given: what is there is used again. Writes
to FILE.csv a row a test subject with its Dice where eight slices share a batch of the prediction, and one, and the
restoration of the validation subjects' hidden squares; the table beside it as .md. Rows that FILE.csv holds are not
computed again.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pandas as pd
from _study import Data, Table, arguments, compared, over_patients, phantoms, pretrain, scores, segmenter, train

from mstl.evaluation.predictor import BATCH_SIZE
from mstl.files import read_json, write_text
from mstl.models.pix2pix import NORMS

KEYS = ("norm_mode", "init", "seed", "steps", "gan_steps")
INITS = ("random", "gan")
HIDDEN = {"hidden_mae": "val_hidden_mae", "hidden_ssim": "val_hidden_ssim"}  # column here: in a GAN's history
ALONE = "dice_batch_of_1"


def main() -> None:
    options = parse()
    data = phantoms(options.folder)
    table = Table(options.out, keys=KEYS)
    for seed, mode, init in product(range(options.seeds), options.modes, INITS):
        about = {"norm_mode": mode, "init": init, "seed": seed, "steps": options.steps}
        about["gan_steps"] = options.gan_steps if init == "gan" else 0
        if not table.has(**about):
            table.add(study(data, about, options.folder))
    write_text(options.out.with_suffix(".md"), "\n".join(page(table.frame, options)) + "\n")


def parse() -> argparse.Namespace:
    parser = arguments(__doc__.splitlines()[0], out="norm_modes.csv")
    parser.add_argument("--modes", nargs="+", choices=list(NORMS), default=list(NORMS))
    return parser.parse_args()


def study(data: Data, about: dict, folder: Path) -> list[dict]:
    """The rows of one training."""
    mode, seed, gan_steps = about["norm_mode"], about["seed"], about["gan_steps"]
    init, label, restored = {}, "random-free", dict.fromkeys(HIDDEN, "")
    if gan_steps:
        gan = pretrain(data, folder, seed=seed, norm_mode=mode, steps=gan_steps)
        init, label = {"init": str(gan), "init_include": ("encoder",)}, f"gan{gan_steps}-free"
        restored = restoration(gan)
    run = train(data, folder, seed=seed, steps=about["steps"], label=label, **segmenter(mode), **init)
    shared, alone = (scores(data, run, batch_size=size) for size in (BATCH_SIZE, 1))
    return [
        {**about, **together, ALONE: single["dice"], **restored}
        for together, single in zip(shared, alone, strict=True)
    ]


def restoration(gan: Path) -> dict:
    """Error and similarity inside hidden squares of the validation subjects, of the best generator."""
    history = pd.read_csv(gan / "history.csv")
    best = history.loc[history[HIDDEN["hidden_mae"]].idxmin()]
    return {name: round(float(best[column]), 4) for name, column in HIDDEN.items()}


def page(rows: pd.DataFrame, options: argparse.Namespace) -> Iterable[str]:
    """Lines of the .md file."""
    yield "# Batch norm of the GAN and its segmenter\n"
    yield "Written by `benchmarks/norm_modes.py`; cohort and budget of `thesis_table.md`. Hidden squares of the"
    yield "validation subjects: mean absolute error in units of [0, 1], and SSIM, mean over seeds. Dice of ten held-out"
    yield "patients at the threshold, mean ± sd between seeds; behind it the mean and the largest change of a patient's"
    yield f"Dice where one slice at a time is predicted, not {BATCH_SIZE}.\n"
    yield "| norm_mode | hidden MAE | hidden SSIM | init | Dice | one slice at a time: mean, largest change |"
    yield "|---|---|---|---|---|---|"
    rows = rows[(rows.steps == options.steps) & rows.gan_steps.isin((0, options.gan_steps))]
    for (mode, init), group in rows.groupby(["norm_mode", "init"], sort=False):
        restored = "| |"
        if init == "gan":
            means = group.groupby("seed")[list(HIDDEN)].first().astype(float).mean()
            restored = f"{means.hidden_mae:.4f} | {means.hidden_ssim:.3f} |"
        change = group[ALONE] - group.dice
        moved = f"{change.mean():+.4f}, {change.loc[change.abs().idxmax()]:+.4f}"
        yield f"| {mode} | {restored} {init} | {over_patients(group)} | {moved} |"
    yield ""
    for mode, group in rows.groupby("norm_mode", sort=False):
        twins = dict(tuple(group.groupby("init")))
        if len(twins) == len(INITS):
            yield f"- {mode}: GAN minus random {compared(twins['gan'], twins['random'])}."
    yield from baselines(options)


def baselines(options: argparse.Namespace) -> Iterable[str]:
    """What filling the squares without a network gives on the same slices."""
    folder = options.folder / f"gan-{options.modes[0]}-{options.gan_steps}-0"
    if (folder / "baselines.json").exists():
        for name, found in read_json(folder / "baselines.json").items():
            yield f"- {name.replace('_', ' ')}: hidden MAE {found['hidden_mae']:.4f}, SSIM {found['hidden_ssim']:.3f}."


if __name__ == "__main__":
    main()
