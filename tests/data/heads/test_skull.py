"""Tissues around the brain."""
import numpy as np
import pytest
from scipy import ndimage

from mstl.data.grid import Grid
from mstl.data.heads.anatomy import build_anatomy, draw_head
from mstl.data.heads.skull import Tissue, build_skull, cranial_cavity

GRID = Grid((64, 80, 76), np.array([[3.0, 0, 0, -96], [0, 3, 0, -134], [0, 0, 3, -120], [0, 0, 0, 1]]))
EXTENT = (192.0, 240.0, 228.0)


def _tissues(seed: int, randomise: float = 0.0) -> np.ndarray:
    head = draw_head(np.random.default_rng(seed), EXTENT, randomise=randomise)
    return build_skull(GRID, head, np.random.default_rng(seed), start=np.zeros(3), randomise=randomise)


@pytest.fixture(scope="module")
def tissues() -> np.ndarray:
    return _tissues(1)


def test_every_tissue_occurs_and_air_lies_outside(tissues):
    assert set(np.unique(tissues)) >= {int(tissue) for tissue in Tissue} - {Tissue.LENS}
    assert np.all(tissues[0] == Tissue.AIR)
    assert np.all(tissues[..., -1] == Tissue.AIR)


@pytest.mark.parametrize("randomise", [0.0, 1.0])
def test_the_whole_brain_lies_within_the_cranial_cavity(randomise):
    tissues = _tissues(2, randomise)
    head = draw_head(np.random.default_rng(2), EXTENT, randomise=randomise)
    brain = build_anatomy(GRID, head, start=np.zeros(3)).brain
    assert np.isin(tissues[brain], [Tissue.CSF, Tissue.NERVE, Tissue.VESSEL]).mean() > 0.999


def test_bone_then_fat_then_skin_follow_from_the_cavity_outwards(tissues):
    upper = tissues[..., 50:]
    away = ndimage.distance_transform_edt(upper != Tissue.CSF) * 3
    order = [away[upper == tissue].mean() for tissue in (Tissue.DURA, Tissue.BONE, Tissue.FAT, Tissue.SKIN, Tissue.AIR)]
    assert order == sorted(order)
    assert 5 < order[3] < 25


def test_heads_differ_in_the_thickness_of_their_walls():
    walls = [np.isin(_tissues(seed), [Tissue.BONE, Tissue.MARROW]).sum() for seed in (3, 4)]
    assert abs(walls[0] - walls[1]) > 100


def test_the_cavity_spans_the_fissure_between_the_hemispheres():
    cavity = cranial_cavity()
    above = cavity[52, 60]  # x = 0, y = -24: from the neck to the vertex
    inside = np.flatnonzero(above > 0)
    assert np.array_equal(inside, np.arange(inside[0], inside[-1] + 1))
