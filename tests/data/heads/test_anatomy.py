"""Synthetic anatomy."""
import numpy as np
import pytest

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import HEAD_CENTRE, Anatomy, build_anatomy, draw_head, find_brain, load_template

EXTENT = (180.0, 216.0, 180.0)


def _grid() -> Grid:
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = HEAD_CENTRE - 1.5 * (np.array([60, 72, 60]) - 1)
    return Grid((60, 72, 60), affine)


def _anatomy(seed: int = 0, **options) -> Anatomy:
    head = draw_head(np.random.default_rng(seed), EXTENT, **options)
    return build_anatomy(_grid(), head, start=np.zeros(3))


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return _anatomy()


def test_the_template_knows_ventricles_in_the_middle_of_the_head():
    template = load_template()
    inside = np.argwhere(template.ventricle < -1) * 2 + template.origin
    assert 5 < len(inside) * 8 / 1000 < 60  # ml
    assert abs(inside[:, 0].mean()) < 5
    assert np.abs(inside[:, 0]).max() < 50


def test_tissue_fractions_sum_to_one(anatomy):
    fractions = np.stack([anatomy.white, anatomy.grey, anatomy.deep_grey, anatomy.csf])
    np.testing.assert_allclose(fractions.sum(0), 1, atol=1e-5)
    assert fractions.min() > -1e-5


def test_tissue_volumes_are_those_of_an_adult(anatomy):
    tissues = ("white", "grey", "csf")
    ml = {name: float(getattr(anatomy, name)[anatomy.brain].sum()) * 0.027 for name in tissues}
    assert 400 < ml["white"] < 850
    assert 450 < ml["grey"] < 1000
    assert 60 < ml["csf"] < 500


def test_ventricles_hold_fluid(anatomy):
    assert anatomy.csf[(anatomy.ventricle < -2) & anatomy.brain].mean() > 0.9


def test_every_person_differs(anatomy):
    other = _anatomy(1)
    assert np.abs(other.white - anatomy.white)[anatomy.brain].mean() > 0.1


def test_the_box_holds_the_whole_brain(anatomy):
    low, high = find_brain(_grid(), draw_head(np.random.default_rng(0), EXTENT))
    inside = np.argwhere(anatomy.brain)
    assert np.all(inside.min(0) >= low)
    assert np.all(inside.max(0) < high)
    assert np.prod(high - low) < anatomy.brain.size


def test_a_box_shows_what_the_whole_grid_shows(anatomy):
    head = draw_head(np.random.default_rng(0), EXTENT)
    part = build_anatomy(_grid().moved((20, 30, 25), (10, 10, 10)), head, start=np.array([20, 30, 25]))
    np.testing.assert_allclose(part.white, anatomy.white[20:30, 30:40, 25:35], atol=1e-3)
