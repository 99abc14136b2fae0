"""Rules on a scan's values: cut at the top, of 8 bits, already normalised; and on its skull."""
from __future__ import annotations

from collections.abc import Iterator

from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures

CLIPPED = 0.005  # share of the foreground at its highest value
FEW_LEVELS = 256
NEGATIVE = 0.05  # share of the foreground: more is no leftover of interpolation
LEAST_ML, LARGEST_ML = 500.0, 6000.0  # of a head or brain


def clipped_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Scans whose brightest voxels were cut at one value."""
    for role, scan in case.scans.items():
        if scan.clipped > CLIPPED:
            yield Finding(
                case.name, role, "warning", "clipped",
                f"{scan.clipped:.1%} of {role} lies at its highest value {scan.high:g}: bright tissue was cut off. "
                "Export it again without windowing.",
                details={"share": round(scan.clipped, 4)},
            )  # fmt: skip


def few_levels(case: CaseMeasures) -> Iterator[Finding]:
    """Scans of 8 bits or fewer."""
    for role, scan in case.scans.items():
        if scan.levels <= FEW_LEVELS:
            yield Finding(
                case.name, role, "note", "few-levels",
                f"{role} holds {scan.levels} different values, as after an export of 8 bits. Take the original where "
                "there is one.",
                details={"levels": scan.levels},
            )  # fmt: skip


def normalised_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Scans with many negative values."""
    for role, scan in case.scans.items():
        if scan.negative > NEGATIVE:
            yield Finding(
                case.name, role, "note", "negative",
                f"{scan.negative:.0%} of {role} is below 0 ({scan.low:.3g} to {scan.high:.3g}): it was normalised "
                "before. Give a brain_mask where 'mstl prepare' asks for one.",
            )  # fmt: skip


def skulls(case: CaseMeasures) -> Iterator[Finding]:
    """Cases that still have their skull and no brain mask."""
    with_skull = [role for role, scan in case.scans.items() if not scan.extracted]
    if with_skull and case.brain_mask is None:
        yield Finding(
            case.name, "", "note", "skull",
            f"{', '.join(with_skull)}: not brain-extracted. Run 'mstl prepare --steps brain'.",
        )  # fmt: skip


def cut_scans(case: CaseMeasures) -> Iterator[Finding]:
    """Fields of view that end in the brain."""
    for role, scan in case.scans.items():
        faces = scan.cut if scan.extracted else scan.cut.replace("I", "")  # a head ends in the neck
        if faces:
            names = {"L": "left", "R": "right", "P": "back", "A": "front", "I": "bottom", "S": "top"}
            yield Finding(
                case.name, role, "warning", "cut-off",
                f"{role} ends within the brain ({', '.join(names[face] for face in faces)}): what lies beyond is not "
                "there. Take the whole scan, or leave the case out.",
                details={"faces": faces},
            )  # fmt: skip


def volumes(case: CaseMeasures) -> Iterator[Finding]:
    """Scans whose head or brain has a size that no grown-up has: spacing that was lost, or other units."""
    for role, scan in case.scans.items():
        if not LEAST_ML < scan.foreground_ml < LARGEST_ML:
            yield Finding(
                case.name, role, "warning", "size",
                f"{role} shows {scan.foreground_ml:.3g} ml of tissue; a brain has 900 to 2000. Is its spacing "
                f"({' x '.join(f'{step:.3g}' for step in scan.grid.spacing)} mm) right?",
                details={"ml": round(scan.foreground_ml, 3)},
            )  # fmt: skip
