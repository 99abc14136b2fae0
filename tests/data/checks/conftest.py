"""Measures of cases that were never scanned, for rules that look at numbers alone."""
from pathlib import Path

import numpy as np
import pytest

from mstl.data.checks.measures import CaseMeasures, MaskMeasures, ScanMeasures
from mstl.data.grid import Grid

GRID = Grid((100, 120, 100), np.diag([1.5, 1.5, 1.5, 1.0]))


@pytest.fixture(scope="session")
def scan():
    """Function that makes the measures of a sound scan; arguments replace what it is told."""

    def make(**changes) -> ScanMeasures:
        usual = {
            "path": Path("scan.nii.gz"), "grid": GRID, "sha256": str(id(changes)), "extracted": True,
            "foreground_ml": 1500.0, "extent_mm": (140.0, 175.0, 135.0), "centre_mm": (0.0, -18.0, 8.0), "cut": "",
            "negative": 0.0, "low": 0.0, "high": 900.0, "levels": 700, "clipped": 1e-5, "coarse": None,
        }  # fmt: skip
        return ScanMeasures(**{**usual, **changes})

    return make


@pytest.fixture(scope="session")
def mask():
    """Function that makes the measures of a sound mask."""

    def make(**changes) -> MaskMeasures:
        usual = {
            "path": Path("mask.nii.gz"), "grid": GRID, "kind": "binary", "values": (0.0, 1.0), "voxels": 2000,
            "ml": 6.75, "lesions": 10, "specks": 0, "outside": 0.0, "twins": ("flair", "t1"),
        }  # fmt: skip
        return MaskMeasures(**{**usual, **changes})

    return make


@pytest.fixture(scope="session")
def case(scan, mask):
    """Function that makes a case of flair and t1 with a mask; `scans` and `mask` replace them."""

    def make(name: str = "a", *, subject: str = "", **changes) -> CaseMeasures:
        usual = {"scans": {"flair": scan(), "t1": scan()}, "mask": mask()}
        return CaseMeasures(name, subject or name, "", **{**usual, **changes})

    return make
