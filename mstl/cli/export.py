"""`mstl export`: a run as a folder that another machine predicts with, and its model card."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mstl.cli.terminal import console, escaped


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="New folder to hand over.", show_default=False)],
    scores: Annotated[
        Path | None, typer.Option(help="scores.csv of the run's test subjects; the card sums it up.")
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="Folder that they are scores of: checks that these weights made it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Title of the card; default: the run's name.")] = None,
    about: Annotated[str, typer.Option(help="What only you know: disease, scanners, sequences, raters, consent.")] = "",
    licence: Annotated[str, typer.Option("--license", help="Of the weights, as CC-BY-4.0.")] = "not stated",
) -> None:
    """Write what 'mstl predict' needs of a run, and a model card, into a folder without data, names and paths."""
    from mstl.files import read_json
    from mstl.reporting.export import FACTS, export_run
    from mstl.reporting.model_card import CARD

    folder = export_run(
        run, out, scores=scores, predictions=predictions, name=name, about=about, licence=licence
    )
    facts = read_json(folder / FACTS)
    if missing := _missing(facts):
        console.print(escaped(f"{CARD} has to say: {'; '.join(missing)}."), soft_wrap=True, highlight=False)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    console.print(escaped(f"Exported {run} to {folder}: {size:.1f} MB. Read {folder / CARD}."), soft_wrap=True)


def _missing(facts: dict) -> list[str]:
    """What the card cannot tell, and how to mend it."""
    found = {
        "the training was stopped before its end (mstl train ... --resume goes on)": not facts["budget"]["finished"],
        "no scores of test subjects (--scores)": facts["scores"] is None,
        "nothing was chosen by 'mstl threshold'": facts["decision"] is None,
        "nothing of disease and scanners (--about)": not facts["about"].strip(),
        "no licence (--license)": facts["licence"] == "not stated",
    }
    return [words for words, so in found.items() if so]
