"""Foreground: brain against black, head against noise."""
import numpy as np
import pytest

from mstl.data.checks.foreground import find_foreground, strides
from mstl.data.volume import Volume


def ball(side: int = 60, radius: float = 0.6) -> np.ndarray:
    axis = np.linspace(-1, 1, side)
    return sum(np.meshgrid(axis**2, axis**2, axis**2)) < radius**2


AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


@pytest.mark.parametrize("background", [0.0, -2.5])
def test_an_extracted_brain_is_what_differs_from_its_background(background):
    inside = ball()
    noise = np.random.default_rng(0).normal(100, 10, inside.shape)
    found = find_foreground(Volume(np.where(inside, noise, background).astype(np.float32), AFFINE))
    assert found.extracted
    assert found.background == background
    assert np.array_equal(found.inside, inside)
    assert found.ml == pytest.approx(inside.sum() * 0.027)


def test_a_head_in_noisy_air_is_not_extracted():
    inside = ball(radius=0.8)
    noise = np.random.default_rng(0).normal(0, 2, inside.shape)
    found = find_foreground(Volume(np.abs(100 * inside + noise), AFFINE))
    assert not found.extracted
    assert np.mean(found.inside == inside) > 0.999


def test_the_finest_axis_is_thinned_first():
    volume = Volume(np.zeros((256, 256, 40), np.uint8), np.diag([1.0, 1.0, 5.0, 1.0]))
    assert strides(volume) in ((2, 1, 1), (2, 2, 1))
    assert strides(Volume(np.zeros((50, 50, 50), np.uint8), np.eye(4))) == (1, 1, 1)
