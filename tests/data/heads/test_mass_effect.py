"""Mass effect on synthetic anatomy."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import HEAD_CENTRE, Anatomy, build_anatomy, draw_head, lattice
from mstl.data.heads.mass_effect import MassEffect, displace, draw_mass_effect

GRID = Grid((60, 72, 60), np.diag([3.0, 3.0, 3.0, 1.0]))
GRID.affine[:3, 3] = HEAD_CENTRE - 1.5 * (np.array(GRID.shape) - 1)
POSITIONS = lattice(GRID, np.zeros(3))
EFFECT = MassEffect(np.array([20.0, 10.0, 22.0]) - GRID.affine[:3, 3], radius=18, shift=9, reach=40)


@pytest.fixture(scope="module")
def before() -> Anatomy:
    head = draw_head(np.random.default_rng(0), (180.0, 216.0, 180.0))
    return build_anatomy(GRID, head, start=np.zeros(3))


@pytest.fixture(scope="module")
def after(before) -> Anatomy:
    return displace(before, EFFECT, POSITIONS)


def _away() -> np.ndarray:
    index = np.moveaxis(np.indices(GRID.shape), 0, -1)
    return np.linalg.norm(index * 3.0 - EFFECT.centre, axis=-1)


def test_the_ventricle_gives_way_and_is_narrowed(before, after):
    border = np.abs(_away() - EFFECT.radius) < 2
    assert after.ventricle[border].min() > before.ventricle[border].min() + 3
    right = np.arange(GRID.shape[0])[:, None, None] * 3 + GRID.affine[0, 3] > 0
    assert 50 < np.sum(right & (after.ventricle < 0)) < 0.9 * np.sum(right & (before.ventricle < 0))


def test_fractions_stay_fractions_and_sum_to_one(after):
    fractions = np.stack([after.white, after.grey, after.deep_grey, after.csf])
    np.testing.assert_allclose(fractions.sum(0), 1, atol=1e-5)
    assert fractions.min() > -1e-5


def test_nothing_moves_beyond_the_reach_nor_does_the_surface(before, after):
    still = (_away() > EFFECT.radius + EFFECT.reach) | (before.depth < 0)
    for name in ("white", "grey", "deep_grey", "csf", "ventricle"):
        np.testing.assert_allclose(getattr(after, name)[still], getattr(before, name)[still], atol=1e-3)
    np.testing.assert_array_equal(after.brain, before.brain)


def test_sulci_beside_the_tumour_are_effaced(before, after):
    beside = (_away() < EFFECT.radius + 8) & (before.ventricle > 8) & (after.ventricle > 8) & (before.depth > 4)
    assert after.csf[beside].mean() < 0.8 * before.csf[beside].mean()


@settings(max_examples=15, deadline=None)
@given(core=st.floats(1, 100), more=st.floats(1.1, 5), surface=st.floats(-20, 20), seed=st.integers(0, 99))
def test_tissue_is_pushed_but_never_folded(core, more, surface, seed):
    side = np.linspace(-60, 60, 41, dtype=np.float32)
    positions = (side + 60,) * 3
    ramps = np.meshgrid(side, side, side, indexing="ij")
    effect = draw_mass_effect(np.full(3, 60.0), core, core * more, np.random.default_rng(seed), randomise=1.0)
    blank = np.zeros_like(ramps[0])
    anatomy = Anatomy(*ramps, blank, blank > 1, ramps[0] + np.float32(surface), blank)
    moved = displace(anatomy, effect, positions)  # each map holds where its tissue came from
    slopes = [np.gradient(part, 3.0) for part in (moved.white, moved.grey, moved.deep_grey)]
    assert np.linalg.det(np.moveaxis(np.array(slopes), (0, 1), (-2, -1))).min() > 0
    assert effect.shift < effect.radius
