"""`mstl evaluate`: predicted masks against reference masks, a row a case, and a mean a region of tumours."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.inputs import BinariseMasks, CohortFile, Labels, ResampleMasks
from mstl.cli.terminal import (
    console,
    numbers,
    pairs,
    print_pooled,
    print_regions,
    print_scores,
    print_uncertainty,
    split,
)


def evaluate(
    predictions: Annotated[Path, typer.Argument(help="Folder of 'mstl predict'.", show_default=False)],
    cohort: CohortFile,
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("scores.csv"),
    subjects: Annotated[str, typer.Option(help="Comma-separated; default: all.")] = "",
    labels: Labels = "",
    regions: Annotated[
        list[str], typer.Option("--region", help="Labels to score together, as core=1,4; repeat it.")
    ] = [],  # noqa: B006
    binarise_masks: BinariseMasks = False,
    resample_masks: ResampleMasks = False,
) -> None:
    """Compare predicted masks with the reference masks of a cohort."""
    from mstl.data.formats.pictures import is_picture
    from mstl.evaluation.pooled import pooled_path, read_pooled
    from mstl.evaluation.regions import read_regions, region_summaries, regions_path
    from mstl.evaluation.uncertainty_scores import calibration_path, read_uncertainty, uncertainty_path

    cases = mstl.Cohort.from_csv(cohort)
    cases = cases.select(split(subjects)) if subjects else cases
    scores = mstl.evaluate(
        predictions,
        cases,
        out=out,
        labels=numbers(labels, int, "--labels") or (),
        regions={name: numbers(text, int, "--region") or () for name, text in pairs(regions).items()},
        binarise_masks=binarise_masks,
        resample_masks=resample_masks,
    )
    pictures = all(is_picture(case.mask) for case in cases)
    print_scores(scores, pictures=pictures)
    if pictures:
        print_pooled(read_pooled(pooled_path(out)))
    written, uncertain = [out, pooled_path(out)], read_uncertainty(out)
    if regions_path(out).exists():
        print_regions(region_summaries(read_regions(regions_path(out))), pictures=pictures)
        written.append(regions_path(out))
    if uncertain is not None:
        print_uncertainty(*uncertain)
        written += [uncertainty_path(out), calibration_path(out)]
    console.print(f"Wrote {' and '.join(map(str, written))}.", soft_wrap=True)
