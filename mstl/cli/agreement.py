"""`mstl agreement`: how well the raters of a public set agree."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mstl.cli.index import LAYOUT_NAMES, read_patterns
from mstl.cli.inputs import BinariseMasks, Labels
from mstl.cli.terminal import console, escaped, numbers, progress, split

if TYPE_CHECKING:
    from mstl.evaluation.agreement import Agreement


def agreement(
    root: Annotated[Path, typer.Argument(help="Folder of the scans.", show_default=False)],
    layout: Annotated[str, typer.Option(help=f"How they lie in it: {LAYOUT_NAMES}.", show_default=False)],
    raters: Annotated[str, typer.Option(help="Two of them, as 1,2 or consensus,1; default: the first two.")] = "",
    variant: Annotated[str, typer.Option(help="As of 'mstl index'.")] = "",
    pattern: Annotated[list[str], typer.Option(help="As of 'mstl index'; repeat it.")] = [],  # noqa: B006
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("agreement.csv"),
    labels: Labels = "",
    binarise_masks: BinariseMasks = False,
    pictures: Annotated[Path | None, typer.Option(help="New folder: both outlines on each image of 2D sets.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Of 'mstl predict': drawn on these pictures too.")] = None,
) -> None:
    """Score the masks of one rater against those of another: what a network can be expected to reach."""
    from mstl.data.indexing import index_scans
    from mstl.evaluation.agreement import rater_agreement
    from mstl.evaluation.pooled import pooled_path
    from mstl.evaluation.rater_overlays import write_rater_overlays

    index = index_scans(root, layout=layout, variant=variant, patterns=read_patterns(pattern))
    options = {"labels": numbers(labels, int, "--labels") or (), "binarise_masks": binarise_masks}
    with progress("Comparing raters", len(index.cases)) as step:
        found = rater_agreement(index, raters=split(raters), out=out, progress=step, **options)
    _print(found)
    console.print(escaped(f"Wrote {out} and {pooled_path(out)}."), soft_wrap=True)
    if pictures:
        with progress("Drawing", len(found.scores)) as step:
            write_rater_overlays(index, pictures, raters=found.raters, predictions=predictions, progress=step)
        console.print(escaped(f"Wrote pictures of both raters to {pictures}."), soft_wrap=True)


def _print(found: Agreement) -> None:
    """A row a case, and the two means that people quote."""
    from rich.table import Table

    from mstl.evaluation.scores import in_pixels

    first, second = found.raters
    size, digits = ("pixels", ".0f") if found.pictures else ("ml", ".3g")
    table = Table("case", "Dice", "lesion F1", *(escaped(f"{size}, rater {name}") for name in found.raters))
    for row in (in_pixels(found.scores) if found.pictures else found.scores).to_dict("records"):
        sizes = (f"{row[column]:{digits}}" for column in ("reference_ml", "prediction_ml"))
        table.add_row(escaped(row["case"]), f"{row['dice']:.3g}", f"{row['lesion_f1']:.3g}", *sizes)
    console.print(table)
    marked, everything = found.marked, found.pooled.iloc[0]
    told = f"Raters {first} and {second}: mean Dice {marked['dice'].mean():.3f} over {len(marked)} cases in which one "
    told += f"of them marked something; {len(found.scores) - len(marked)} that both left empty."
    console.print(escaped(told), soft_wrap=True, highlight=False)
    each = {name.removeprefix("dice_"): everything[name] for name in everything.index if name.startswith("dice_")}
    labels = [f"{dice:.3f}" + (f" (label {label})" if len(each) > 2 else "") for label, dice in each.items()][1:]
    console.print(
        f"All cases pooled: Dice {', '.join(labels)}; mean with the background {everything['mdice']:.3f}.",
        soft_wrap=True,
        highlight=False,
    )
