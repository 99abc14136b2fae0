"""`mstl domain-shift`: how far two sets of prepared scans are apart."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mstl.cli.terminal import console, escaped, numbers, progress, split
from mstl.errors import InputError

PREPARED = "Prepared folder, or some of its channels: PREPARED:flair."


def domain_shift(
    a: Annotated[str, typer.Argument(metavar="A", help=PREPARED, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other one, with as many channels.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder of the numbers, figures and page.")] = Path("domain-shift"),
    features: Annotated[str, typer.Option(help="intensities, or RUN:LAYER of a trained model.")] = "intensities",
    patch: Annotated[str, typer.Option(help="Voxels of a patch: one number, or D,H,W; 1,8,8 is 2D.")] = "8",
    samples: Annotated[int | None, typer.Option(help="Of each subject; default: by the features.")] = None,
    subjects_a: Annotated[str, typer.Option(help="Comma-separated; default: all.")] = "",
    subjects_b: Annotated[str, typer.Option(help="The same of B.")] = "",
    kernel: Annotated[str, typer.Option(help="rbf or linear")] = "rbf",
    gamma: Annotated[str, typer.Option(help="A number or 'median'; default: 1 / number of features.")] = "",
    permutations: Annotated[int, typer.Option(help="Of whole subjects, for p; fewer where there are no more.")] = 1000,
    unpaired: Annotated[bool, typer.Option("--unpaired", help="A name in both A and B is of two persons.")] = False,
    seed: Annotated[int, typer.Option(help="Draws the samples and the permutations.")] = 0,
) -> None:
    """Measure how far two sets of scans are apart: a hint for transfer, never instead of a training."""
    from mstl.evaluation.domain import Domain
    from mstl.evaluation.domain_features import Features
    from mstl.evaluation.domain_shift import compare_domains
    from mstl.reporting.domain_page import PICTURES, write_domain_shift
    from mstl.reporting.domain_words import in_words

    wanted = Features(features, patch=_sides(patch), samples=samples, seed=seed)
    domains = Domain.of(a, subjects=split(subjects_a)), Domain.of(b, subjects=split(subjects_b))
    total = sum(len(domain.cases) for domain in domains) + 1 + len(PICTURES)
    with progress("Comparing", total) as step:
        shift = compare_domains(
            *domains, features=wanted, kernel=kernel, gamma=_gamma(gamma), permutations=permutations,
            paired=not unpaired, progress=step,
        )  # fmt: skip
        page = write_domain_shift(shift, out, progress=step)
    words = in_words(shift.to_dict())
    for text in (words["measure"], words["test"], *shift.notes, words["hint"]):
        console.print(escaped(text), soft_wrap=True, highlight=False)
    console.print(f"Wrote {escaped(str(page))}.", soft_wrap=True)


def _sides(text: str) -> tuple[int, ...]:
    sides = numbers(text, int, "--patch")
    if sides is None:
        raise InputError(f"--patch is '{text}'; one number or three with commas are expected.")
    return sides * 3 if len(sides) == 1 else sides


def _gamma(text: str) -> float | str | None:
    if text in ("", "median"):
        return text or None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--gamma is '{text}'; a number above 0 or 'median' is expected.") from None
