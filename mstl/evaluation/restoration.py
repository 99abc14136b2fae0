"""How well a pre-trained generator restores the hidden parts of held-out subjects, beside what learns nothing."""
from __future__ import annotations

from collections.abc import Callable, Mapping
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
BASELINES = ("mean_fill", "gaussian")
EVERYWHERE = "_everywhere"  # behind the name of a baseline that uses all that is visible


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
    the same of mean fill and Gaussian inpainting from what is visible of the brain (`mean_fill_mae`, ...). Those that
    begin with `squares_` count all hidden pixels, air too; the baselines then use all that is visible. Mean absolute
    errors are in units of prepared images, [0, 1]. The generator's moving statistics stay as they are.
    """
    every = replace(settings, validation_steps=None)
    everywhere = baseline_fills(settings, everywhere=True).items()
    fills = {
        "generator": lambda image, hidden: generator(image, training=False),
        **baseline_fills(settings),
        **{f"{name}{EVERYWHERE}": fill for name, fill in everywhere},
    }
    rows = []
    with steady(generator):
        for subject in cases.subjects:
            sampler = restoration_sampler(cases.select(subject), every, validation=True)
            found = score_fills(SliceSequence(sampler), fills, scale=scale_of(settings))
            rows.append({"subject": subject, "slices": sampler.slices.slices, **_columns(found)})
            if progress is not None:
                progress(subject)
    return pd.DataFrame(rows)


def _columns(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The numbers of one subject by the names of their columns."""
    row = {}
    for area, suffix, column in (("hidden", "", ""), ("squares", EVERYWHERE, "squares_")):
        for metric in ("mae", "ssim"):
            row[f"{column}{metric}"] = scores["generator"][f"{area}_{metric}"]
            for name in BASELINES:
                row[f"{column}{name}_{metric}"] = scores[f"{name}{suffix}"][f"{area}_{metric}"]
    return row
