"""What a synthetic tumour looks like in each modality."""
from dataclasses import replace

import numpy as np
import pytest

from mstl.data.heads.acquisition import draw_contrast
from mstl.data.heads.scanner import LOW_FIELD, THREE_TESLA
from mstl.data.heads.tumour_signal import blend_tumour
from mstl.data.heads.tumours import Tumour

PARTS = ("necrosis", "enhancing", "oedema")


def _tumour(part: str, fraction: float = 1.0) -> Tumour:
    """Three voxels, the middle one of them of a part."""
    maps = {name: np.zeros(3, np.float32) for name in PARTS}
    maps[part][1] = fraction
    return Tumour(
        **maps, oedema_strength=np.ones(3, np.float32), texture=np.zeros(3, np.float32), fluidity=0.5, enhancement=1.8
    )


def _signals(modality: str, contrasts, seed: int, **options) -> dict[str, float]:
    found = {}
    for part in PARTS:
        rng = np.random.default_rng(seed)
        contrast = draw_contrast(contrasts[modality], rng, **options)
        signal = np.ones(3, np.float32)
        blend_tumour(signal, _tumour(part), contrast, modality=modality, rng=rng)
        assert np.all(signal[[0, 2]] == 1)
        found[part] = float(signal[1])
    return {**found, "grey": contrast.grey, "csf": contrast.csf}


@pytest.mark.parametrize("contrasts", [THREE_TESLA, LOW_FIELD])
@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_parts_is_that_of_life(contrasts, seed):
    flair, t1, t1ce, t2 = (_signals(name, contrasts, seed) for name in ("flair", "t1", "t1ce", "t2"))
    assert flair["oedema"] > flair["enhancing"] > flair["necrosis"]
    assert flair["oedema"] > flair["grey"]
    assert t1["csf"] < t1["necrosis"] < t1["enhancing"] < 1
    assert t1["necrosis"] < t1["oedema"] < 1
    assert t1ce["enhancing"] > 1.3 > 1 > t1ce["oedema"] > t1ce["necrosis"]
    assert t2["csf"] > t2["necrosis"] > t2["oedema"] > t2["enhancing"] > 1


@pytest.mark.parametrize("seed", range(5))
def test_strong_randomisation_keeps_oedema_bright_and_the_rim_brighter_than_what_it_encloses(seed):
    flair, t1ce, t2 = (_signals(name, THREE_TESLA, seed, randomise=1.0) for name in ("flair", "t1ce", "t2"))
    assert min(flair["oedema"], t2["oedema"]) > 1
    assert t1ce["enhancing"] > t1ce["oedema"] > t1ce["necrosis"]


def test_parts_blend_by_their_fraction():
    contrast = THREE_TESLA["t1ce"]
    whole, half = np.ones(3, np.float32), np.ones(3, np.float32)
    for signal, fraction in ((whole, 1.0), (half, 0.5)):
        blend_tumour(
            signal, _tumour("enhancing", fraction), contrast, modality="t1ce", rng=np.random.default_rng(0)
        )
    assert half[1] == pytest.approx((1 + whole[1]) / 2)


def test_the_liquid_of_necrosis_decides_how_close_to_fluid_it_is():
    contrast = THREE_TESLA["t2"]
    found = []
    for fluidity in (0.0, 1.0):
        signal = np.ones(3, np.float32)
        tumour = replace(_tumour("necrosis"), fluidity=fluidity)
        blend_tumour(signal, tumour, contrast, modality="t2", rng=np.random.default_rng(0))
        found.append(signal[1])
    assert found == pytest.approx([contrast.lesion, contrast.csf])
