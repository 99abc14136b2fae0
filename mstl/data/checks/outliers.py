"""Rules on scans that are unlike the others of their modality: spacing and field of view."""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import nibabel as nib
import numpy as np

from mstl.data.case import MODALITIES
from mstl.data.checks.finding import Finding
from mstl.data.checks.measures import CaseMeasures, ScanMeasures

LEAST_CASES = 4  # of a modality: fewer have no custom
FAR = {"odd-spacing": 1.4, "odd-extent": 1.3}  # times the median, or the median divided by it
AGREE = 0.75  # share of scans that must not be far from the median, else the cohort is mixed


def odd_spacing(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Scans whose voxels are much larger or smaller than the cohort's."""
    yield from _odd(cases, _spacing, "odd-spacing", "voxels", "Is its spacing right?")


def odd_view(cases: Sequence[CaseMeasures]) -> Iterator[Finding]:
    """Scans whose head or brain is much longer or shorter than the cohort's."""
    yield from _odd(cases, lambda scan: np.array(scan.extent_mm), "odd-extent", "a foreground",
                    "Is its spacing right, and the field of view complete?")  # fmt: skip


def _spacing(scan: ScanMeasures) -> np.ndarray:
    """mm along the axes nearest to R, A, S."""
    spacing = np.ones(3)
    spacing[nib.io_orientation(scan.grid.affine)[:, 0].astype(int)] = scan.grid.spacing
    return spacing


def _odd(
    cases: Sequence[CaseMeasures], size: Callable[[ScanMeasures], np.ndarray], rule: str, what: str, question: str
) -> Iterator[Finding]:
    for role in MODALITIES:
        found = [case for case in cases if role in case.scans]
        if len(found) < LEAST_CASES:
            continue
        sizes = np.array([np.maximum(size(case.scans[role]), 1e-6) for case in found])
        usual = np.median(sizes, axis=0)
        far = np.abs(np.log(sizes / usual)).max(axis=1) > np.log(FAR[rule])
        if np.mean(~far) < AGREE:
            continue
        for case, one in zip(np.array(found, dtype=object)[far], sizes[far], strict=True):
            yield Finding(
                case.name, role, "warning", rule,
                f"{role} has {what} of {_mm(one)} mm (right, front, top); the cohort's have {_mm(usual)}. {question}",
                details={"mm": one.round(3).tolist(), "usual_mm": usual.round(3).tolist()},
            )  # fmt: skip


def _mm(sizes: np.ndarray) -> str:
    return " x ".join(f"{step:.3g}" for step in sizes)
