"""Synthetic acquisition: contrast, partial volume, noise."""
import numpy as np
import pytest

from mstl.data.heads.acquisition import average_sections, draw_contrast
from mstl.data.heads.scanner import THREE_TESLA


def test_a_thick_slice_is_the_mean_of_its_sections():
    values = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    thick = average_sections(values, (1, 1, 3))
    assert thick.shape == (4, 5, 2)
    np.testing.assert_allclose(thick[..., 0], values[..., :3].mean(-1), rtol=1e-6)
    assert average_sections(values, (1, 1, 1)) is values


@pytest.mark.parametrize("modality", THREE_TESLA)
def test_a_lesion_stays_on_its_side_of_white_matter_however_random_the_contrast(modality):
    rng = np.random.default_rng(0)
    usual = THREE_TESLA[modality]
    drawn = [draw_contrast(usual, rng, randomise=1.0).lesion - 1 for _ in range(200)]
    assert np.all(np.sign(drawn) == np.sign(usual.lesion - 1))
    assert np.min(np.abs(drawn)) >= 0.12 - 1e-9


def test_randomise_widens_contrast():
    rng, usual = np.random.default_rng(0), THREE_TESLA["t2"]
    spread = [
        np.std([draw_contrast(usual, rng, randomise=strength).csf for _ in range(100)])
        for strength in (0.0, 1.0)
    ]
    assert spread[1] > 3 * spread[0]
