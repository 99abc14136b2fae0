"""`mstl pretrain`: what is learned before a training, from scans without masks or from trained networks."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.inputs import Precision, precision_change
from mstl.cli.kernel_prior import kernel_prior
from mstl.cli.terminal import console, escaped, progress

app = typer.Typer(
    help="Learn from scans without masks, or from trained networks, what a training may begin with.",
    no_args_is_help=True,
)
app.command("kernel-prior")(kernel_prior)


@app.command()
def gan(
    experiment: Annotated[Path, typer.Argument(help="EXPERIMENT.yaml, such as configs/gan.yaml", show_default=False)],
    changes: Annotated[list[str], typer.Option("--set", help="key=value; repeat it.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="New folder of the pre-training.")] = Path("gan"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with one that was stopped.")] = False,
    precision: Precision = None,
) -> None:
    """Train a GAN to restore hidden parts of scans, and score it on held-out subjects; masks are not opened."""
    from mstl.config_gan import GanExperiment
    from mstl.training.cluster import is_chief
    from mstl.training.experiment import split_sides

    settings = GanExperiment.load(experiment, changes=[*changes, *precision_change(precision)])
    train, validation, test = split_sides(mstl.PreparedCohort.open(settings.prepared), settings)
    console.quiet = not is_chief()

    from mstl.evaluation.restoration import write_restoration  # starts TensorFlow: after what can be wrong at once
    from mstl.training.pretrain_gan import pretrain_gan
    from mstl.training.progress import TrainingProgress

    with TrainingProgress(console) as bar:
        run = pretrain_gan(
            train, validation, test=test, out=out, resume=resume, callbacks=[bar], init=settings.init,
            **settings.training(),
        )  # fmt: skip
    if not is_chief():
        return
    last = run.history.iloc[-1]
    console.print(f"Pre-trained {out}: {len(run.history)} epochs, loss {last['loss']:.3f}.", soft_wrap=True)
    held_out = sum(len(side.subjects) for side in (validation, test) if side)
    if held_out:
        with progress("Restoring held-out subjects", held_out) as step:
            print_restoration(write_restoration(run, progress=step))
    console.print(f"Report: {mstl.write_report(out)}", soft_wrap=True)


def print_restoration(table) -> None:
    """A row a held-out subject: the error of the generator and of what learns nothing."""
    from rich.table import Table

    shown = Table("subject", "side", "error", "mean fill", "Gaussian", "SSIM")
    for row in table.to_dict("records"):
        errors = (f"{row[name]:.3f}" for name in ("mae", "mean_fill_mae", "gaussian_mae", "ssim"))
        shown.add_row(escaped(row["subject"]), row["side"], *errors)
    console.print(shown)
    for area, prefix in (("Hidden brain is", ""), ("Hidden squares, air included, are", "squares_")):
        error, mean, gaussian = (table[prefix + name].mean() for name in ("mae", "mean_fill_mae", "gaussian_mae"))
        console.print(
            f"{area} restored with an error of {error:.3f}: {error / mean:.2f} times that of a mean fill, "
            f"{error / gaussian:.2f} times that of Gaussian inpainting.", soft_wrap=True,
        )  # fmt: skip
