"""Synthetic MS lesions."""
import numpy as np
import pytest
from scipy import ndimage

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import HEAD_CENTRE, Anatomy, build_anatomy, draw_head, lattice
from mstl.data.heads.lesions import draw_load, grow_lesions

SPACING = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def scene() -> tuple[Anatomy, tuple]:
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = HEAD_CENTRE - np.array([89, 107, 89])
    grid = Grid((90, 108, 90), affine)
    head = draw_head(np.random.default_rng(3), (180, 216, 180))
    return build_anatomy(grid, head, start=np.zeros(3)), lattice(grid, np.zeros(3))


def _grow(scene, ml: float, seed: int = 0, **options):
    return grow_lesions(
        scene[0], SPACING, lesion_ml=ml, positions=scene[1], rng=np.random.default_rng(seed), **options
    )


@pytest.mark.parametrize("ml", [0.5, 5, 40])
def test_the_load_is_reached(scene, ml):
    found = (_grow(scene, ml).level > 0).sum() * 0.008
    assert found == pytest.approx(ml, rel=0.15)


def test_lesions_lie_in_tissue_and_not_in_fluid(scene):
    inside = _grow(scene, 20).fraction(scene[0]) >= 0.5
    assert scene[0].csf[inside].max() < 0.5
    assert scene[0].white[inside].mean() > 0.6


def test_most_lesions_lie_around_the_ventricles_or_under_the_cortex(scene):
    inside = _grow(scene, 15).level > 0
    near = (scene[0].ventricle < 10) | (scene[0].depth < 20)
    assert near[inside].mean() > 0.6
    close = scene[0].ventricle < 10
    assert close[inside].mean() > 2 * close[scene[0].white > 0.5].mean()


def test_large_loads_have_many_lesions_and_a_confluent_one(scene):
    labels, count = ndimage.label(_grow(scene, 40).level > 0)
    assert count > 20
    assert np.bincount(labels.ravel())[1:].max() * 0.008 > 3


def test_borders_are_soft_and_move_by_a_shift(scene):
    lesions = _grow(scene, 10)
    soft = lesions.fraction(scene[0])
    assert np.count_nonzero((soft > 0.05) & (soft < 0.95)) > 100
    assert lesions.fraction(scene[0], shift=0.5).sum() > soft.sum()


def test_strength_varies_between_and_within_lesions(scene):
    lesions = _grow(scene, 10)
    inside = lesions.level > 0
    assert lesions.strength[inside].std() > 0.08
    assert lesions.strength[inside].min() >= 0


def test_loads_are_log_normal_within_their_limits():
    rng = np.random.default_rng(0)
    loads = np.array([draw_load(rng) for _ in range(500)])
    assert loads.min() >= 0.1
    assert loads.max() <= 60
    assert 5 < np.median(loads) < 9
