"""What every command shares: the consoles, progress bars, tables of scores, and how option texts are read."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from mstl.errors import InputError, PreparationError

POOLED = {"mDice": "mdice", "mAcc": "macc", "mIoU": "miou", "mFscore": "mfscore"}  # as they are published

console = Console()
errors = Console(stderr=True)


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Show warnings as a line of text, without the place in the code that they come from."""

    def show(message, *_) -> None:
        errors.print(f"[yellow]Note:[/] {escaped(str(message))}", soft_wrap=True, highlight=False)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar with an estimate of what remains; call what it yields once a case."""
    from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), *Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(description, total=total)
        yield lambda name: bar.advance(task)


@contextmanager
def download_progress(description: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar of bytes and speed, beside the output; call what it yields with the bytes here and those expected."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    text = TextColumn("[progress.description]{task.description}")
    columns = (text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors) as bar:
        task = bar.add_task(description, total=None, visible=False)
        yield lambda here, total: bar.update(task, completed=here, total=total, visible=True)


@contextmanager
def listed_failures() -> Iterator[None]:
    """Print cases that could not be prepared as a table, before the error goes on; not where it says all itself."""
    try:
        yield
    except PreparationError as error:
        if str(error) in error.failures.values():
            raise
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        table.add_column("case", overflow="fold")
        table.add_column("reason", overflow="fold")
        for name, reason in error.failures.items():
            table.add_row(escaped(name), escaped(reason))
        console.print(table)
        raise


def print_scores(scores, *, pictures: bool = False) -> None:
    """A row a case, the columns that people read first, and the mean; distances and sizes of pictures in pixels."""
    from rich.table import Table

    from mstl.evaluation.scores import in_pixels

    length, size = ("pixels", "pixels") if pictures else ("mm", "ml")
    columns = {
        "dice": "Dice", "hausdorff95_mm": f"HD95 {length}", "lesion_f1": "lesion F1",
        "reference_ml": f"{size}, reference", "prediction_ml": f"{size}, predicted",
    }  # fmt: skip
    scores = in_pixels(scores) if pictures else scores
    table = Table("case", *columns.values())
    table.columns[0].overflow = "fold"  # names that are cut look all alike
    for row in scores.to_dict("records"):
        sizes = [f"{row[column]:.{'0f' if pictures and column.endswith('_ml') else '3g'}}" for column in columns]
        table.add_row(escaped(str(row["case"])), *sizes)
    console.print(table)
    with_lesions = scores[scores["empty_reference"] == 0]
    console.print(f"Mean Dice {with_lesions['dice'].mean():.3f} over {len(with_lesions)} cases with lesions.")


def print_pooled(rows) -> None:
    """The pooled scores of all pictures, in a line."""
    found = rows.iloc[0]
    means = ", ".join(f"{name} {found[column]:.3f}" for name, column in POOLED.items())
    lesions = [column for column in rows if column.startswith("dice_") and column != "dice_0"]
    each = ", ".join(f"{found[column]:.3f} of label {column[5:]}" for column in lesions)
    lesion = f"{found[lesions[0]]:.3f} of the lesion" if len(lesions) == 1 else each
    console.print(f"Pooled over {found['cases']} images: {means}; Dice {lesion}.", soft_wrap=True)


def print_regions(summaries, *, pictures: bool = False) -> None:
    """A row a region: its mean Dice and 95th percentile of distances over the cases whose reference has it."""
    from rich.table import Table

    table = Table("region", "mean Dice", f"mean HD95 {'pixels' if pictures else 'mm'}", "cases")
    for name, found in summaries.items():
        means = (f"{found['scores'][score]['mean']:.3g}" for score in ("dice", "hausdorff95_mm"))
        table.add_row(escaped(name), *means, str(found["cases"]))
    console.print(table)


def print_uncertainty(rows, bins) -> None:
    """What the sampled networks know of their errors, in two lines."""
    from mstl.evaluation.uncertainty_scores import uncertainty_summary

    found = uncertainty_summary(rows, bins)
    console.print(
        f"Calibration error {found['ece']:.3g}, Brier score {found['brier']:.3g} over {found['cases']} cases; a wrong "
        f"voxel has more entropy than a right one with a chance of {found['entropy_auroc']:.3g}.",
        soft_wrap=True,
    )
    inside = f"{found['inside']} of {found['intervals']}"
    told = f"The reference's volume lies in the interval of the samples' volumes in {inside} cases."
    console.print(told, soft_wrap=True)


def print_profiles(runs: Iterable[Path]) -> None:
    """Write the page of each run's profile, and say what it shows; a run that had no step to take has none."""
    from mstl.reporting.profile_page import read_profile, write_profile_page

    for run in runs:
        if (seen := read_profile(run)) is None:
            console.print(f"No step of {run} was there to be profiled.", soft_wrap=True)
            continue
        steps = f"{seen['steps']} {'step' if seen['steps'] == 1 else 'steps'}"
        text = f"{seen['step_ms']:.1f} ms a step, {seen['input_share']:.0%} of it waiting for input"
        console.print(f"Profile of {steps}: {text}; see {write_profile_page(run)}.", soft_wrap=True)


def split(text: str) -> tuple[str, ...]:
    """The parts of a text between commas, without blanks."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def pairs(texts: list[str]) -> dict[str, str]:
    """Names and values of texts of the form name=value; raises `InputError` for another form or a name twice."""
    found = [_pair(text) for text in texts]
    if len(dict(found)) < len(found):
        raise InputError(f"One name was given twice: {', '.join(texts)}. Give each once.")
    return dict(found)


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (separator and key and value):
        raise InputError(f"'{text}' is not of the form name=value.")
    return key, value


def numbers(text: str, kind: type, option: str) -> tuple | None:
    """The numbers between commas, None where there are none; raises `InputError` that names the option."""
    try:
        return tuple(kind(part) for part in split(text)) or None
    except ValueError:
        whole = "whole " if kind is int else ""
        raise InputError(f"{option} is '{text}'; {whole}numbers with commas between them are expected.") from None


def escaped(text: str) -> str:
    """The text as rich prints it letter by letter, brackets too."""
    from rich.markup import escape

    return escape(text)
