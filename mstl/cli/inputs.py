"""Inputs that several commands take: a cohort.csv, a prepared folder, or the files of one case."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.terminal import pairs
from mstl.data.selector import volume_of
from mstl.errors import InputError

CohortFile = Annotated[Path, typer.Argument(help="cohort.csv", show_default=False)]
Labels = Annotated[str, typer.Option(help="Values of masks with several classes, as 1,2,4 of BraTS.")]
BinariseMasks = Annotated[bool, typer.Option("--binarise-masks", help="Cut soft masks at 0.5, make labels one class.")]
ResampleMasks = Annotated[bool, typer.Option("--resample-masks", help="Accept masks on other grids.")]
Precision = Annotated[
    str | None,
    typer.Option(help="float32, mixed_bfloat16 or mixed_float16; short for --set precision=...", show_default=False),
]


def precision_change(precision: str | None) -> list[str]:
    """The change of an experiment that `--precision` is short for."""
    return [] if precision is None else [f"precision={precision}"]


def read_input(inputs: list[str]):
    """A `PreparedCohort` of a folder, or a `Cohort` of a cohort.csv or of one case of modality=path pairs."""
    if are_pairs(inputs):
        return one_case(pairs(inputs))
    if len(inputs) > 1:
        raise InputError(f"{len(inputs)} inputs were given; expected a cohort.csv, prepared folder or pairs.")
    path = Path(inputs[0])
    return mstl.PreparedCohort.open(path) if path.is_dir() else mstl.Cohort.from_csv(path)


def are_pairs(inputs: list[str]) -> bool:
    """Whether all inputs are modality=path; a path that holds `=` itself and is there is none."""
    return all("=" in text and not Path(text).exists() for text in inputs)


def one_case(files: dict[str, str]) -> mstl.Cohort:
    """The case of files by column (flair, t1, ..., mask, brain_mask), named as the first file is, `x.mat#3` x_3."""
    first = Path(next(iter(files.values()))).name
    name, number = first.split(".")[0], volume_of(first)
    return mstl.Cohort([mstl.Case.of_files(files, subject=name if number is None else f"{name}_{number}")])
