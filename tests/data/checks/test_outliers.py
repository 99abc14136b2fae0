"""Outliers: one scan unlike the many is told, a mixed or small cohort is left alone."""
import numpy as np
import pytest

from mstl.data.checks.outliers import odd_spacing, odd_view
from mstl.data.grid import Grid


def grid(*spacing: float) -> Grid:
    return Grid((100, 120, 100), np.diag([*spacing, 1.0]))


@pytest.fixture
def cohort(case, scan):
    def make(*grids: Grid, extents=None):
        extents = extents or [(140.0, 175.0, 135.0)] * len(grids)
        pairs = zip(grids, extents, strict=True)
        return [
            case(f"c{n}", scans={"t1": scan(grid=one, extent_mm=extent)}) for n, (one, extent) in enumerate(pairs)
        ]

    return make


def test_the_one_of_other_spacing_is_found(cohort):
    (found,) = odd_spacing(cohort(*[grid(1, 1, 1)] * 4, grid(1, 1, 3)))
    assert (found.case, found.level) == ("c4", "warning")
    assert "1 x 1 x 3 mm" in found.message


def test_axes_in_another_order_are_no_other_spacing(cohort):
    turned = Grid((100, 120, 100), np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [3, 0, 0, 0], [0, 0, 0, 1]]))
    assert list(odd_spacing(cohort(*[grid(1, 1, 3)] * 4, turned))) == []


def test_mixed_and_small_cohorts_have_no_custom(cohort):
    assert list(odd_spacing(cohort(*[grid(1, 1, 1)] * 3, *[grid(1, 1, 3)] * 3))) == []
    assert list(odd_spacing(cohort(grid(1, 1, 1), grid(1, 1, 1), grid(1, 1, 3)))) == []


def test_a_brain_unlike_the_others_in_length_is_found(cohort):
    usual = (140.0, 175.0, 135.0)
    (found,) = odd_view(cohort(*[grid(1, 1, 1)] * 5, extents=[*[usual] * 4, (140.0, 175.0, 60.0)]))
    assert found.case == "c4"
