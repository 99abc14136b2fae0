"""The table of the 2021 thesis work in one study: the U-Net and the GAN's encoder, each beside its random twin.

Usage: python benchmarks/thesis_table.py FOLDER [--weights FILE.h5] [--fetch] [--unet unet-small] [--seeds 3]
       [--steps N] [--gan-steps N] [--rows NAME ...] [--out FILE.csv]

Phantoms of five scanners, FLAIR alone: five labelled subjects, 25 more without labels, five for validation, ten held
out. The GAN is pre-trained once a seed on the scans of all thirty training subjects; every row is then trained on the
labelled five with the same batches, settings and steps. Thresholds are chosen on validation subjects, Dice is that of a
patient on the scanner's grid. Pre-trained U-Nets begin with ImageNet where `imagenet-resnet34` is on this machine
(`--fetch` downloads it), or with the encoder in `--weights`, which `--unet` must fit. Writes a row a subject to
FILE.csv, and the table beside it as .md. FOLDER keeps everything; rows that FILE.csv holds are not computed again.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd
from _study import (
    BATCH,
    PREPARATION,
    SEGMENTER,
    SIDE,
    SIZES,
    WIDTH,
    Data,
    Table,
    arguments,
    compared,
    over_patients,
    phantoms,
    pretrain,
    scores,
    segmenter,
    train,
)

from mstl.files import write_text
from mstl.transfer.registry import fetch, locate, weights_named
from mstl.transfer.source import IMAGENET_ENCODERS

KEYS = ("row", "model", "weights", "seed", "steps")
ABSENT = "weights absent"
PUBLISHED_UNET = "unet-resnet34"
SHIPPED = "unet-small-phantoms.h5"
NORM_MODE = "batch"  # as published


@dataclass(frozen=True)
class Row:
    """A row of the table: its network, where its encoder's weights come from, and what was published of it."""

    name: str
    network: str
    source: str
    locked: bool = False
    published: str = ""  # Dice before / after the threshold (threshold)


ROWS = (
    Row("U-Net, random", "unet", "random", published=".363 / .402 (.99)"),
    Row("U-Net, pre-trained", "unet", "weights", published=".594 / .614 (.97)"),
    Row("U-Net, pre-trained, locked", "unet", "weights", locked=True, published=".604 / .632 (.96)"),
    Row("Segmenter, random", "segmenter", "random"),
    Row("Segmenter, GAN", "segmenter", "gan", published=".236 / .289 (.99)"),
    Row("Segmenter, GAN, locked", "segmenter", "gan", locked=True, published=".090 / .094 (.46)"),
)


def main() -> None:
    options = parse()
    data = phantoms(options.folder)
    table = Table(options.out, keys=KEYS)
    weights = pretrained_weights(options)
    for seed, row in product(range(options.seeds), ROWS):
        absent = row.source == "weights" and weights is None
        key = {**identity(row, weights, options), "seed": seed, "steps": options.steps}
        if absent or row.name not in options.rows or table.has(**key):
            continue
        run = trained(row, data, weights, seed, options)
        table.add([{**key, **scored} for scored in scores(data, run)])
    write_text(options.out.with_suffix(".md"), "\n".join(page(table.frame, options)) + "\n")


def parse() -> argparse.Namespace:
    parser = arguments(__doc__.splitlines()[0], out="thesis_table.csv")
    parser.add_argument("--weights", type=Path, help="encoder of the pre-trained U-Nets, instead of ImageNet")
    parser.add_argument("--fetch", action="store_true", help="download ImageNet weights where they are not here")
    parser.add_argument("--unet", default=PUBLISHED_UNET, help="the model of the U-Net rows")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], default=[row.name for row in ROWS])
    return parser.parse_args()


def pretrained_weights(options: argparse.Namespace) -> Path | None:
    """The file of the pre-trained U-Nets; None where there is none on this machine."""
    if options.weights is not None or options.unet not in IMAGENET_ENCODERS:
        return options.weights
    name = IMAGENET_ENCODERS[options.unet]
    found = locate(weights_named(name))
    if found is None and not options.fetch:
        return None
    return fetch(name)


def identity(row: Row, weights: Path | None, options: argparse.Namespace) -> dict:
    """What tells rows of the CSV apart, beside seed and steps."""
    names = {"random": "random", "weights": weights and weights.name, "gan": f"GAN, {options.gan_steps} steps"}
    return {"row": row.name, "model": model_of(row, options), "weights": names[row.source]}


def model_of(row: Row, options: argparse.Namespace) -> str:
    """The name of a row's network."""
    return options.unet if row.network == "unet" else SEGMENTER


def trained(row: Row, data: Data, weights: Path | None, seed: int, options: argparse.Namespace):
    """The run of one row and seed."""
    network = {"model": options.unet, "options": {}} if row.network == "unet" else segmenter(NORM_MODE)
    init = {}
    if row.source == "weights":
        init = {"init": str(weights), "init_include": ("encoder",), "init_adapt": ("truncate",)}
    elif row.source == "gan":
        gan = pretrain(data, options.folder, seed=seed, norm_mode=NORM_MODE, steps=options.gan_steps)
        init = {"init": str(gan), "init_include": ("encoder",)}
    source = {"random": "random", "weights": weights and weights.stem, "gan": f"gan{options.gan_steps}"}[row.source]
    about = {"label": f"{source}-{'locked' if row.locked else 'free'}", "freeze": ("encoder",) if row.locked else ()}
    return train(data, options.folder, seed=seed, steps=options.steps, **network, **init, **about)


def page(rows: pd.DataFrame, options: argparse.Namespace) -> Iterable[str]:
    """Lines of the .md file."""
    yield "# The thesis table, on phantoms\n"
    yield "Written by `benchmarks/thesis_table.py`. Mean Dice over ten held-out patients of each one's mean over seeds;"
    yield "sd between seeds behind ±. Published: one training each, Dice pooled over all slices.\n"
    yield "| row | network | encoder's weights | Dice at 0.5 | at the threshold | thresholds | published (threshold) |"
    yield "|---|---|---|---|---|---|---|"
    rows = rows[rows.steps == options.steps]
    for row in ROWS:
        published_model = PUBLISHED_UNET if row.network == "unet" else SEGMENTER
        mine = rows[rows.row == row.name]
        if published_model not in set(mine.model):
            why = ABSENT if row.source == "weights" else "not trained yet"
            yield f"| {row.name} | {published_model} | {why} | | | | {row.published} |"
        for (model, weights), group in mine.groupby(["model", "weights"], sort=False):
            half, best = (over_patients(group, column) for column in ("dice_at_half", "dice"))
            cuts = " ".join(f"{cut:.2f}" for cut in group.groupby("seed").threshold.first())
            published = row.published if model == published_model else ""
            yield f"| {row.name} | {model} | {weights} | {half} | {best} | {cuts} | {published} |"
    yield ""
    yield from comparisons(rows)
    yield from differences(options)
    if (rows.weights == SHIPPED).any():
        yield f"- `{SHIPPED}` was trained with masks of 88 other phantoms: a good source, not what ImageNet gives."


def comparisons(rows: pd.DataFrame) -> Iterable[str]:
    """Each pre-trained row against the random one of its network, patient by patient."""
    yield "Patient by patient, at the threshold, against the random weights of the same network:\n"
    begun = rows[rows.weights != "random"]
    if begun.empty:
        return
    for (model, name, weights), group in begun.groupby(["model", "row", "weights"], sort=False):
        twin = rows[(rows.model == model) & (rows.weights == "random")]
        if not twin.empty:
            yield f"- {name} ({model}, {weights}): {compared(group, twin)}."
    yield ""


def differences(options: argparse.Namespace) -> Iterable[str]:
    """What the numbers must not be compared for."""
    training = SIZES["labelled"] + SIZES["unlabelled"]
    yield "How this differs from the published setting:\n"
    yield f"- Synthetic patients of five scanners ({sum(SIZES.values())} in all), not the 55 real scans of three sets."
    yield f"- {SIZES['labelled']} labelled subjects; {options.steps} steps of {BATCH} slices of {SIDE}x{SIDE} pixels"
    yield f"  of {PREPARATION['spacing'][1]:g} mm, one loss, rate and schedule for all rows. Published: 38,400 steps of"
    yield "  32 slices of 192x192 at 1 mm."
    yield f"- The GAN has width {WIDTH}, published 64. It sees the scans of {training} subjects for"
    yield f"  {options.gan_steps} steps of {BATCH} slices, on top of the equal budgets; its squares are 16 mm wide, as"
    yield "  published."
    yield "- Dice of each patient on the scanner's grid, the threshold chosen on other patients. Published: pooled over"
    yield "  all slices, at the threshold that is best on the masks that are reported."
    yield "- Locked encoders are locked here, as each run proves; the published ones were not."


if __name__ == "__main__":
    main()
