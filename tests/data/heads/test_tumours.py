"""Synthetic gliomas."""
import numpy as np
import pytest
from scipy import ndimage

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import HEAD_CENTRE, Anatomy, build_anatomy, draw_head, lattice
from mstl.data.heads.tumours import WHOLE_ML, Tumour, draw_plan, draw_site, draw_whole, grow_tumour

SIDE_MM = 3.0
SHAPE = (60, 72, 60)


@pytest.fixture(scope="module")
def scene() -> tuple[Anatomy, Grid]:
    affine = np.diag([SIDE_MM, SIDE_MM, SIDE_MM, 1.0])
    affine[:3, 3] = HEAD_CENTRE - SIDE_MM / 2 * (np.array(SHAPE) - 1)
    grid = Grid(SHAPE, affine)
    head = draw_head(np.random.default_rng(3), (180, 216, 180))
    return build_anatomy(grid, head, start=np.zeros(3)), grid


def _grow(scene, ml: float = 80, seed: int = 0) -> tuple[Anatomy, Tumour]:
    anatomy, grid = scene
    return grow_tumour(
        anatomy, grid, whole_ml=ml, rng=np.random.default_rng(seed), measure=lambda part: grid.volume_ml(part >= 0.5)
    )


@pytest.mark.parametrize("ml", [15, 80, 170])
def test_the_whole_tumour_has_the_volume_asked_for(scene, ml):
    _, tumour = _grow(scene, ml)
    assert scene[1].volume_ml(tumour.fraction >= 0.5) == pytest.approx(ml, rel=0.03)


@pytest.mark.parametrize("seed", range(4))
def test_the_rim_encloses_the_necrosis(scene, seed):
    _, tumour = _grow(scene, 150, seed)
    necrosis = (tumour.necrosis > tumour.enhancing) & (tumour.necrosis > 0.3)
    around = ndimage.binary_dilation(necrosis) & ~necrosis
    assert (tumour.enhancing[around] > 0.1).mean() > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_oedema_keeps_to_white_matter_and_out_of_ventricles(scene, seed):
    anatomy, tumour = _grow(scene, 100, seed)
    swollen = tumour.oedema > 0.5
    assert anatomy.white[swollen].mean() > 0.75
    assert anatomy.grey[swollen].max() < 0.6
    assert not np.any(swollen & (anatomy.ventricle < -1))
    assert not np.any((tumour.fraction > 0) & ~anatomy.brain & (anatomy.depth < 0))


def test_the_core_is_one_piece_in_one_hemisphere(scene):
    _, tumour = _grow(scene, 120, seed=2)
    core = tumour.necrosis + tumour.enhancing > 0.5
    assert ndimage.label(core)[1] == 1
    x = scene[1].affine[0, 3] + SIDE_MM * np.argwhere(core)[:, 0]
    assert np.all(np.sign(x) == np.sign(x[0]))


def test_parts_are_fractions_that_sum_to_one_at_most(scene):
    _, tumour = _grow(scene)
    for part in (tumour.necrosis, tumour.enhancing, tumour.oedema):
        assert part.dtype == np.float32
        assert part.min() >= 0
    assert tumour.fraction.max() <= 1 + 1e-6


def test_tumours_arise_in_the_white_matter_of_both_hemispheres(scene):
    anatomy, grid = scene
    rng = np.random.default_rng(0)
    sites = np.array([draw_site(anatomy, grid, rng) for _ in range(60)])
    assert anatomy.white[tuple(sites.T)].min() > 0.7
    world = sites * SIDE_MM + grid.affine[:3, 3]
    assert 10 < (world[:, 0] > 0).sum() < 50
    assert np.abs(world[:, 0]).min() > 14
    assert np.ptp(lattice(grid, np.zeros(3))[1]) > np.ptp(world[:, 1]) > 70


def test_whole_volumes_are_log_normal_within_their_limits():
    rng = np.random.default_rng(0)
    drawn = np.array([draw_whole(rng) for _ in range(400)])
    assert WHOLE_ML[0] <= drawn.min() < 30
    assert 150 < drawn.max() <= WHOLE_ML[1]
    assert 60 < np.median(drawn) < 80


def test_some_tumours_have_little_oedema_and_some_little_necrosis():
    rng = np.random.default_rng(0)
    plans = [draw_plan(rng, 70.0) for _ in range(300)]
    assert 0.05 < np.mean([plan.core_ml > 0.69 * plan.whole_ml for plan in plans]) < 0.25
    assert 0.05 < np.mean([plan.necrotic < 0.1 for plan in plans]) < 0.25
    enhancing = [plan.core_ml * (1 - plan.necrotic) for plan in plans]
    assert 10 < np.median(enhancing) < 25  # 18 in life, see `draw_plan`
