"""`mstl convert`: scans from one format to another, one file or a folder of them."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mstl.cli.terminal import console, errors, escaped, progress
from mstl.errors import InputError


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A scan, one volume (x.nii.gz#0), or a folder.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write; a folder for a folder.", show_default=False)
    ],
    to: Annotated[
        str, typer.Option(help="Suffix of the files of a folder: .nii.gz, .nii, .nrrd, .mha, .mgz, .png.")
    ] = "",
    jobs: Annotated[int, typer.Option(help="Files at a time.")] = 1,
) -> None:
    """Convert NRRD, MetaImage, Analyze, MGH or NIfTI scans and pictures; voxels keep their values and places."""
    from mstl.data import convert as conversion

    if not source.is_dir():
        if to and not out.name.endswith(to):
            raise InputError(f"{out} does not end in {to}. Leave --to out: for one file its name says the format.")
        conversion.convert(source, out)
        console.print(f"Wrote {out}.", soft_wrap=True)
        return
    scans = conversion.find_scans(source, without=out)
    with progress("Converting", len(scans)) as step:
        done = conversion.convert_tree(source, out, suffix=to or ".nii.gz", jobs=jobs, progress=step)
    for reason in done.failed.values():
        errors.print(escaped(reason), soft_wrap=True, highlight=False)
    kept = f", kept {len(done.kept)} that were there" if done.kept else ""
    console.print(f"Wrote {len(done.written)} files to {out}{kept}.", soft_wrap=True)
    if done.failed:
        raise InputError(f"Scans of {source} that were not converted: {len(done.failed)}, listed above. Mend them.")
