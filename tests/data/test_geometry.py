import numpy as np
import pytest

from mstl.data._albumentations import A
from mstl.data.geometry import Affine, RandomRotate90
from mstl.data.transforms import augment_pair

WIDE = {"scale": (0.8, 1.2), "translate_percent": (-0.2, 0.2), "rotate": (-40, 40), "p": 1}
TWINS = [(A.Affine(**WIDE), Affine(**WIDE)), (A.RandomRotate90(p=1), RandomRotate90(p=1))]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize(("slow", "quick"), TWINS, ids=["affine", "turns"])
def test_results_equal_those_of_albumentations(slow, quick, channels):
    random = np.random.default_rng(channels)
    image = random.standard_normal((40, 28, channels)).astype(np.float32)
    mask = (image[..., 0] > 1).astype(np.uint8)
    for seed in range(5):
        expected = augment_pair(A.Compose([slow]), image, mask, seed=seed)
        given = augment_pair(A.Compose([quick]), image, mask, seed=seed)
        assert all(np.array_equal(left, right) for left, right in zip(expected, given, strict=True))
