"""Contrast of the head's tissues."""
import numpy as np
import pytest

from mstl.data.heads.signal import blend_brain, draw_head_contrast, overlap, paint_head
from mstl.data.heads.skull import Tissue


@pytest.mark.parametrize("modality", ["flair", "t1", "t1ce", "t2"])
def test_bone_and_air_are_dark_and_fat_is_brighter_than_muscle_without_saturation(modality):
    drawn = np.median(
        [draw_head_contrast(modality, 0.3, np.random.default_rng(seed)) for seed in range(40)], axis=0
    )
    assert drawn[Tissue.AIR] < drawn[Tissue.BONE] < 0.3
    assert drawn[Tissue.FAT] > drawn[Tissue.MUSCLE]
    assert drawn[Tissue.CSF] == pytest.approx(0.3)


def test_fluid_of_the_eyes_follows_the_weighting_and_the_dura_enhances():
    drawn = {
        name: draw_head_contrast(name, 0.3, np.random.default_rng(1)) for name in ("flair", "t1", "t1ce", "t2")
    }
    assert drawn["t2"][Tissue.VITREOUS] > 2 > 0.5 > drawn["flair"][Tissue.VITREOUS]
    assert drawn["t1ce"][Tissue.DURA] > drawn["t1"][Tissue.DURA]


def test_fat_is_saturated_in_some_scans():
    fat = np.array([draw_head_contrast("t1", 0.3, np.random.default_rng(s))[Tissue.FAT] for s in range(100)])
    assert 3 < (fat < 1.2).sum() < 40


def test_painting_gives_each_tissue_its_signal_with_soft_borders():
    labels = np.full((12, 12, 12), Tissue.BONE, np.uint8)
    labels[6:] = Tissue.VITREOUS
    contrast = draw_head_contrast("t2", 0.3, np.random.default_rng(0))
    signal = paint_head(labels, contrast, (np.arange(12.0),) * 3, np.random.default_rng(0))
    assert signal.dtype == np.float32
    np.testing.assert_allclose(signal[:5], contrast[Tissue.BONE], rtol=1e-5)
    np.testing.assert_allclose(signal[7:], contrast[Tissue.VITREOUS], rtol=1e-5)
    assert contrast[Tissue.BONE] < signal[5, 5, 5] < signal[6, 5, 5] < contrast[Tissue.VITREOUS]


def test_a_brain_that_reaches_beyond_the_head_is_cut():
    head = np.zeros((5, 5, 5), np.float32)
    brain = np.full((4, 4, 4), 2, np.float32)
    depth = np.full(brain.shape, 5, np.float32)
    depth[-1] = -5  # outside the brain
    blend_brain(head, brain, depth, np.array([-2, 3, 0]))
    assert head[0, 3:, :4].min() == 2
    assert head.sum() == 2 * 1 * 2 * 4


def test_parts_beside_the_whole_overlap_nowhere():
    there, here = overlap(np.array([9, -7, 0]), (4, 4, 4), (5, 5, 5))
    assert np.zeros((5, 5, 5))[there].size == 0
    assert np.zeros((4, 4, 4))[here].size == 0
