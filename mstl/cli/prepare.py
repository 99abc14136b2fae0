"""`mstl prepare`: scans as they are in, one orientation, grid and intensity scale out."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.inputs import BinariseMasks, Labels, ResampleMasks, are_pairs, one_case
from mstl.cli.terminal import console, listed_failures, numbers, pairs, progress, split
from mstl.errors import InputError


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="cohort.csv, flair=a.nii.gz t1=b.nii.gz, oct=a.png.", show_default=False),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.", show_default=False)],
    modalities: Annotated[str, typer.Option(help="Comma-separated, reference first; default: what all have.")] = "",
    spacing: Annotated[str, typer.Option(help="mm, one number or D,H,W; default: the scanner's own.")] = "",
    shape: Annotated[str, typer.Option(help="Voxels D,H,W; default: the brain's box. Pictures: H,W.")] = "",
    steps: Annotated[str, typer.Option(help="From the scanner: of regrid, coregister, brain, n4, mni.")] = "",
    brain: Annotated[str, typer.Option(help="How to extract brains: auto, a tool, or built-in.")] = "auto",
    normalise: Annotated[str, typer.Option(help="zscore, max, minmax, percentile, nyul, imagenet.")] = "zscore",
    labels: Labels = "",
    binarise_masks: BinariseMasks = False,
    resample_masks: ResampleMasks = False,
    jobs: Annotated[int, typer.Option(help="Cases at a time on this machine, which share its cores.")] = 1,
    backend: Annotated[str, typer.Option(help="loky: this machine; dask: a cluster.")] = "loky",
    scheduler: Annotated[str, typer.Option(help="tcp://HOST:8786 of the cluster; its workers share the disk.")] = "",
) -> None:
    """Bring every case to one orientation, grid and intensity scale; unchanged cases are kept."""
    cases = _cohort(inputs, split(modalities))
    with progress("Preparing", len(cases)) as step, listed_failures():
        prepared = mstl.prepare(
            cases,
            out,
            modalities=split(modalities) or None,
            spacing=numbers(spacing, float, "--spacing"),
            shape=numbers(shape, int, "--shape"),
            steps=split(steps),
            brain=brain,
            normalise=normalise,
            labels=numbers(labels, int, "--labels") or (),
            binarise_masks=binarise_masks,
            resample_masks=resample_masks,
            jobs=jobs,
            backend=backend,
            scheduler=scheduler or None,
            progress=step,
        )
    size = f"{len(prepared)} cases of {len(prepared.subjects)} subjects"
    console.print(f"Prepared {size} in {out}.", soft_wrap=True)
    seen = {modality for case in cases for modality in case.modalities}
    left_out = sorted(seen.difference(cases.modalities))
    if left_out and not modalities:
        console.print(f"Note: left out {', '.join(left_out)}, which some cases lack.", soft_wrap=True)


def _cohort(inputs: list[str], modalities: tuple[str, ...]) -> mstl.Cohort:
    if are_pairs(inputs):
        return one_case(pairs(inputs))
    if len(inputs) > 1:
        raise InputError(f"{len(inputs)} inputs were given; one cohort.csv or modality=file pairs are expected.")
    cases = mstl.Cohort.from_csv(inputs[0], files_exist=False)  # a case that lacks a file does not stop the others
    try:
        cases.require(modalities)
    except InputError as error:
        raise InputError(f"{inputs[0]}: {error}") from None
    return cases
