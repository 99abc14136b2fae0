"""The doctor's page: one HTML file with what was found, worst first, and a picture of each case."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mstl.data.checks.finding import LEVELS, Finding, by_case, count_levels
from mstl.data.checks.labels import labels_told
from mstl.data.checks.pose import Pose
from mstl.data.cohort import Case
from mstl.data.formats.pictures import is_picture
from mstl.data.grid import Grid, oriented, resample
from mstl.data.volume import Volume, read_volume
from mstl.errors import InputError
from mstl.files import write_text
from mstl.reporting.class_figures import class_sheet
from mstl.reporting.figures import overlay_sheet, to_png_uri
from mstl.reporting.pictures import picture_sheet
from mstl.reporting.slices import slice_heights
from mstl.reporting.template import render

SLICES = 3
PIXELS_PER_INCH = 110
NAMES = ("mask", "mask as it would fit")


@dataclass(frozen=True, eq=False)
class _Shown:
    """A scan with its mask and, where the doctor suspects another, that one; axes (D, H, W) as the page shows.

    With `labels` the mask holds their values, else it is bool.
    """

    modality: str
    image: np.ndarray
    mask: np.ndarray | None
    suspected: np.ndarray | None
    grid: Grid
    labels: tuple[int, ...] = ()
    is_picture: bool = False


def write_check_page(
    cohort: Iterable[Case], findings: Sequence[Finding], *, out: str | Path, title: str = "cohort", sheets: int = 20
) -> Path:
    """Write what `check_cohort` found in `cohort` as one self-contained HTML file `out`; returns its path.

    The worst cases come first; at most `sheets` of them are drawn, with the outline of the mask and, where it would
    fit better mirrored, turned or shifted, of that too; labels are filled, each in its colour. `title` says which
    cohort it is.
    """
    cases = {case.name: case for case in cohort}
    found = by_case(findings)
    names = [*found, *(name for name in cases if name not in found)]
    labels = labels_told(findings)
    rows = [
        _row(cases[name], found.get(name, []), labels if number < sheets else None) for number, name in enumerate(names)
    ]
    context = {
        "title": title,
        "cases": len(cases),
        "subjects": len({case.subject for case in cases.values()}),
        "counts": count_levels(findings),
        "fixable": sum(finding.fixable for finding in findings),
        "rules": _rules(findings),
        "rows": [row for row in rows if row["findings"] or row["picture"]],
        "silent": [row["name"] for row in rows if not row["findings"] and not row["picture"]],
        "drawn": min(sheets, len(cases)),
    }
    write_text(out, render("check.html.j2", context))
    return Path(out)


def _rules(findings: Sequence[Finding]) -> list[dict]:
    """A row a rule and level: in how many cases it was found, the worst level first."""
    cases = Counter((level, rule) for _, level, rule in {(f.case, f.level, f.rule) for f in findings})
    fixable = {finding.rule for finding in findings if finding.fixable}
    ordered = sorted(cases, key=lambda key: (LEVELS.index(key[0]), -cases[key], key[1]))
    return [
        {"level": level, "rule": rule, "cases": cases[level, rule], "fixable": rule in fixable}
        for level, rule in ordered
    ]


def _row(case: Case, findings: Sequence[Finding], labels: tuple[int, ...] | None) -> dict:
    """What the page says of a case; it is drawn where the cohort's labels, () of one class, are given."""
    shown = None if labels is None else _read(case, findings, labels)
    return {
        "name": case.name,
        "level": findings[0].level if findings else "",
        "findings": findings,
        "drawn": labels is not None,
        "picture": None if shown is None else _picture(case, shown),
        "alt": None if shown is None else _describe(case, shown),
    }


def _describe(case: Case, shown: _Shown) -> str:
    what = f"The {shown.modality} image" if shown.is_picture else f"Axial {shown.modality} slices"
    return f"{what} of {case.name} with its mask's {'labels' if shown.labels else 'outline'}"


def _picture(case: Case, shown: _Shown) -> str:
    if shown.is_picture:
        title = f"{case.name}   {shown.modality}"
        figure = picture_sheet(shown.image, shown.mask, None, title=title, labels=shown.labels)
        return to_png_uri(figure, dpi=PIXELS_PER_INCH)
    draw = partial(class_sheet, labels=shown.labels) if shown.labels else partial(overlay_sheet, names=NAMES)
    return to_png_uri(draw(
        shown.image, shown.mask, shown.suspected, spacing=shown.grid.spacing, title=f"{case.name}   {shown.modality}",
        slices=SLICES, positions=slice_heights(shown.grid),
    ), dpi=PIXELS_PER_INCH)  # fmt: skip


def _read(case: Case, findings: Sequence[Finding], labels: tuple[int, ...]) -> _Shown | None:
    """The first scan that can be read, on the mask's grid where there is one; None where no scan can be."""
    mask = None if case.mask is None else _volume(case.mask, allow_constant=True)
    scans = [(name, scan) for name, path in case.images.items() if (scan := _volume(path)) is not None]
    if not scans:
        return None
    twins = [one for one in scans if mask is not None and mask.grid.difference(one[1].grid) is None]
    modality, scan = (twins or scans)[0]
    grid = oriented(scan.grid, axes="SPL")
    suspected = None if mask is None else _suspected(mask, scan, findings, grid)
    labels = labels if suspected is None and labels_told(findings) else ()
    return _Shown(
        modality=modality,
        image=resample(np.asarray(scan.data, dtype=np.float32), scan.grid, grid),
        mask=None if mask is None else _turned(mask, grid, labels),
        suspected=suspected,
        grid=grid,
        labels=labels,
        is_picture=is_picture(scan.path),
    )


def _volume(path: Path, *, allow_constant: bool = False) -> Volume | None:
    try:
        return read_volume(path, allow_constant=allow_constant)
    except InputError:
        return None


def _suspected(mask: Volume, scan: Volume, findings: Sequence[Finding], grid: Grid) -> np.ndarray | None:
    """The mask as a finding says that it would fit; None where none says so."""
    for finding in findings:
        details = finding.details
        if "flips" in details:
            pose = Pose(*(tuple(details[part]) for part in ("order", "flips", "shift")))
            return _turned(Volume(pose.move((mask.data >= 0.5).astype(np.uint8)), mask.affine), grid)
        if details.get("affine_is_lost"):
            return _turned(Volume(mask.data, scan.affine), grid)
    return None


def _turned(mask: Volume, grid: Grid, labels: Sequence[int] = ()) -> np.ndarray:
    if labels:
        return resample(mask.data.astype(np.uint8), mask.grid, grid, nearest=True)
    return resample((mask.data >= 0.5).astype(np.uint8), mask.grid, grid, nearest=True) > 0
