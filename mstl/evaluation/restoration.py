"""How well a pre-trained generator restores the hidden parts of held-out subjects, beside what learns nothing."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from mstl._keras import keras
from mstl.config_gan import GanExperiment
from mstl.data.prepared import PreparedCohort
from mstl.data.sequences import SliceSequence
from mstl.errors import InputError
from mstl.files import whole_file
from mstl.models.batch_norm import steady
from mstl.training.gan_run import GanRun
from mstl.training.pretrain_gan import restoration_sampler
from mstl.training.restoration_scores import baseline_fills, scale_of, score_fills

RESTORATION = "restoration.csv"
HELD_OUT = ("validation", "test")
COLUMNS = {"generator": "", "mean_fill": "mean_fill_", "gaussian": "gaussian_"}  # prefixes


def write_restoration(
    run: GanRun, *, weights: str = "best", progress: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """Score the run's validation and test subjects and write `restoration.csv` into its folder; returns the table.

    See `score_restoration`; a column `side` says where a subject belongs. progress: called with each subject's name.
    Raises `InputError` where the run has no held-out subjects.
    """
    sides = {side: getattr(run.experiment, f"{side}_subjects") for side in HELD_OUT}
    if not any(sides.values()):
        raise InputError(f"Pre-training {run.folder} has no held-out subjects to score. Give it validation subjects.")
    generator, tables = run.generator(weights), []
    for side in (side for side, subjects in sides.items() if subjects):
        table = score_restoration(generator, run.prepared(side), settings=run.experiment, progress=progress)
        tables.append(table.assign(side=side))
    table = pd.concat(tables, ignore_index=True)
    with whole_file(run.folder / RESTORATION) as temporary:
        table.round(5).to_csv(temporary, index=False)
    return table


def score_restoration(
    generator: keras.Model,
    cases: PreparedCohort,
    *,
    settings: GanExperiment,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Error of what `generator` makes of the hidden pixels in the brain of `cases`, a row a subject.

    Every slice with brain is corrupted as `settings` say. Columns: subject, slices, mae and ssim of the generator,
    the same of mean fill and Gaussian inpainting (`mean_fill_mae`, ...). Mean absolute errors are in units of
    prepared images, [0, 1]. The generator's moving statistics stay as they are.
    """
    every = replace(settings, validation_steps=None)
    fills = {"generator": lambda image, hidden: generator(image, training=False), **baseline_fills(settings)}
    rows = []
    with steady(generator):
        for subject in cases.subjects:
            sampler = restoration_sampler(cases.select(subject), every, validation=True)
            found = score_fills(SliceSequence(sampler), fills, scale=scale_of(settings))
            row = {"subject": subject, "slices": sampler.slices.slices}
            rows.append(row | {f"{COLUMNS[name]}{metric.removeprefix('hidden_')}": value
                               for name, scores in found.items() for metric, value in scores.items()})  # fmt: skip
            if progress is not None:
                progress(subject)
    return pd.DataFrame(rows)
