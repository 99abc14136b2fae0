"""`mstl weights`: list, fetch and verify published weights."""
from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from mstl.cli.terminal import console, download_progress, escaped
from mstl.errors import InputError

app = typer.Typer(help="Published weights: list them, fetch one, verify those that are here.", no_args_is_help=True)


@app.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="Every key of the manifest, for programs.")] = False,
) -> None:
    """List the weights that mstl knows by name, and where their files are."""
    from rich.table import Table

    from mstl.transfer.registry import locate, registry

    found = {weights: locate(weights) for weights in registry().values()}
    if as_json:
        rows = [dataclasses.asdict(weights) | _place(place) for weights, place in found.items()]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("name", "architecture", "licence", "checksum", "file")
    table.columns[0].no_wrap = True
    for weights, place in found.items():
        checksum = weights.digest.partition(":")[0] or "first use"
        texts = (weights.name, weights.architecture, weights.licence, checksum, _where(place))
        table.add_row(*map(escaped, texts))
    console.print(table)
    console.print("'first use': its publisher states no checksum; the one at the first use is recorded and kept to.")


@app.command()
def fetch(name: Annotated[str, typer.Argument(help="See 'mstl weights list'.", show_default=False)]) -> None:
    """Get the file of NAME, if it is not here, check it, and print its path."""
    from mstl.transfer.registry import fetch as fetch_weights

    with download_progress(name) as step:
        path = fetch_weights(name, progress=step)
    typer.echo(path)


@app.command()
def verify(
    folder: Annotated[
        Path | None, typer.Argument(help="Of 'mstl export'; default: the published weights.", show_default=False)
    ] = None,
) -> None:
    """Compare every file that is here with its checksum; exit code 1 where one is damaged."""
    if folder is not None:
        _verify_export(folder)
        return
    from rich.table import Table

    from mstl.transfer.registry import verify as verify_weights

    rows = verify_weights()
    table = Table("name", "state", "file")
    for row in rows:
        table.add_row(escaped(row.weights.name), row.state, escaped(str(row.path or "")))
    console.print(table)
    damaged = [str(row.path) for row in rows if row.state == "damaged"]
    if damaged:
        raise InputError(f"Damaged: {', '.join(damaged)}. Remove and run 'mstl weights fetch NAME'.")


def _verify_export(folder: Path) -> None:
    from mstl.transfer.checksums import check_whole, checksum_states

    count = len(checksum_states(folder))
    check_whole(folder)
    console.print(escaped(f"All {count} files of {folder} are as they were exported."), soft_wrap=True)


def _place(place: tuple[str, Path] | None) -> dict:
    if place is None:
        return {"where": None, "path": None, "bytes": None}
    where, path = place
    return {"where": where, "path": str(path), "bytes": path.stat().st_size}


def _where(place: tuple[str, Path] | None) -> str:
    if place is None:
        return "to fetch"
    where, path = place
    return f"{where}, {path.stat().st_size / 1e6:.1f} MB"
