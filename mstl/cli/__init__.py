"""The command line: parses, calls one library function, prints."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import mstl
from mstl.cli.agreement import agreement
from mstl.cli.check import check
from mstl.cli.compare import compare
from mstl.cli.convert import convert
from mstl.cli.domain_shift import domain_shift
from mstl.cli.evaluate import evaluate
from mstl.cli.export import export
from mstl.cli.index import index
from mstl.cli.inputs import Precision, precision_change, read_input
from mstl.cli.prepare import prepare
from mstl.cli.pretrain import app as pretrain_app
from mstl.cli.screen import screen
from mstl.cli.terminal import (
    console,
    errors,
    escaped,
    print_profiles,
    print_scores,
    progress,
    shown_warnings,
    split,
)
from mstl.cli.transfer import inspect, transfer
from mstl.cli.weights import app as weights_app
from mstl.errors import InputError

app = typer.Typer(
    help="MRI lesion segmentation by transfer learning.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(convert)
app.command()(inspect)
app.command()(transfer)
app.add_typer(weights_app, name="weights")
app.add_typer(pretrain_app, name="pretrain")

RunFolder = Annotated[Path, typer.Argument(help="Folder of a training.", show_default=False)]


def main() -> None:
    """Run the command line; wrong input ends in one line and exit code 1."""
    try:
        with shown_warnings():
            app(prog_name="mstl")
    except (InputError, OSError) as error:
        message = " ".join(str(error).splitlines())
        errors.print(f"[bold red]Error:[/] {escaped(message)}", soft_wrap=True, highlight=False)
        sys.exit(1)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print it and leave.")] = False) -> None:
    if version:
        console.print(f"mstl {mstl.__version__}", highlight=False)
        raise typer.Exit


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="New folder for everything that is made.")] = Path("mstl-demo"),
    seed: Annotated[int, typer.Option(help="Another seed gives another cohort and training.")] = 0,
) -> None:
    """The whole journey on a synthetic cohort, from scans to report: minutes on a laptop."""
    from mstl.demo import run_demo

    scores = run_demo(out, seed=seed, console=console)
    print_scores(scores)
    console.print(f"Report: {out / 'run' / 'report.html'}", soft_wrap=True)


@app.command()
def phantom(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="New folder.", show_default=False)],
    subjects: Annotated[int, typer.Option(help="How many subjects.")] = 10,
    scanner: Annotated[str, typer.Option(help="Scanner profile, 'mixed', or 'clinical-raw'.")] = "research",
    skull: Annotated[bool, typer.Option("--skull", help="Leave the head around the brain; raw scans have it.")] = False,
    disease: Annotated[
        str,
        typer.Option(help="ms; tumour: masks of BraTS' labels 1, 2, 4; dme: OCT of eyes, by subjects and seed alone."),
    ] = "ms",
    modalities: Annotated[str, typer.Option(help="Comma-separated; default: flair,t1,t2, of a tumour t1ce too.")] = "",
    randomise: Annotated[float, typer.Option(help="0 usual contrasts to 1 strongly randomised.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
    jobs: Annotated[int, typer.Option(help="Cases at a time.")] = 1,
) -> None:
    """Write a synthetic cohort, of MS or tumours, with exact masks as NIfTI; or of fluid in OCT, as PNG."""
    from mstl.data.heads.scanner import with_skull
    from mstl.data.oct_phantom import DISEASE, write_oct_phantoms

    with progress("Making phantoms", subjects) as step:
        if disease == DISEASE:
            _refuse(context, ("scanner", "skull", "modalities", "randomise", "jobs"), because="--disease dme")
            write_oct_phantoms(out, subjects=subjects, seed=seed, progress=step)
        else:
            mstl.write_phantoms(
                out,
                subjects=subjects,
                scanner=with_skull(scanner) if skull else scanner,
                modalities=split(modalities) if modalities else None,
                disease=disease,
                randomise=randomise,
                seed=seed,
                jobs=jobs,
                progress=step,
            )
    console.print(f"Wrote {out / 'cohort.csv'}: {subjects} subjects.", soft_wrap=True)


def _refuse(context: typer.Context, names: Sequence[str], *, because: str) -> None:
    """Raise `InputError` where one of these options was given."""
    sources = {name: context.get_parameter_source(name) for name in names}
    if given := [f"--{name}" for name, source in sources.items() if source and source.name == "COMMANDLINE"]:
        raise InputError(f"{', '.join(given)} does nothing with {because}. Leave it out.")


app.command()(index)
app.command()(check)
app.command()(prepare)
app.command("domain-shift")(domain_shift)


@app.command()
def train(
    experiment: Annotated[Path, typer.Argument(help="EXPERIMENT.yaml", show_default=False)],
    strategy: Annotated[str | None, typer.Option(help="Which of the file's strategies.", show_default=False)] = None,
    changes: Annotated[list[str], typer.Option("--set", help="key=value; repeat it.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="New folder of the training.")] = Path("run"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    profile: Annotated[int | None, typer.Option(min=1, help="How many steps to profile, into OUT/profile.")] = None,
    precision: Precision = None,
) -> None:
    """Train a network on prepared cases; with 'twin: true' once more from scratch, into OUT/twin.

    It uses every GPU of the machine, and every worker that TF_CONFIG or Slurm tells of; the first of them reports.
    """
    from mstl.training.cluster import is_chief
    from mstl.training.experiment import split_sides, train_experiment

    changes = [*changes, *precision_change(precision)]
    settings = mstl.Experiment.load(experiment, strategy=strategy, changes=changes)
    split_sides(mstl.PreparedCohort.open(settings.prepared), settings)
    console.quiet = not is_chief()

    from mstl.training.progress import TrainingProgress  # starts TensorFlow: after what can be wrong at once

    with TrainingProgress(console) as bar:
        run = train_experiment(settings, out=out, resume=resume, callbacks=[bar], profile=profile)
    if not is_chief():
        return
    console.print(f"Trained {out}: {_reached(run)}.", soft_wrap=True)
    if settings.twin:
        console.print(f"Its twin from scratch, {run.twin.folder}: {_reached(run.twin)}.", soft_wrap=True)
    if profile:
        print_profiles([run.folder, run.twin.folder] if settings.twin else [run.folder])


def _reached(run) -> str:
    history = run.history
    seen = f", validation Dice {history['val_dice'].max():.3f} at best" if "val_dice" in history else ""
    return f"{len(history)} epochs, loss {history['loss'].iloc[-1]:.3f}{seen}"


@app.command()
def threshold(run: RunFolder) -> None:
    """Choose threshold and clean-up of the masks on the run's validation cases, and store them.

    The threshold is the probability from which a voxel is lesion. The clean-up drops connected components below a
    minimum volume, or all but the largest, where that raises the mean Dice.
    """
    from mstl.evaluation.cleanup import NO_CLEAN_UP
    from mstl.evaluation.threshold import set_threshold

    opened = mstl.Run(run)
    with progress("Predicting validation cases", len(opened.prepared("validation"))) as step:
        choice = set_threshold(opened, progress=step)
    cut = "Most probable class" if choice.threshold is None else f"Threshold {choice.threshold:g}"
    best, plain = max(choice.mean_dice), max(choice.mean_dice_uncleaned)
    gain = f" ({plain:.3f} without clean-up)" if choice.clean_up != NO_CLEAN_UP else ""
    console.print(f"{cut}, {choice.clean_up}: mean Dice {best:.3f}{gain} on {choice.cases} validation cases.")


@app.command()
def predict(
    run: RunFolder,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="cohort.csv, prepared folder, flair=a.nii.gz t1=b.nii.gz, or oct=a.png; default: the test subjects.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="New folder for the masks.")] = Path("predictions"),
    subjects: Annotated[str, typer.Option(help="Comma-separated; default: all.")] = "",
    threshold: Annotated[float | None, typer.Option(help="Default: the run's, see 'mstl threshold'.")] = None,
    flip: Annotated[bool, typer.Option("--flip", help="Average with the mirrored images: slower.")] = False,
    overlap: Annotated[float | None, typer.Option(help="Of neighbouring windows, 0 to 1; default: the run's.")] = None,
    weights: Annotated[str, typer.Option(help="best or last")] = "best",
    samples: Annotated[int, typer.Option(help="Networks drawn from a Bayesian run: maps of uncertainty too.")] = 0,
    seed: Annotated[int, typer.Option(help="Which networks are drawn.")] = 0,
) -> None:
    """Segment scans: a mask and a probability map each, on the scanner's own grid; of pictures an overlay too."""
    cases = read_input(inputs) if inputs else mstl.Run(run).prepared("test")
    cases = cases.select(split(subjects)) if subjects else cases
    with progress("Predicting", len(cases) * max(samples, 1)) as step:
        options = {"threshold": threshold, "flip": flip, "overlap": overlap, "weights": weights}
        mstl.predict(run, cases, out=out, samples=samples, seed=seed, progress=step, **options)
    console.print(f"Wrote masks of {len(cases)} cases to {out}.", soft_wrap=True)


app.command()(evaluate)
app.command()(agreement)
app.command()(screen)
app.command()(compare)
app.command()(export)


@app.command()
def report(
    run: RunFolder,
    predictions: Annotated[Path | None, typer.Option(help="Folder of 'mstl predict'.")] = None,
    cohort: Annotated[Path | None, typer.Option(help="cohort.csv of the predicted cases.")] = None,
    scores: Annotated[Path | None, typer.Option(help="scores.csv of 'mstl evaluate'.")] = None,
    twin_scores: Annotated[Path | None, typer.Option(help="The same of the run's twin.")] = None,
    domain_shift: Annotated[Path | None, typer.Option(help="Folder of 'mstl domain-shift'; default: RUN.")] = None,
) -> None:
    """Write report.html into the run: one self-contained page."""
    cases = None if cohort is None else mstl.Cohort.from_csv(cohort)
    options = {"scores": scores, "twin_scores": twin_scores, "domain_shift": domain_shift}
    path = mstl.write_report(run, predictions=predictions, cohort=cases, **options)
    console.print(f"Wrote {path}.", soft_wrap=True)
